"""A service that is down stops only itself, and says so in time."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from signal import SIGKILL

import httpx

from chassis.rpc_client import RpcClient
from contracts.events import CourseCompleted, LessonCompleted
from tests.academy import AcademyUnderTest
from tests.faults.conftest import eventually_equal, learners

LIMIT = 3.0


def test_with_progress_down_its_routes_answer_503_with_retry_after_in_time_and_the_others_go_on(
    academy: AcademyUnderTest, rpc: RpcClient
) -> None:
    students = learners(academy, rpc, students=1, lessons=2)
    ((user_id, token),) = students.seed.tokens.items()
    course, lesson = students.seed.course_id, students.seed.lesson_ids[0]
    with httpx.Client(base_url=f"{academy.base_url}/v1", headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.get(f"/courses/{course}/progress").status_code == 200
        academy.hold("progress")
        try:
            for method, path in (
                ("POST", f"/lessons/{lesson}/complete"),
                ("PUT", f"/lessons/{lesson}/position"),
                ("GET", f"/courses/{course}/progress"),
                ("GET", f"/lessons/{lesson}/next"),
            ):
                for _ in range(3):
                    began = time.monotonic()
                    answer = client.request(method, path, json={"seconds": 3} if method == "PUT" else None)
                    assert time.monotonic() - began < LIMIT, path
                    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable"), path
                    assert answer.headers["Content-Type"] == "application/problem+json"
                    assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert client.get(f"/courses/{course}").status_code == 200
            assert client.get("/me/game").status_code == 200
        finally:
            academy.release("progress")
        assert students.complete(client, user_id, lesson)["first_time"]


def test_with_catalog_down_an_enrolled_student_completes_and_the_course_is_completed_when_catalog_is_back(
    academy: AcademyUnderTest, rpc: RpcClient
) -> None:
    students = learners(academy, rpc, students=3, lessons=2)
    everyone = students.seed.tokens
    academy.hold("catalog")
    try:
        with httpx.Client(timeout=10) as client:
            for user_id in everyone:
                for lesson in students.seed.lesson_ids:
                    assert students.complete(client, user_id, lesson)["first_time"]
        eventually_equal(students.xp, dict.fromkeys(everyone, 40))
        assert students.events(CourseCompleted.type) == {}
    finally:
        academy.release("catalog")
    eventually_equal(students.xp, dict.fromkeys(everyone, 90))
    assert students.events(CourseCompleted.type) == dict.fromkeys(everyone, 1)


def test_services_killed_again_and_again_lose_nothing_and_count_nothing_twice(
    academy: AcademyUnderTest, rpc: RpcClient
) -> None:
    students = learners(academy, rpc, students=60, lessons=5)
    work = [(user_id, lesson) for lesson in students.seed.lesson_ids for user_id in students.seed.tokens]
    chance = random.Random(2026)
    with httpx.Client(timeout=10) as client, ThreadPoolExecutor(9) as pool:
        answers = [pool.submit(students.complete, client, *item) for item in work]
        for name in ("gamification", "progress", "gamification", "catalog", "progress", "gamification"):
            time.sleep(chance.uniform(0.1, 0.4))
            academy.wait_until_ready(name)
            academy.kill(name, SIGKILL)
        for answer in answers:
            answer.result()

    everyone = students.seed.tokens
    eventually_equal(students.xp, dict.fromkeys(everyone, 5 * 20 + 50))
    assert students.ledger() == students.xp()
    assert students.events(LessonCompleted.type) == dict.fromkeys(everyone, 5)
    assert students.events(CourseCompleted.type) == dict.fromkeys(everyone, 1)
