"""500 completions while something is killed or restarted: every student's XP is right, and nothing counts twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from signal import SIGKILL
from threading import Event

import httpx
import psutil
import pytest

from chassis.rpc_client import RpcClient
from contracts.events import LessonCompleted
from tests.academy import AcademyUnderTest
from tests.faults.conftest import eventually_equal, learners

STUDENTS = 50
LESSONS = 11
"""One is left unfinished, so that only lessons give XP."""

AT_ONCE = 8

FAULTS: dict[str, Callable[[AcademyUnderTest], None]] = {
    "gamification killed": lambda academy: academy.kill("gamification", SIGKILL),
    "progress killed": lambda academy: academy.kill("progress", SIGKILL),
    "gateway killed": lambda academy: academy.kill("gateway", SIGKILL),
    "broker restarted": lambda academy: academy.restart_broker(),
    "broker killed": lambda academy: academy.kill_broker(),
    "PostgreSQL restarted": lambda academy: academy.restart_postgres(),
    "PostgreSQL killed": lambda academy: academy.kill_postgres(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_completion_gives_its_xp_once(academy: AcademyUnderTest, rpc: RpcClient, fault: str) -> None:
    students = learners(academy, rpc, students=STUDENTS, lessons=LESSONS)
    work = [(user_id, lesson) for lesson in students.seed.lesson_ids[:-1] for user_id in students.seed.tokens]
    begun = Event()

    with httpx.Client(timeout=10) as client, ThreadPoolExecutor(AT_ONCE + 1) as pool:
        breaking = pool.submit(lambda: (begun.wait(), FAULTS[fault](academy)))
        answers = []
        for number, answer in enumerate(pool.map(lambda item: students.complete(client, *item), work)):
            answers.append(answer)
            if number == len(work) // 4:
                begun.set()
        breaking.result()

    assert len(answers) == STUDENTS * (LESSONS - 1)
    for name in ("gateway", "catalog", "progress", "gamification"):
        academy.wait_until_ready(name)
    right = dict.fromkeys(students.seed.tokens, 20 * (LESSONS - 1))
    eventually_equal(students.ledger, right)
    assert students.xp() == right
    assert students.events(LessonCompleted.type) == dict.fromkeys(students.seed.tokens, LESSONS - 1)


def test_what_a_killed_gateway_leaves_behind_ends_by_itself(academy: AcademyUnderTest) -> None:
    workers = psutil.Process(academy.pid("gateway")).children(recursive=True)

    academy.kill("gateway", SIGKILL)

    assert workers
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []
    academy.wait_until_ready("gateway")


def test_with_gamification_down_lessons_complete_and_their_xp_comes_with_its_return(
    academy: AcademyUnderTest, rpc: RpcClient
) -> None:
    students = learners(academy, rpc, students=20, lessons=3)
    academy.hold("gamification")
    try:
        with httpx.Client(timeout=10) as client:
            for user_id in students.seed.tokens:
                assert students.complete(client, user_id, students.seed.lesson_ids[0])["first_time"]
        assert set(students.xp().values()) == {0}
    finally:
        academy.release("gamification")
    eventually_equal(students.xp, dict.fromkeys(students.seed.tokens, 20))
