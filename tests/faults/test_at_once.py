"""The same thing asked by many callers at the same moment, over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from threading import Barrier
from typing import Any

import httpx

from chassis.rpc_client import RpcClient
from contracts.events import CourseCompleted, LessonCompleted
from tests.academy import AcademyUnderTest
from tests.faults.conftest import eventually_equal, learners

CALLERS = 16
STUDENTS = 200
AT_ONCE = 8


def test_sixteen_completions_of_one_lesson_are_one(academy: AcademyUnderTest, rpc: RpcClient) -> None:
    students = learners(academy, rpc, students=1, lessons=2)
    (user_id,) = students.seed.tokens
    together = Barrier(CALLERS)

    def complete(_number: int) -> dict[str, Any]:
        with httpx.Client(timeout=10) as client:
            client.get(f"{academy.base_url}/health/live")
            together.wait()
            return students.complete(client, user_id, students.seed.lesson_ids[0])

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(complete, range(CALLERS)))

    assert sorted(answer["first_time"] for answer in answers) == [False] * (CALLERS - 1) + [True]
    assert len({answer["completed_at"] for answer in answers}) == 1
    assert {answer["percent"] for answer in answers} == {50}
    assert students.events(LessonCompleted.type) == {user_id: 1}
    eventually_equal(students.xp, {user_id: 20})
    count = "select count(*) as number from ledger where user_id = :user_id"
    assert students.rows("gamification", count, user_id=user_id)[0].number == 1


def test_the_last_two_lessons_finished_at_once_complete_the_course_once(
    academy: AcademyUnderTest, rpc: RpcClient
) -> None:
    students = learners(academy, rpc, students=STUDENTS, lessons=2)

    with httpx.Client(timeout=10) as client, ThreadPoolExecutor(2 * AT_ONCE) as pool:
        pairs = [(user_id, lesson) for user_id in students.seed.tokens for lesson in students.seed.lesson_ids]
        list(pool.map(students.complete, repeat(client), *zip(*pairs, strict=True)))

    once = dict.fromkeys(students.seed.tokens, 1)
    eventually_equal(lambda: students.events(CourseCompleted.type), once)
    eventually_equal(students.xp, dict.fromkeys(students.seed.tokens, 2 * 20 + 50))
    assert students.events(CourseCompleted.type) == once
