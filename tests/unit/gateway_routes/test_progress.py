"""Given students and a course, learning in it reaches progress as it should."""

import pytest

from tests.unit.gateway_routes.conftest import HOLDER, FakeAcademy, Visitor


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
