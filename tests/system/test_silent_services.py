"""Given a service that is silent or gone, only what needs it suffers, and nobody waits for ever."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.academy import AcademyUnderTest
from tests.system.conftest import Course, Visitor, enrolled, eventually


def test_with_progress_silent_its_routes_say_so_within_three_seconds(
    academy: AcademyUnderTest, new_student: Callable[[], Visitor], new_course: Callable[..., Course]
) -> None:
    course = new_course()
    student = enrolled(new_student, course)
    with academy.silenced("progress"):
        for method, path in (
            ("POST", f"/lessons/{course.lessons[0]}/complete"),
            ("GET", f"/lessons/{course.lessons[0]}"),
            ("GET", f"/courses/{course.id}/progress"),
            ("GET", "/me/enrollments"),
        ):
            began = time.monotonic()
            answer = student.ask(method, path)
            assert time.monotonic() - began < 3, path
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable"), path
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert student.get("/me/game").status_code == 200
    eventually(lambda: student.post(f"/lessons/{course.lessons[0]}/complete").status_code == 200)


def test_with_catalog_silent_an_enrolled_student_completes_and_kept_pages_stay(
    academy: AcademyUnderTest,
    anonymous: Visitor,
    new_student: Callable[[], Visitor],
    new_course: Callable[..., Course],
) -> None:
    course = new_course()
    student = enrolled(new_student, course)
    for _ in range(16):
        anonymous.get(f"/courses/{course.slug}")
    with academy.silenced("catalog"):
        done = [student.done("POST", f"/lessons/{lesson}/complete") for lesson in course.lessons]
        assert [answer["first_time"] for answer in done] == [True, True]
        assert anonymous.get(f"/courses/{course.slug}").status_code == 200
        assert student.get(f"/courses/{course.id}/progress").json()["percent"] == 100
        assert anonymous.get(f"/chapters/{course.chapters[0]}").status_code == 503
    eventually(lambda: anonymous.get(f"/chapters/{course.chapters[0]}").status_code == 200)


def test_with_catalog_held_down_an_enrolled_student_completes(
    academy: AcademyUnderTest, new_student: Callable[[], Visitor], new_course: Callable[..., Course]
) -> None:
    course = new_course()
    student = enrolled(new_student, course)
    academy.hold("catalog")
    try:
        assert student.done("POST", f"/lessons/{course.lessons[0]}/complete")["first_time"]
        eventually(lambda: student.get("/me/game").json()["xp"] == 20)
    finally:
        academy.release("catalog")


def test_over_a_restart_of_the_broker_kept_pages_stay_and_changes_are_heard_again(
    academy: AcademyUnderTest,
    anonymous: Visitor,
    instructor: Visitor,
    new_student: Callable[[], Visitor],
    new_course: Callable[..., Course],
) -> None:
    course = new_course()
    student = enrolled(new_student, course)
    path = f"/courses/{course.slug}"
    for _ in range(16):
        anonymous.get(path)
    with ThreadPoolExecutor(1) as pool:
        restart = pool.submit(academy.restart_broker)
        while not restart.done():
            assert anonymous.get(path).status_code == 200
            assert student.get(f"/courses/{course.id}/progress").status_code in (200, 503)
        restart.result()
    eventually(lambda: all(student.get(f"/courses/{course.id}/progress").status_code == 200 for _ in range(8)), 20)
    eventually(lambda: instructor.ask("PATCH", f"/courses/{course.id}", json={"title": "Neuf"}).status_code == 200)
    eventually(lambda: {anonymous.get(path).json()["title"] for _ in range(8)} == {"Neuf"})
    done = eventually(lambda: (a := student.post(f"/lessons/{course.lessons[0]}/complete")).status_code == 200 and a)
    assert done.json()["first_time"]
    eventually(lambda: student.get("/me/game").json()["xp"] == 20)
