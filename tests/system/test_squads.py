"""Given a running academy, students learn in squads: over HTTP, with names as everybody may see them."""

import secrets
from collections.abc import Callable

import httpx

from tests.system.conftest import Course, Visitor, eventually, register


def test_a_squad_learns_and_is_ranked(
    client: httpx.Client, anonymous: Visitor, admin: Visitor, new_course: Callable[..., Course]
) -> None:
    name = f"Éclairs {secrets.token_hex(4)}"
    captain = register(client, display_name="Awa", birth_year=2000)
    young = register(client, display_name="Zoé", birth_year=2014)
    squad = captain.done("POST", "/squads", {"name": name, "motto": "Zap !"}, 201)
    again = captain.post("/squads", {"name": name})
    assert again.json()["type"] == "/problems/already-in-squad"
    young.done("POST", f"/squads/{squad['id']}/join")
    taken = register(client).post("/squads", {"name": name.upper()})
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/name-taken")

    course = new_course(lessons=1)
    for student in (captain, young):
        student.done("POST", f"/courses/{course.id}/checkout", {}, 201)
        student.done("POST", f"/lessons/{course.lessons[0]}/complete")
    shown = eventually(lambda: (now := anonymous.get(f"/squads/{squad['id']}").json())["week_score"] == 140 and now)

    assert (shown["members"], shown["captain"]["display_name"], shown["official"]) == (2, "Awa", False)
    found = anonymous.get("/squads", params={"q": name.lower()}).json()["items"]
    assert [item["id"] for item in found] == [squad["id"]]
    names = {item["display_name"] for item in anonymous.get(f"/squads/{squad['id']}/members").json()["items"]}
    assert "Awa" in names
    assert "Zoé" not in names, "who is under 15 has a pseudonym"
    board = captain.get("/leaderboards/squads?limit=100").json()
    assert board["me"]["score"] == 140
    assert {"rank": board["me"]["rank"], "id": squad["id"], "name": name, "score": 140} in board["items"]
    mine = young.get("/me/game").json()["squad"]
    assert (mine["id"], mine["name"], mine["week_score"], mine["rank"]) == (squad["id"], name, 140, board["me"]["rank"])
    students = anonymous.get("/leaderboards/students?week=all&limit=100").json()
    assert students["me"] is None
    assert "Zoé" not in {item["name"] for item in students["items"]}
    assert captain.get("/leaderboards/students").json()["me"]["score"] == 70

    admin.done("POST", "/admin/hidden", {"kind": "squad", "id": squad["id"]}, 201)
    assert anonymous.get(f"/squads/{squad['id']}").status_code == 404
    assert squad["id"] not in {item["id"] for item in anonymous.get("/leaderboards/squads?limit=100").json()["items"]}
    assert captain.ask("POST", "/squads/leave").status_code == 204
    assert captain.ask("POST", "/squads/leave").status_code == 204
    assert captain.get("/me/game").json()["squad"] is None


def test_the_squad_of_the_week_of_a_quiet_week_is_none(anonymous: Visitor) -> None:
    assert anonymous.get("/squads/of-the-week?week=2020-W01").json() == {"week": "2020-W01", "squad": None}
    refused = anonymous.get("/squads/of-the-week?week=2020-W60")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/week"]
