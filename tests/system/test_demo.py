"""The demo, loaded into a running academy."""

from functools import partial
from typing import Any

import httpx

from demo.content import Squad, read_catalogue, read_people
from demo.loader import PASSWORD, load
from tests.academy import AcademyUnderTest
from tests.system.conftest import Visitor, eventually

CATALOGUE = read_catalogue()
PEOPLE = read_people()


def logged_in(client: httpx.Client, email: str) -> Visitor:
    answer = Visitor(client).done("POST", "/auth/login", {"email": email, "password": PASSWORD})
    return Visitor(client, answer["user"], answer["access_token"])


def items(someone: Visitor, path: str) -> list[Any]:
    return list(someone.done("GET", f"{path}?limit=100")["items"])


def test_the_demo_is_there_after_one_run_and_the_same_after_another(
    academy: AcademyUnderTest, client: httpx.Client, anonymous: Visitor, category: str
) -> None:
    challenge = load(academy.base_url, academy.settings)

    slugs = [course["slug"] for course in items(anonymous, "/courses")]
    published = [course.slug for course in CATALOGUE.courses if course.publish]
    assert [slug for slug in slugs if slug in published] == published[::-1]
    arsene = logged_in(client, PEOPLE.instructor.email)
    own = {course["slug"]: course["status"] for course in items(arsene, "/instructors/me/courses")}
    assert own == {course.slug: "published" if course.publish else "draft" for course in CATALOGUE.courses}
    assert any(each["slug"] == category and each["courses"] > 0 for each in items(anonymous, "/categories"))

    ber = logged_in(client, "ber@tanka.example")
    student = next(person for person in PEOPLE.students if person.email == "ber@tanka.example")
    finished = sum(len(studies.days_ago) for studies in student.studies)
    eventually(lambda: ber.done("GET", "/me/game")["xp"] == 20 * finished)
    assert ber.done("GET", "/me/game")["streak"]["longest"] == 6
    earned = {"amount": 3 * 4900, "currency": "EUR"}
    eventually(lambda: arsene.done("GET", "/instructors/me/stats")["revenue"]["net"] == earned)
    before = items(ber, "/me/ledger"), items(ber, "/me/enrollments"), items(arsene, "/instructors/me/courses")
    game = played(client, anonymous, challenge)

    assert load(academy.base_url, academy.settings) == challenge

    assert (items(ber, "/me/ledger"), items(ber, "/me/enrollments"), items(arsene, "/instructors/me/courses")) == before
    assert played(client, anonymous, challenge) == game


def _is_ranked(anonymous: Visitor, squad: Squad) -> bool:
    league = "squads" if squad.captain else "official"
    board = anonymous.done("GET", f"/leaderboards/squads?limit=100&league={league}")["items"]
    return any(place["name"] == squad.name and place["score"] > 0 for place in board)


def played(client: httpx.Client, anonymous: Visitor, challenge: str | None) -> list[Any]:
    """What the game shows of the demo, once it is as it must be."""
    for squad in PEOPLE.squads:
        eventually(partial(_is_ranked, anonymous, squad))
    squads = {squad["name"]: squad for squad in items(anonymous, "/squads")}
    assert squads["Les Éclairs de Dakar"]["members"] == 4
    assert squads["Les Éclairs de Dakar"]["captain"]["display_name"] == "Awa Diop"

    ber, awa, fatou, ines = (logged_in(client, f"{one}@tanka.example") for one in ("ber", "awa", "fatou", "ines"))
    waiting = items(ber, "/me/duels")
    assert [(duel["state"], duel["players"][0]["display_name"]) for duel in waiting] == [
        ("playing", "Awa Diop"),
        ("open", "Léo Martin"),
    ]
    (finished,) = items(fatou, "/me/duels")
    assert (finished["state"], finished["winner_id"], finished["points_moved"]) == (
        "finished",
        fatou.account["id"],
        50,
    )
    assert awa.done("GET", "/me/game")["streak"]["freezes"] == 1
    assert "unbeaten" in {badge["code"] for badge in ines.done("GET", "/me/game")["badges"]}
    assert challenge is not None
    assert client.get(challenge).status_code == 200
    assert "Inès Benali" in client.get(challenge).text
    standings = [(name, squad["id"], squad["members"], squad["week_score"]) for name, squad in squads.items()]
    return [standings, waiting, finished, *(items(one, "/me/ledger") for one in (awa, fatou, ines))]
