"""How quick the academy is, measured while nothing else runs."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Event

import httpx
import pytest

from tests.academy import AcademyUnderTest
from tests.system.conftest import Course, Visitor, enrolled, eventually

pytestmark = pytest.mark.alone


def test_xp_is_there_within_a_tenth_of_a_second(
    new_student: Callable[[], Visitor], new_course: Callable[..., Course]
) -> None:
    course = new_course(lessons=15)
    student = new_student()
    student.done("POST", f"/courses/{course.id}/checkout", {}, 201)
    earned, waits = 0, []
    for lesson in course.lessons[:-1]:
        student.done("POST", f"/lessons/{lesson}/complete")
        answered = time.perf_counter()
        earned += 20
        while student.get("/me/game").json()["xp"] < earned:
            assert time.perf_counter() - answered < 10
        waits.append(time.perf_counter() - answered)
    print(f"XP after {1000 * median(waits):.0f} ms (median)")
    assert median(waits) < 0.1


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
