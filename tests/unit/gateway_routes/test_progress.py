"""Given students and a course, taking it and learning in it reach progress as they should."""

from uuid import uuid4

import pytest

from gateway.app import Gateway
from tests.unit.gateway_routes.conftest import HOLDER, FakeAcademy, Visitor
from tests.unit.gateway_routes.test_catalogue import tell_changed


def test_a_free_course_is_there_at_once(academy: FakeAcademy, student: Visitor) -> None:
    answer = student.ask("POST", "/courses/web/checkout", json={})
    assert answer.status_code == 201
    assert answer.get_json() == {"order_id": None, "session_id": None, "checkout_url": None}


def test_what_is_owned_cannot_be_taken_again(academy: FakeAcademy, holder: Visitor) -> None:
    answer = holder.ask("POST", f"/courses/{academy.course_id}/checkout", json={"withdrawal_waiver": True})
    assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/already-owned")


def test_a_paid_course_wants_the_waiver_and_then_says_that_nobody_can_pay_yet(
    academy: FakeAcademy, student: Visitor
) -> None:
    academy.price = 4900
    refused = student.ask("POST", "/courses/web/checkout", json={})
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.get_json()["errors"]] == ["/withdrawal_waiver"]
    answer = student.ask("POST", "/courses/web/checkout", json={"withdrawal_waiver": True})
    assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/payment-unavailable")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://front.example.evil.example/",
        "https://front.example@evil.example/",
        "https://front.example\\@evil.example/",
        "http://front.example/",
        "//front.example/",
        "javascript:alert(1)",
        "https://[",
        "/merci",
    ],
)
def test_no_address_leads_away_from_the_front_end(url: str, academy: FakeAcademy, student: Visitor) -> None:
    answer = student.ask("POST", "/courses/web/checkout", json={"success_url": url})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/success_url"]
    assert not academy.asked


def test_addresses_of_the_front_end_are_taken(student: Visitor) -> None:
    urls = {"success_url": "https://front.example/merci?x=1", "cancel_url": "https://front.example"}
    assert student.ask("POST", "/courses/web/checkout", json=urls).status_code == 201


def test_a_course_is_named_by_id_or_slug_everywhere(academy: FakeAcademy, holder: Visitor) -> None:
    for named in (academy.slug, str(academy.course_id)):
        assert holder.get(f"/courses/{named}/progress").get_json()["course_id"] == str(academy.course_id)
        assert holder.get(f"/courses/{named}/access").get_json() == {"has_access": True, "reason": "free"}
    assert holder.get("/courses/toile/progress").headers["Location"] == "/v1/courses/web/progress"
    assert holder.get("/courses/nothing/progress").status_code == 404


def test_while_catalog_is_silent_an_enrolled_student_learns_on(academy: FakeAcademy, holder: Visitor) -> None:
    academy.silent = {"catalog"}
    assert holder.ask("POST", f"/lessons/{academy.lesson_id}/complete").status_code == 200
    assert holder.get(f"/courses/{academy.course_id}/progress").status_code == 200
    assert holder.ask("PUT", f"/lessons/{academy.lesson_id}/position", json={"seconds": 12.5}).status_code == 204


def test_a_lesson_is_finished_in_the_students_own_name_and_time_zone(academy: FakeAcademy, holder: Visitor) -> None:
    holder.ask("POST", f"/lessons/{academy.lesson_id}/complete", json={"user_id": "someone", "time_zone": "UTC"})
    assert academy.arguments == {
        "user_id": HOLDER.id,
        "role": "student",
        "lesson_id": academy.lesson_id,
        "time_zone": "Europe/Paris",
    }


@pytest.mark.parametrize("body", [{}, {"seconds": -1}, {"seconds": "1"}, {"seconds": 1e9}, {"seconds": None}, [1]])
def test_a_position_that_cannot_be_is_refused(body: object, academy: FakeAcademy, holder: Visitor) -> None:
    assert holder.ask("PUT", f"/lessons/{academy.lesson_id}/position", json=body).status_code == 422
    assert not academy.asked


@pytest.mark.parametrize("status", ["published", "archived"])
def test_my_courses_carry_the_course_also_when_it_is_archived(
    status: str, academy: FakeAcademy, holder: Visitor, student: Visitor
) -> None:
    academy.status = status
    (item,) = holder.get("/me/enrollments").get_json()["items"]
    assert item["course"]["title"] == academy.title
    assert item["course"]["instructor"]["display_name"] == "Arsène"
    assert "course_id" not in item
    assert "description" not in item["course"]
    assert student.get("/me/enrollments").get_json() == {"items": [], "next_cursor": None}


def titles(visitor: Visitor) -> list[str]:
    return [item["course"]["title"] for item in visitor.get("/me/enrollments").get_json()["items"]]


def test_my_courses_are_asked_for_at_once_without_those_that_are_known(academy: FakeAcademy, holder: Visitor) -> None:
    academy.others = {uuid4(): f"Cours {number}" for number in range(99)}
    holder.get(f"/courses/{academy.course_id}")
    academy.asked.clear()
    for _ in range(3):
        assert titles(holder) == [academy.title, *academy.others.values()]
    assert academy.asked == {"get_user_enrollments": 3, "get_courses": 1}


def test_my_courses_are_shown_from_memory_while_catalog_is_silent(academy: FakeAcademy, holder: Visitor) -> None:
    holder.get(f"/courses/{academy.course_id}")
    academy.silent = {"catalog"}
    assert titles(holder) == [academy.title]
    academy.others = {uuid4(): "Jamais vu"}
    assert holder.get("/me/enrollments").status_code == 503


def test_a_course_that_is_gone_leaves_the_others_of_mine(academy: FakeAcademy, holder: Visitor) -> None:
    academy.others = {uuid4(): "Reste"}
    academy.status = "deleted"
    assert titles(holder) == ["Reste"]


def test_my_courses_show_a_change_at_once(app: Gateway, academy: FakeAcademy, holder: Visitor) -> None:
    academy.others = {uuid4(): "Reste"}
    assert titles(holder) == [academy.title, "Reste"]
    academy.title = "Neuf"
    tell_changed(app, academy)
    assert titles(holder) == ["Neuf", "Reste"]
