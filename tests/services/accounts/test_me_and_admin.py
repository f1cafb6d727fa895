"""One's own account, and what admins do with others'."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from chassis.database import Database
from contracts.events import UserChanged
from gateway.app import Gateway
from gateway.commands import create_account, create_admin
from tests.services.accounts.conftest import PASSWORD, Someone, at_once

Make = Callable[..., Someone]


def _versions(database: Database, user_id: str) -> list[int]:
    with database.single_statement() as unit_of_work:
        rows = unit_of_work.connection.execute(
            text("select sequence from outbox where type = :type and partition_key = :id order by 1"),
            {"type": UserChanged.type, "id": user_id},
        )
        return list(rows.scalars())


def test_people_change_what_is_theirs_and_others_hear_of_it(ber: Someone, database: Database) -> None:
    answer = ber.call(
        "PATCH",
        "/v1/me",
        {"display_name": "Bérénice", "time_zone": "Asia/Tokyo", "locale": "en", "birth_year": 2011},
    )

    assert answer.status_code == 200
    assert answer.json is not None
    assert {name: answer.json[name] for name in ("display_name", "time_zone", "locale", "birth_year")} == {
        "display_name": "Bérénice",
        "time_zone": "Asia/Tokyo",
        "locale": "en",
        "birth_year": 2011,
    }
    assert ber.get("/v1/me").json == answer.json
    assert _versions(database, ber.user["id"]) == [1, 2]


def test_a_birth_year_can_be_taken_back(ber: Someone) -> None:
    ber.call("PATCH", "/v1/me", {"birth_year": 2011})

    answer = ber.call("PATCH", "/v1/me", {"birth_year": None})

    assert answer.json is not None
    assert answer.json["birth_year"] is None


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"email": "x@y.example"}, "/email"),
        ({"role": "admin"}, "/role"),
        ({"email_verified": True}, "/email_verified"),
        ({"display_name": None}, "/display_name"),
        ({"time_zone": "Paris"}, "/time_zone"),
        ({"birth_year": 1905}, "/birth_year"),
    ],
)
def test_the_rest_is_not_theirs_to_change(ber: Someone, changes: dict[str, object], pointer: str) -> None:
    before = ber.get("/v1/me").json

    answer = ber.call("PATCH", "/v1/me", changes)

    assert answer.status_code == 422
    assert answer.json is not None
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert ber.get("/v1/me").json == before


def test_changing_nothing_tells_nobody(ber: Someone, database: Database) -> None:
    assert ber.call("PATCH", "/v1/me", {}).status_code == 200
    assert _versions(database, ber.user["id"]) == [1]


def test_a_text_arrives_composed(ber: Someone) -> None:
    answer = ber.call("PATCH", "/v1/me", {"display_name": "  Be\u0301a  "})

    assert answer.json is not None
    assert answer.json["display_name"] == "B\u00e9a"


def test_a_profile_is_for_instructors(ber: Someone, admin: Someone) -> None:
    profile = {"avatar_url": "https://img.example/a.png", "bio": "J’enseigne."}
    assert ber.call("PATCH", "/v1/me", profile).status_code == 403

    admin.post(f"/v1/admin/users/{ber.user['id']}/role", {"role": "instructor"})

    assert ber.call("PATCH", "/v1/me", {"avatar_url": "javascript:alert(1)"}).status_code == 422
    answer = ber.call("PATCH", "/v1/me", profile)
    assert answer.json is not None
    assert (answer.json["avatar_url"], answer.json["bio"]) == ("https://img.example/a.png", "J’enseigne.")


def test_a_new_role_counts_at_once(ber: Someone, admin: Someone) -> None:
    assert ber.get("/v1/admin/users").status_code == 403

    answer = admin.post(f"/v1/admin/users/{ber.user['id']}/role", {"role": "admin"})

    assert answer.status_code == 200
    assert answer.json == {**ber.user, "role": "admin"}
    assert ber.get("/v1/admin/users").status_code == 200


def test_another_process_sees_a_change_when_it_hears_of_it(
    ber: Someone, admin: Someone, app: Gateway, database: Database
) -> None:
    user_id = UUID(ber.user["id"])
    assert ber.get("/v1/admin/users").status_code == 403
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(text("update users set role = 'admin' where id = :id"), {"id": user_id})
    assert ber.get("/v1/admin/users").status_code == 403

    event = UserChanged(
        user_id=user_id, role="admin", status="active", time_zone="UTC", locale="fr", email_verified=False
    )
    app.parts.people.on_event(None, event)  # type: ignore[arg-type]

    assert ber.get("/v1/admin/users").status_code == 200


def test_the_same_role_again_changes_nothing(ber: Someone, admin: Someone, database: Database) -> None:
    for _ in range(2):
        admin.post(f"/v1/admin/users/{ber.user['id']}/role", {"role": "instructor"})

    assert _versions(database, ber.user["id"]) == [1, 2]


def test_the_academy_keeps_an_admin(admin: Someone) -> None:
    answer = admin.post(f"/v1/admin/users/{admin.user['id']}/role", {"role": "student"})

    assert answer.status_code == 409
    assert answer.json is not None
    assert answer.json["type"] == "/problems/last-admin"


def test_two_admins_who_step_down_at_once_leave_one(admin: Someone, someone: Make) -> None:
    ber = someone().register()
    admin.post(f"/v1/admin/users/{ber.user['id']}/role", {"role": "admin"})
    admins = [admin, ber]

    answers = at_once(
        2,
        lambda index: (
            admins[index].post(f"/v1/admin/users/{admins[index].user['id']}/role", {"role": "student"}).status_code
        ),
    )

    assert sorted(answers) == [200, 409]


def test_a_role_for_nobody_is_not_found(admin: Someone) -> None:
    assert admin.post(f"/v1/admin/users/{uuid4()}/role", {"role": "student"}).status_code == 404
    assert admin.post("/v1/admin/users/nobody/role", {"role": "student"}).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/admin/users"), ("POST", f"/v1/admin/users/{UUID(int=7)}/role")]
)
def test_admins_routes_are_for_admins(ber: Someone, someone: Make, method: str, path: str) -> None:
    assert someone().call(method, path).status_code == 401
    assert ber.call(method, path).status_code == 403


def test_the_list_of_accounts_goes_on_where_it_ended(admin: Someone, someone: Make) -> None:
    for number in range(5):
        someone().register(f"s{number}@tanka.example")

    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = admin.get(f"/v1/admin/users?limit=2{cursor}").json
        assert page is not None
        seen += [item["email"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"

    assert cursor == "&cursor=None"
    assert sorted(seen) == ["admin@tanka.example", *(f"s{number}@tanka.example" for number in range(5))]


def test_accounts_are_found_by_words_and_role(admin: Someone, someone: Make) -> None:
    someone().register("a_b@tanka.example", display_name="Awa")
    someone().register("axb@tanka.example", display_name="Zoé")

    def found(query: str) -> list[str]:
        page = admin.get(f"/v1/admin/users?{query}").json
        assert page is not None
        return [item["email"] for item in page["items"]]

    assert found("q=A_B") == ["a_b@tanka.example"]
    assert found("q=awa") == ["a_b@tanka.example"]
    assert found("role=admin") == ["admin@tanka.example"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=%00", "cursor=nonsense", "cursor=", "role=king", "other=1"]
)
def test_a_list_refuses_what_it_does_not_know(admin: Someone, query: str) -> None:
    assert admin.get(f"/v1/admin/users?{query}").status_code == 422


def test_an_admin_is_made_once_and_keeps_the_password(database: Database, someone: Make) -> None:
    first = create_admin(database.url, "Admin@tanka.example", PASSWORD)
    second = create_admin(database.url, "admin@TANKA.example", "something-else")

    assert (first[1], second[1]) == (True, False)
    assert first[0] == second[0]
    assert someone().log_in("admin@tanka.example").user["role"] == "admin"


def test_someone_who_registered_can_be_made_admin(database: Database, ber: Someone, someone: Make) -> None:
    assert create_admin(database.url, "ber@tanka.example", "something-else") == (UUID(ber.user["id"]), False)
    assert someone().log_in().user["role"] == "admin"


def test_an_instructor_can_be_made_from_the_command_line(database: Database, someone: Make) -> None:
    create_account(database.url, "arsene@tanka.example", PASSWORD, display_name="Arsène", role="instructor")

    assert someone().log_in("arsene@tanka.example").user["role"] == "instructor"


def test_people_are_read_with_one_statement_and_remembered(ber: Someone, someone: Make, app: Gateway) -> None:
    awa = someone().register("awa@tanka.example", display_name="Awa")
    ids = [UUID(ber.user["id"]), UUID(awa.user["id"]), uuid4()]
    statements = _statements(app.parts.database)

    people = app.parts.people.by_ids(ids)
    remembered = app.parts.people.by_ids(ids[:2])

    assert {person.display_name for person in people.values()} == {"Ber", "Awa"}
    assert people[ids[1]].card() == {"id": str(ids[1]), "display_name": "Awa", "avatar_url": None, "bio": ""}
    assert remembered == people
    assert len(statements) == 1


def test_who_changed_while_being_read_is_not_remembered(ber: Someone, app: Gateway) -> None:
    user_id = UUID(ber.user["id"])
    people = app.parts.people
    people.drop_all()
    statements = _statements(app.parts.database, then=lambda: people.drop(user_id))

    people.by_id(user_id)
    people.by_id(user_id)

    assert len(statements) == 2


def test_while_no_events_are_heard_nobody_is_remembered(ber: Someone, app: Gateway) -> None:
    people = app.parts.people
    people.by_id(UUID(ber.user["id"]))
    people.is_hearing = lambda: False
    statements = _statements(app.parts.database)

    assert people.by_id(UUID(ber.user["id"])) is not None
    assert len(statements) == 1


def _statements(database: Database, then: Callable[[], None] = lambda: None) -> list[str]:
    """The statements of this thread from now on; after each, `then` is called."""
    statements: list[str] = []
    here = threading.get_ident()

    def note(*seen: Any) -> None:
        if threading.get_ident() == here:
            statements.append(seen[2])
            then()

    listen(database.engine, "after_cursor_execute", note)
    return statements
