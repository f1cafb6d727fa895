"""Reports, what admins decide on them, and the names that everybody sees."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from chassis.database import Database
from contracts.envelope import Envelope
from contracts.errors import NotFound
from contracts.events import UserChanged
from gateway.app import Gateway, create_app
from gateway.dependencies import Dependencies
from gateway.tables import metadata
from tests.services.accounts.conftest import Clock, Someone, at_once
from tests.services.tables import assert_migrated_as_coded, refusal

Make = Callable[..., Someone]


class Squads:
    """Gamification with one squad and one duel by a link."""

    def __init__(self) -> None:
        self.squad_id = uuid4()
        self.duel_id = uuid4()
        self.challenger_id = uuid4()
        self.hidden: list[bool] = []

    def ready(self) -> dict[str, bool]:
        """Who answers."""
        return {}

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """What gamification would answer."""
        assert service == "gamification"
        match method:
            case "get_squad" if arguments["squad_id"] == self.squad_id:
                return {"name": "Les Renards", "motto": "Toujours plus haut"}
            case "hide_squad" if arguments["squad_id"] == self.squad_id:
                self.hidden.append(arguments["hidden"])
                return None
            case "get_challenger" if arguments["duel_id"] == self.duel_id:
                return {"user_id": str(self.challenger_id)}
        raise NotFound


@pytest.fixture
def squads(app: Gateway) -> Squads:
    """Squads of which admins can hide some."""
    squads = Squads()
    app.parts.upstream = squads
    return squads


@pytest.fixture
def awa(someone: Make) -> Someone:
    """A student whose name is to be spoken of, old enough to be shown by it."""
    return someone().register("awa@tanka.example", display_name="Awa Diop", birth_year=1999)


def report(who: Someone, about: object, kind: str = "student", reason: str = "Injure") -> int:
    """The status of a report."""
    return who.post("/v1/reports", {"kind": kind, "id": str(about), "reason": reason}).status_code


def reported(admin: Someone, query: str = "") -> Any:
    """What admins see."""
    answer = admin.get(f"/v1/admin/reports{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def public_name(app: Gateway, user: Someone, language: str = "fr") -> str:
    """The name under which everybody sees the person."""
    person = app.parts.people.by_id(UUID(user.user["id"]))
    assert person is not None
    card = person.public_card(language)  # type: ignore[arg-type]
    assert card.keys() == {"id", "display_name"}
    return str(card["display_name"])


def test_the_migrated_tables_are_those_of_the_code(database: Database) -> None:
    assert_migrated_as_coded(database, metadata)


def test_admins_see_what_was_reported_by_whom_and_as_it_was_shown(
    ber: Someone, awa: Someone, admin: Someone, clock: Clock
) -> None:
    about = awa.user["id"]
    assert report(ber, about, reason=" Elle se fait\npasser pour moi ") == 202
    clock.pass_by(minutes=1)
    awa.call("PATCH", "/v1/me", {"display_name": "Awa D."})
    assert report(admin, about) == 202

    assert reported(admin) == {
        "items": [
            {
                "kind": "student",
                "id": about,
                "state": "open",
                "hidden": False,
                "count": 2,
                "first_reported_at": "2026-11-23T12:00:00Z",
                "last_reported_at": "2026-11-23T12:01:00Z",
                "reports": [
                    {
                        "reporter": {"id": admin.user["id"], "display_name": "admin"},
                        "reason": "Injure",
                        "shown": "Awa D.",
                        "created_at": "2026-11-23T12:01:00Z",
                    },
                    {
                        "reporter": {"id": ber.user["id"], "display_name": "Ber"},
                        "reason": "Elle se fait\npasser pour moi",
                        "shown": "Awa Diop",
                        "created_at": "2026-11-23T12:00:00Z",
                    },
                ],
            }
        ],
        "next_cursor": None,
    }


def test_the_same_report_again_and_at_once_is_one(ber: Someone, awa: Someone, admin: Someone) -> None:
    assert at_once(6, lambda _: report(ber, awa.user["id"])) == [202] * 6

    assert [item["count"] for item in reported(admin)["items"]] == [1]


def test_who_reports_without_end_is_slowed_down(ber: Someone, awa: Someone, someone: Make) -> None:
    assert [report(ber, awa.user["id"]) for _ in range(11)] == [202] * 10 + [429]
    assert report(someone().register("zoe@tanka.example"), awa.user["id"]) == 202


def test_what_is_not_there_cannot_be_reported(ber: Someone, admin: Someone, squads: Squads) -> None:
    assert [report(ber, uuid4(), kind) for kind in ("student", "squad", "duel")] == [404] * 3
    assert report(ber, admin.user["id"]) == 404, "who runs the academy stands by their name"
    assert reported(admin)["items"] == []


def test_a_report_that_cannot_be_is_refused_by_its_field(ber: Someone) -> None:
    for changes, pointer in (
        ({"kind": "project"}, "/kind"),
        ({"id": "x"}, "/id"),
        ({"reason": " "}, "/reason"),
        ({"reason": "x" * 501}, "/reason"),
        ({"reporter_id": str(uuid4())}, "/reporter_id"),
    ):
        answer = ber.post("/v1/reports", {"kind": "student", "id": str(uuid4()), "reason": "Injure"} | changes)

        assert answer.status_code == 422
        assert answer.json is not None
        assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_a_hidden_name_gives_way_to_a_pseudonym_until_it_is_shown_again(
    app: Gateway, ber: Someone, awa: Someone, admin: Someone
) -> None:
    item = {"kind": "student", "id": awa.user["id"]}
    report(ber, awa.user["id"])
    assert public_name(app, awa) == "Awa Diop"

    answer = admin.post("/v1/admin/hidden", item)
    again = admin.post("/v1/admin/hidden", item)

    assert (answer.status_code, again.status_code) == (201, 201)
    assert answer.json == again.json == item | {"hidden_at": "2026-11-23T12:00:00Z"}
    pseudonym = public_name(app, awa)
    assert pseudonym != "Awa Diop"
    awa.call("PATCH", "/v1/me", {"display_name": "Awa la Reine"})
    assert public_name(app, awa) == pseudonym
    assert awa.get("/v1/me").json["display_name"] == "Awa la Reine"  # type: ignore[index]
    assert reported(admin)["items"] == []
    assert [(item["state"], item["hidden"]) for item in reported(admin, "?state=handled")["items"]] == [
        ("handled", True)
    ]

    assert admin.call("DELETE", f"/v1/admin/hidden/student/{awa.user['id']}").status_code == 204
    assert public_name(app, awa) == "Awa la Reine"


def test_a_report_that_an_admin_finds_harmless_is_settled_and_may_come_again(
    app: Gateway, ber: Someone, awa: Someone, admin: Someone
) -> None:
    report(ber, awa.user["id"])

    assert admin.call("DELETE", f"/v1/admin/hidden/student/{awa.user['id']}").status_code == 204
    assert reported(admin)["items"] == []
    assert public_name(app, awa) == "Awa Diop"

    assert report(ber, awa.user["id"]) == 202
    assert [item["count"] for item in reported(admin)["items"]] == [1]
    assert [item["count"] for item in reported(admin, "?state=handled")["items"]] == [1]


def test_every_process_hears_that_a_name_is_hidden(
    app: Gateway, awa: Someone, admin: Someone, database: Database
) -> None:
    other = create_app(app.parts.settings, Dependencies(database, app.parts.upstream, now=app.parts.now))
    assert public_name(other, awa) == "Awa Diop"

    admin.post("/v1/admin/hidden", {"kind": "student", "id": awa.user["id"]})
    with database.single_statement() as unit_of_work:
        sequences = unit_of_work.connection.scalars(
            text("select sequence from outbox where type = :type and partition_key = :id order by 1"),
            {"type": UserChanged.type, "id": awa.user["id"]},
        ).all()
    assert sequences == [1, 2]

    event = UserChanged(
        user_id=UUID(awa.user["id"]),
        role="student",
        status="active",
        time_zone="UTC",
        locale="fr",
        email_verified=False,
    )
    envelope: Any = Envelope
    other.parts.on_event(envelope, event)
    assert public_name(other, awa) != "Awa Diop"
    other.parts.close()


def test_only_a_students_name_can_be_hidden(ber: Someone, admin: Someone, database: Database) -> None:
    assert admin.post("/v1/admin/hidden", {"kind": "student", "id": str(uuid4())}).status_code == 404
    assert admin.post("/v1/admin/hidden", {"kind": "student", "id": admin.user["id"]}).status_code == 404
    assert admin.call("DELETE", f"/v1/admin/hidden/project/{uuid4()}").status_code == 404
    with database.single_statement() as unit_of_work:
        assert unit_of_work.connection.scalar(text("select count(*) from hidden_items")) == 0


def test_a_squad_is_hidden_where_it_lives(ber: Someone, admin: Someone, squads: Squads) -> None:
    item = {"kind": "squad", "id": str(squads.squad_id)}
    assert report(ber, squads.squad_id, "squad") == 202
    assert reported(admin)["items"][0]["reports"][0]["shown"] == "Les Renards\nToujours plus haut"

    assert admin.post("/v1/admin/hidden", item).status_code == 201
    assert admin.call("DELETE", f"/v1/admin/hidden/squad/{squads.squad_id}").status_code == 204

    assert squads.hidden == [True, False]
    assert admin.post("/v1/admin/hidden", item | {"id": str(uuid4())}).status_code == 404


def test_the_name_on_a_duel_is_its_challengers(
    app: Gateway, ber: Someone, awa: Someone, admin: Someone, squads: Squads
) -> None:
    squads.challenger_id = UUID(awa.user["id"])
    report(ber, awa.user["id"])
    report(admin, squads.duel_id, "duel")
    assert [(item["kind"], item["id"], item["count"]) for item in reported(admin)["items"]] == [
        ("student", awa.user["id"], 2)
    ]

    answer = admin.post("/v1/admin/hidden", {"kind": "duel", "id": str(squads.duel_id)})

    assert answer.json is not None
    assert (answer.json["kind"], answer.json["id"]) == ("student", awa.user["id"])
    assert public_name(app, awa) != "Awa Diop"


def test_the_list_goes_on_where_it_ended_also_when_more_is_reported_meanwhile(
    ber: Someone, someone: Make, admin: Someone, clock: Clock
) -> None:
    people = [someone().register(f"s{number}@tanka.example").user["id"] for number in range(5)]
    for number, user_id in enumerate(people):
        report(ber, user_id)
        clock.pass_by(minutes=number)

    seen = []
    cursor = ""
    for _ in range(3):
        page = reported(admin, f"?limit=2{cursor}")
        seen += [item["id"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
        report(admin, people[0])

    assert cursor == "&cursor=None"
    # the first two were reported at the same instant
    assert seen[:3] == people[:1:-1]
    assert sorted(seen[3:]) == sorted(people[:2])


def test_of_one_item_the_latest_reports_are_shown(database: Database, awa: Someone, admin: Someone) -> None:
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(
            text(
                "insert into reports select gen_random_uuid(), 'student', :about, :admin, 'n' || n, 'x', "
                "timestamptz '2026-11-23T12:00:00Z' + n * interval '1 minute', '2026-11-24T00:00:00Z' "
                "from generate_series(1, 25) n"
            ),
            {"about": awa.user["id"], "admin": admin.user["id"]},
        )

    (item,) = reported(admin, "?state=handled")["items"]

    assert item["count"] == 25
    assert [given["reason"] for given in item["reports"]] == [f"n{number}" for number in range(25, 5, -1)]


def test_reports_are_for_people_and_decisions_for_admins(ber: Someone, awa: Someone, someone: Make) -> None:
    about = awa.user["id"]
    assert report(someone(), about) == 401
    for method, path, body in (
        ("GET", "/v1/admin/reports", None),
        ("POST", "/v1/admin/hidden", {"kind": "student", "id": about}),
        ("DELETE", f"/v1/admin/hidden/student/{about}", None),
    ):
        assert someone().call(method, path, body).status_code == 401
        assert ber.call(method, path, body).status_code == 403


WRONG = {
    "hidden_items_kind": "insert into hidden_items values ('duel', :id, :id, now())",
    "hidden_items_hidden_by_fkey": "insert into hidden_items values ('squad', :id, gen_random_uuid(), now())",
    "reports_kind": "insert into reports values (gen_random_uuid(), 'duel', :id, :id, '', '', now())",
    "reports_open": "insert into reports "
    "select gen_random_uuid(), 'squad', :id, :id, '', '', now() from generate_series(1, 2)",
}


def test_a_wrong_state_cannot_be_stored(database: Database, ber: Someone) -> None:
    def attempt(statement: str) -> None:
        with database.unit_of_work() as unit_of_work:
            unit_of_work.connection.execute(text(statement), {"id": ber.user["id"]})

    for constraint, statement in WRONG.items():
        assert refusal(partial(attempt, statement)) == constraint


def test_the_young_and_those_of_unknown_age_have_a_pseudonym(app: Gateway, someone: Make) -> None:
    for birth_year, shown in {None: False, 2012: False, 2011: False, 2010: True, 1990: True}.items():
        email = f"zoe{birth_year}@tanka.example"
        zoe = someone().register(email, display_name="Zoé Peeters", birth_year=birth_year)

        assert [public_name(app, zoe, language) == "Zoé Peeters" for language in ("fr", "en")] == [shown, shown]


def test_who_tells_a_birth_year_is_shown_by_name_and_who_takes_it_back_by_the_same_pseudonym(
    app: Gateway, ber: Someone
) -> None:
    before = public_name(app, ber)
    ber.call("PATCH", "/v1/me", {"birth_year": 1999})
    assert public_name(app, ber) == "Ber"

    ber.call("PATCH", "/v1/me", {"birth_year": None})

    assert public_name(app, ber) == before


def test_who_teaches_stands_by_their_name(app: Gateway, ber: Someone, admin: Someone) -> None:
    admin.post(f"/v1/admin/users/{ber.user['id']}/role", {"role": "instructor"})

    assert public_name(app, ber) == "Ber"


def test_a_name_that_nobody_may_take_is_refused_in_words(ber: Someone, someone: Make) -> None:
    for name, detail in (
        ("P.U.T.E", "contient un mot qui n’est pas admis ici"),
        ("Modérateur", "est réservé à l’équipe de l’académie"),
        ("www.mechant.example", "ne doit pas ressembler à une adresse web"),
    ):
        body = {"email": "zoe@tanka.example", "password": "tanka-azerty", "display_name": name}
        for answer in (someone().post("/v1/auth/register", body), ber.call("PATCH", "/v1/me", {"display_name": name})):
            assert answer.status_code == 422
            assert answer.json is not None
            assert answer.json["errors"] == [{"pointer": "/display_name", "detail": detail}]
    assert ber.get("/v1/me").json["display_name"] == "Ber"  # type: ignore[index]


def test_who_had_such_a_name_before_keeps_it_until_another_is_chosen(ber: Someone, database: Database) -> None:
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(text("update users set display_name = 'mechant.com'"))

    kept = ber.call("PATCH", "/v1/me", {"display_name": "mechant.com", "time_zone": "Asia/Tokyo"})
    other = ber.call("PATCH", "/v1/me", {"display_name": "mechant.fr"})

    assert (kept.status_code, other.status_code) == (200, 422)
    assert ber.get("/v1/me").json["time_zone"] == "Asia/Tokyo"  # type: ignore[index]
    assert ber.log_in().get("/v1/me").json["display_name"] == "mechant.com"  # type: ignore[index]


def test_an_admin_may_be_called_one(admin: Someone) -> None:
    assert admin.call("PATCH", "/v1/me", {"display_name": "Modération"}).status_code == 200
    assert admin.call("PATCH", "/v1/me", {"display_name": "Pute"}).status_code == 422
