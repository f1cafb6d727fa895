"""Streams while what is behind them breaks: nothing is lost, nothing is told twice."""

import httpx

from chassis.clock import now
from chassis.database import Database
from chassis.rpc_client import RpcClient
from contracts.events.gamification import LevelReached
from tests.academy import AcademyUnderTest
from tests.faults.conftest import eventually_equal, learners
from tests.listening import listening


def test_after_a_restart_of_the_broker_a_stream_is_told_what_it_missed_and_it_ends_with_the_gateway(
    academy: AcademyUnderTest, rpc: RpcClient
) -> None:
    ((user_id, token),) = learners(academy, rpc, students=1, lessons=1).seed.tokens.items()
    game = Database(academy.database_url("gamification"))

    def reach(number: int) -> None:
        with game.unit_of_work() as unit_of_work:
            unit_of_work.tell(LevelReached(user_id=user_id, level=number, total_xp=0, reached_at=now()))

    with listening(academy.base_url, token) as listener:
        academy.restart_broker()
        reach(2)
        # what was earned meanwhile comes too: two badges, and the level
        eventually_equal(lambda: "Niveau 2 atteint" in listener.titles(), True)
        reach(3)
        eventually_equal(listener.titles, ["Niveau 2 atteint", "Niveau 3 atteint"])
        assert not listener.ended

        academy.hold("gateway")
        assert listener.ended

    reach(4)
    academy.release("gateway")
    with listening(academy.base_url, token, last=listener.ids[-1]) as again:
        eventually_equal(again.titles, ["Niveau 4 atteint"])
    game.close()


def test_while_notifications_are_down_a_stream_stays_and_is_told_later(
    academy: AcademyUnderTest, rpc: RpcClient
) -> None:
    students = learners(academy, rpc, students=1, lessons=2)
    ((user_id, token),) = students.seed.tokens.items()
    with listening(academy.base_url, token) as listener, httpx.Client() as client:
        academy.hold("notification")
        try:
            for lesson in students.seed.lesson_ids:
                students.complete(client, user_id, lesson)
            eventually_equal(lambda: [game["xp"] for game in listener.of("game")][-1:], [90])
        finally:
            academy.release("notification")
        assert not listener.ended
        with Database(academy.database_url("gamification")).unit_of_work() as unit_of_work:
            unit_of_work.tell(LevelReached(user_id=user_id, level=2, total_xp=0, reached_at=now()))
        # what was earned meanwhile comes too: two badges, and the level
        eventually_equal(lambda: "Niveau 2 atteint" in listener.titles(), True)
