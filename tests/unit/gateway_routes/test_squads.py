"""Given squads and leaderboards of the game, the gateway adds names and asks for the right ones."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.errors import Conflict, NotFound
from tests.unit.gateway_routes.conftest import BER, HOLDER, FakeAcademy, Visitor

SQUAD = uuid4()
ERASED = str(uuid4())


class SquadAcademy(FakeAcademy):
    """An academy with one squad, of Awa."""

    name = "Éclairs"
    hidden = False

    def _squad(self, captain_id: str | None) -> dict[str, Any]:
        numbers = {"members": 2, "week_score": 40, "total_score": 100}
        return {"id": str(SQUAD), "name": self.name, "motto": "", "captain_id": captain_id, "official": False} | numbers

    def create_squad(self, **_: Any) -> Any:
        return self._squad(str(BER.id))

    def get_squad(self, squad_id: UUID) -> Any:
        if self.hidden:
            raise NotFound
        return self._squad(str(HOLDER.id))

    def list_squads(self, **_: Any) -> Any:
        return {"items": [self._squad(None), self._squad(ERASED)], "next_cursor": None}

    def get_squad_members(self, **_: Any) -> Any:
        ids = (str(HOLDER.id), ERASED)
        items = [{"id": one, "joined_at": "2026-11-23T12:00:00Z", "captain": one == ids[0]} for one in ids]
        return {"items": items, "next_cursor": None}

    def update_squad(self, **_: Any) -> Any:
        return self._squad(str(BER.id))

    def join_squad(self, **_: Any) -> Any:
        raise Conflict("squad-full")

    def leave_squad(self, **_: Any) -> Any:
        return None

    def kick_member(self, **_: Any) -> Any:
        return self._squad(str(BER.id))

    def hand_over_captaincy(self, **_: Any) -> Any:
        return self._squad(str(HOLDER.id))

    def get_squad_of_the_week(self, week: str | None) -> Any:
        return {"week": week or "2026-W47", "squad": None}

    def _board(self, user_id: UUID | None, *names: tuple[str, str]) -> Any:
        items = [{"rank": n, "id": one, "name": name, "score": 20} for n, (one, name) in enumerate(names, 1)]
        return {"items": items, "next_cursor": None, "me": user_id and {"rank": 2, "score": 20}}

    def get_squad_leaderboard(self, user_id: UUID | None, **_: Any) -> Any:
        return self._board(user_id, (str(SQUAD), "Éclairs"))

    def get_student_leaderboard(self, user_id: UUID | None, **_: Any) -> Any:
        return self._board(user_id, (str(HOLDER.id), ""), (ERASED, ""))


@pytest.fixture
def academy() -> SquadAcademy:
    return SquadAcademy()


def test_a_squad_is_made_once_for_an_idempotency_key(academy: FakeAcademy, student: Visitor) -> None:
    made = student.ask("POST", "/squads", json={"name": "  Éclairs ", "motto": "Zap"})

    assert made.status_code == 201
    assert made.headers["Location"] == f"/v1/squads/{SQUAD}"
    assert made.get_json()["captain"] == {"id": str(BER.id), "display_name": "Ber"}
    squad_id = academy.arguments.pop("squad_id")
    assert academy.arguments == {
        "user_id": BER.id,
        "role": "student",
        "name": "Éclairs",
        "motto": "Zap",
        "official": False,
    }
    assert isinstance(squad_id, UUID)


@pytest.mark.parametrize(("field", "text"), [("name", "mechant.com"), ("motto", "Tous sur www.mechant.example !")])
def test_a_squad_is_not_called_like_a_web_address(
    academy: FakeAcademy, student: Visitor, field: str, text: str
) -> None:
    made = student.ask("POST", "/squads", json={"name": "Éclairs", field: text})
    changed = student.ask("PATCH", f"/squads/{SQUAD}", json={field: text}, headers={"Accept-Language": "en"})

    assert (made.status_code, changed.status_code) == (422, 422)
    assert made.get_json()["errors"] == [{"pointer": f"/{field}", "detail": "ne doit pas ressembler à une adresse web"}]
    assert changed.get_json()["errors"] == [{"pointer": f"/{field}", "detail": "must not look like a web address"}]
    assert academy.asked.keys().isdisjoint({"create_squad", "update_squad"})


def test_a_squad_that_was_called_so_before_may_change_the_rest(academy: SquadAcademy, student: Visitor) -> None:
    academy.name = "mechant.com"

    kept = student.ask("PATCH", f"/squads/{SQUAD}", json={"name": "mechant.com", "motto": "Zap"})
    academy.hidden = True
    hidden = student.ask("PATCH", f"/squads/{SQUAD}", json={"name": "mechant.com", "motto": "Zap"})

    assert (kept.status_code, hidden.status_code) == (200, 422)


def test_captains_and_members_have_names_and_the_erased_have_none(anonymous: Visitor) -> None:
    assert anonymous.get(f"/squads/{SQUAD}").get_json()["captain"] == {"id": str(HOLDER.id), "display_name": "Awa"}
    assert [squad["captain"] for squad in anonymous.get("/squads?q=ecl").get_json()["items"]] == [None, None]
    members = anonymous.get(f"/squads/{SQUAD}/members").get_json()["items"]
    assert [(member["display_name"], member["captain"]) for member in members] == [("Awa", True)]


def test_whoever_is_logged_in_sees_where_they_stand(academy: FakeAcademy, student: Visitor, anonymous: Visitor) -> None:
    for board in ("squads", "students"):
        mine, everybodys = student.get(f"/leaderboards/{board}"), anonymous.get(f"/leaderboards/{board}")

        assert mine.get_json()["me"] == {"rank": 2, "score": 20}
        assert "private" in mine.headers["Cache-Control"]
        assert everybodys.get_json()["me"] is None
        assert everybodys.headers["Cache-Control"].startswith("public")
        again = anonymous.get(f"/leaderboards/{board}", headers={"If-None-Match": everybodys.headers["ETag"]})
        assert again.status_code == 304


def test_students_are_named_and_weeks_and_leagues_are_asked_for(academy: FakeAcademy, anonymous: Visitor) -> None:
    names = [item["name"] for item in anonymous.get("/leaderboards/students?week=all").get_json()["items"]]
    assert (names, academy.arguments["week"]) == (["Awa"], "all")

    anonymous.get("/leaderboards/squads?league=official&week=2026-W47&limit=5")
    assert academy.arguments == {
        "league": "official",
        "week": "2026-W47",
        "limit": 5,
        "cursor": None,
        "user_id": None,
    }
    assert anonymous.get("/leaderboards/squads?league=none").status_code == 422


def test_what_the_game_refuses_is_a_problem_in_the_readers_language(student: Visitor) -> None:
    full = student.ask("POST", f"/squads/{SQUAD}/join", headers={"Accept-Language": "en"})

    assert (full.status_code, full.get_json()["type"]) == (409, "/problems/squad-full")
    assert full.get_json()["title"] == "Squad full"


def test_a_captains_acts_are_the_callers_own(academy: FakeAcademy, student: Visitor) -> None:
    for path in ("kick", "captain"):
        answer = student.ask("POST", f"/squads/{SQUAD}/{path}", json={"user_id": str(HOLDER.id)})
        assert answer.status_code == 200
        assert academy.arguments == {"captain_id": BER.id, "squad_id": SQUAD, "user_id": HOLDER.id}
    changed = student.ask("PATCH", f"/squads/{SQUAD}", json={"motto": ""})
    assert changed.status_code == 200
    assert academy.arguments == {"squad_id": SQUAD, "user_id": BER.id, "role": "student", "motto": ""}
    assert student.ask("POST", "/squads/leave").status_code == 204


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": "ab"}, "/name"),
        ({"name": "x" * 31}, "/name"),
        ({"name": "abc", "motto": None}, "/motto"),
    ],
)
def test_a_bad_squad_is_refused_by_its_field(body: dict[str, Any], pointer: str, student: Visitor) -> None:
    answer = student.ask("POST", "/squads", json=body)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("body", "pointer"), [({"name": "P.U.T.E"}, "/name"), ({"name": "Éclairs", "motto": "bande de c0nnards"}, "/motto")]
)
def test_an_insult_is_no_name_and_no_motto(body: dict[str, Any], pointer: str, student: Visitor) -> None:
    for method, path in (("POST", "/squads"), ("PATCH", f"/squads/{SQUAD}")):
        answer = student.ask(method, path, json=body)

        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.get_json()["errors"]] == [pointer]
