"""Given a service that is silent or gone, only what needs it suffers, and nobody waits for ever."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx

from tests.academy import AcademyUnderTest
from tests.system.conftest import Course, Visitor, eventually


def enrolled(new_student: Callable[[], Visitor], course: Course) -> Visitor:
    """A new student of the course, whom progress knows as such."""
    student = new_student()
    student.done("POST", f"/courses/{course.id}/checkout", {}, 201)
    assert student.done("GET", f"/courses/{course.id}/access")["has_access"]
    return student


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


def test_with_progress_silent_under_load_kept_pages_keep_half_their_rate(
    academy: AcademyUnderTest,
    new_student: Callable[[], Visitor],
    new_course: Callable[..., Course],
) -> None:
    course = new_course()
    student = enrolled(new_student, course)
    page = f"/v1/courses/{course.slug}"
    blocked = f"/v1/courses/{course.id}/progress"
    headers = {"Authorization": f"Bearer {student.token}"}

    def rate(seconds: float, silent_callers: int) -> float:
        """Kept pages a second read by 4 callers, while others call a silent service."""
        stop = Event()

        def call(path: str, wanted: int, pause: float) -> int:
            count = 0
            with httpx.Client(base_url=academy.base_url, timeout=20) as own:
                while not stop.is_set():
                    count += own.get(path, headers=headers).status_code == wanted
                    stop.wait(pause)
            return count

        with ThreadPoolExecutor(silent_callers + 4) as pool:
            others = [pool.submit(call, blocked, 503, 0.1) for _ in range(silent_callers)]
            readers = [pool.submit(call, page, 200, 0) for _ in range(4)]
            stop.wait(seconds)
            stop.set()
            for other in others:
                other.result()
            return sum(reader.result() for reader in readers) / seconds

    before = rate(3, 0)
    with academy.silenced("progress"):
        # the first seconds count too: that is when the threads would be taken
        during = rate(5, 28)
    print(f"kept pages: {before:.0f}/s, with progress silent {during:.0f}/s")
    assert during >= before / 2
    eventually(lambda: student.get(f"/courses/{course.id}/progress").status_code == 200)


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
