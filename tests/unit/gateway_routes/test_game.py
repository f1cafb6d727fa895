"""Students as everybody sees them, and one's own badges in one's own language."""

from typing import Any
from uuid import uuid4

import pytest

from contracts.errors import NotFound
from tests.unit.gateway_routes.conftest import ARSENE, BER, FakeAcademy, Visitor

BADGES = [
    {"code": "flame_7", "count": 1, "earned_at": "2026-11-23T12:00:00Z"},
    {"code": "from_tomorrow", "count": 2, "earned_at": "2026-11-23T13:00:00Z"},
]
LEVEL = {"number": 2, "xp_from": 100, "xp_to": 300}


@pytest.fixture
def game(academy: FakeAcademy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Ber's game, at hand to be changed."""
    state: dict[str, Any] = {"leaderboard_opt_out": False}

    def own(**_: Any) -> Any:
        streak = {
            "current": 0,
            "longest": 7,
            "today_done": False,
            "alive_until": None,
            "freezes": 0,
            "freezes_max": 2,
        }
        return {"xp": 120, "level": LEVEL, "points": 20, "streak": streak, "squad": None, "badges": BADGES} | state

    def opt_out(leaderboard_opt_out: bool, **asked: Any) -> Any:
        assert asked == {"user_id": BER.id, "time_zone": "Europe/Paris"}
        state["leaderboard_opt_out"] = leaderboard_opt_out
        return own()

    def public(**_: Any) -> Any:
        if state["leaderboard_opt_out"]:
            raise NotFound
        return {"level": LEVEL, "badges": BADGES, "squad": None}

    for name, method in (("get_game", own), ("set_leaderboard_opt_out", opt_out), ("get_student", public)):
        monkeypatch.setattr(academy, name, method, raising=False)
    return state


def test_badges_have_names_in_the_language_asked_for(game: dict[str, Any], student: Visitor) -> None:
    french = student.get("/me/game").json["badges"]
    english = student.get("/me/game", headers={"Accept-Language": "en"}).json["badges"]

    assert [badge["name"] for badge in french] == ["Flamme de 7 jours", "from_tomorrow"]
    assert [badge["name"] for badge in english] == ["7-day flame", "from_tomorrow"]
    assert french[0] == BADGES[0] | {"name": "Flamme de 7 jours"}


def test_everybody_sees_a_student_and_has_it_only_once(game: dict[str, Any], anonymous: Visitor) -> None:
    answer = anonymous.get(f"/students/{BER.id}")

    assert answer.status_code == 200
    assert answer.json["id"] == str(BER.id)
    assert (answer.json["display_name"], answer.json["level"], answer.json["squad"]) == ("Ber", LEVEL, None)
    assert answer.json.keys() == {"id", "display_name", "level", "badges", "squad"}
    assert answer.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert "Accept-Language" in answer.headers["Vary"]
    again = anonymous.get(f"/students/{BER.id}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_who_is_no_student_or_nobody_has_no_such_page(game: dict[str, Any], anonymous: Visitor) -> None:
    for user_id in (ARSENE.id, uuid4()):
        assert anonymous.get(f"/students/{user_id}").status_code == 404


def test_who_opts_out_is_seen_by_nobody(game: dict[str, Any], anonymous: Visitor, student: Visitor) -> None:
    answer = student.ask("PATCH", "/me/game", json={"leaderboard_opt_out": True})

    assert answer.status_code == 200
    assert answer.json["leaderboard_opt_out"] is True
    assert anonymous.get(f"/students/{BER.id}").status_code == 404

    student.ask("PATCH", "/me/game", json={"leaderboard_opt_out": False})
    assert anonymous.get(f"/students/{BER.id}").status_code == 200


@pytest.mark.parametrize("body", [{}, {"leaderboard_opt_out": None}, {"leaderboard_opt_out": 1}, {"xp": 10_000}])
def test_nothing_else_of_the_game_is_ones_own_to_change(
    game: dict[str, Any], student: Visitor, body: dict[str, Any]
) -> None:
    assert student.ask("PATCH", "/me/game", json=body).status_code == 422
