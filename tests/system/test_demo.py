"""The demo, loaded into a running academy."""

from typing import Any

import httpx

from demo.content import read_catalogue, read_people
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
    load(academy.base_url, academy.settings)

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

    load(academy.base_url, academy.settings)

    assert (items(ber, "/me/ledger"), items(ber, "/me/enrollments"), items(arsene, "/instructors/me/courses")) == before
