"""SIGTERM finishes what is under way, once; kill -9 at any point loses nothing and does nothing twice."""

import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from chassis.local.processes import wait_until
from chassis.rpc_client import RpcClient
from contracts.errors import Unavailable
from contracts.topology import GAMIFICATION_LEARNING
from tests.chassis.proxy import Door
from tests.chassis.specimen import PATIENCE, Laboratory

QUEUE = GAMIFICATION_LEARNING.name


def test_a_call_under_way_at_sigterm_is_finished_answered_once_and_not_delivered_again(laboratory: Laboratory) -> None:
    stopped = laboratory.start()
    key = str(uuid4())
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(stopped.rpc.call, "specimen", "sleep", deadline=8.0, seconds=1.8, key=key)
        laboratory.wait_for_effects(key)
        heir = laboratory.start()

        stopped.send(signal.SIGTERM)

        assert call.result() == "woken"
    assert stopped.wait(4) == 0
    heir.rpc.call("specimen", "echo", value=1)
    assert laboratory.effects(key) == [1]
    assert stopped.log_lines("stopped")


def test_an_event_under_way_at_sigterm_is_finished_and_not_delivered_again(laboratory: Laboratory) -> None:
    stopped = laboratory.start()
    (lesson,) = laboratory.publish("sleep:1.8")
    assert wait_until(lambda: laboratory.scalar("select count(*) from attempts") == 1, PATIENCE)

    stopped.send(signal.SIGTERM)

    assert stopped.wait(6) == 0
    assert laboratory.effects(lesson) == [1]
    heir = laboratory.start()
    (last,) = laboratory.publish("")
    laboratory.wait_for_effects(last)
    assert heir.metric('events_handled_total{outcome="repeated",queue="gamification.learning"}') == 0
    assert laboratory.scalar("select count(*) from attempts") == 2


def test_events_that_wait_in_the_process_at_sigterm_are_handled_once(laboratory: Laboratory) -> None:
    lessons = laboratory.publish(*["sleep:0.01"] * 400)
    stopped = laboratory.start()
    laboratory.wait_for_effects(lessons[0])

    stopped.send(signal.SIGTERM)
    assert stopped.wait(8) == 0
    heir = laboratory.start()

    laboratory.wait_for_effects(*lessons)
    assert laboratory.effects(*lessons) == [1] * 400
    assert heir.metric('events_handled_total{outcome="repeated",queue="gamification.learning"}') == 0


def test_sigterm_under_steady_calls_ends_in_seconds_and_fails_none_of_them(laboratory: Laboratory) -> None:
    stopped = laboratory.start()
    laboratory.start()
    client = RpcClient(laboratory.settings.amqp_uri, prefix=laboratory.settings.bus_prefix, deadline=6.0)
    over = threading.Event()

    def call(number: int) -> int:
        answered = 0
        chance = random.Random(number)
        while not over.is_set():
            assert client.call("specimen", "sleep", seconds=chance.uniform(0.1, 0.4)) == "woken"
            answered += 1
        return answered

    with ThreadPoolExecutor(24) as threads:
        callers = [threads.submit(call, number) for number in range(24)]
        time.sleep(0.5)
        stopped.send(signal.SIGTERM)
        try:
            assert stopped.wait(5) == 0
            time.sleep(0.3)
        finally:
            over.set()
        assert sum(caller.result() for caller in callers) > 50
    client.stop()


def test_a_call_that_arrives_during_a_long_drain_goes_to_another_process(laboratory: Laboratory) -> None:
    stopped = laboratory.start()
    key = str(uuid4())
    with ThreadPoolExecutor(4) as threads:
        long_call = threads.submit(stopped.rpc.call, "specimen", "sleep", deadline=9.0, seconds=3.0, key=key)
        laboratory.wait_for_effects(key)
        laboratory.start()
        stopped.send(signal.SIGTERM)

        for _ in range(20):
            assert stopped.rpc.call("specimen", "echo", deadline=2.0, value=1) == 1

        assert long_call.result() == "woken"
    assert stopped.wait(3) == 0


def test_what_was_told_just_before_sigterm_is_published_before_the_end_or_waits_in_the_outbox(
    laboratory: Laboratory,
) -> None:
    stopped = laboratory.start()
    lessons = [uuid4() for _ in range(50)]

    stopped.rpc.call("specimen", "tell", lesson_ids=lessons)
    stopped.send(signal.SIGTERM)

    assert stopped.wait(6) == 0
    heir = laboratory.start()
    laboratory.wait_for_effects(*lessons)
    assert laboratory.effects(*lessons) == [1] * 50
    assert heir.metric("outbox_waiting_rows") == 0


@pytest.mark.parametrize("door_name", ["broker", "database"])
def test_sigterm_ends_in_seconds_while_the_broker_or_the_database_is_away(
    laboratory: Laboratory, broker_door: tuple[Door, str], database_door: tuple[Door, str], door_name: str
) -> None:
    door, changes = _behind_door(laboratory, broker_door, database_door, door_name)
    specimen = laboratory.start(**changes)
    lessons = laboratory.publish(*["sleep:0.05"] * 20)
    assert wait_until(lambda: laboratory.scalar("select count(*) from attempts") > 0, PATIENCE)
    door.shut()
    assert wait_until(lambda: not specimen.is_ready(), PATIENCE)
    time.sleep(0.5)

    specimen.send(signal.SIGTERM)

    assert specimen.wait(6) == 0
    laboratory.start()
    laboratory.wait_for_effects(*lessons)
    assert laboratory.effects(*lessons) == [1] * 20


@pytest.mark.parametrize("door_name", ["broker", "database"])
def test_a_process_that_loses_the_broker_or_the_database_while_it_drains_ends_in_seconds(
    laboratory: Laboratory, broker_door: tuple[Door, str], database_door: tuple[Door, str], door_name: str
) -> None:
    door, changes = _behind_door(laboratory, broker_door, database_door, door_name)
    specimen = laboratory.start(**changes)
    (lesson,) = laboratory.publish("sleep:1.5")
    assert wait_until(lambda: laboratory.scalar("select count(*) from attempts") == 1, PATIENCE)

    specimen.send(signal.SIGTERM)
    time.sleep(0.3)
    door.shut()

    assert specimen.wait(8) == 0
    laboratory.start()
    laboratory.wait_for_effects(lesson)
    assert laboratory.effects(lesson) == [1]


def test_a_process_in_which_a_managed_thread_dies_ends_at_once_with_an_error(laboratory: Laboratory) -> None:
    specimen = laboratory.start()
    (slow,) = laboratory.publish("sleep:1.0")
    assert wait_until(lambda: laboratory.scalar("select count(*) from attempts") == 1, PATIENCE)

    specimen.rpc.call("specimen", "let_a_managed_thread_die")

    assert specimen.wait(5) not in (0, None)
    assert "a managed thread died" in specimen.log
    laboratory.start()
    laboratory.wait_for_effects(slow)
    assert laboratory.effects(slow) == [1]


def test_a_process_in_which_a_managed_thread_dies_while_it_starts_ends_at_once_with_an_error(
    laboratory: Laboratory,
) -> None:
    specimen = laboratory.launch({"SPECIMEN_DIES_AT_START": "1"})

    assert specimen.wait(5) != 0
    assert "a managed thread died" in specimen.log


def test_after_a_new_connection_a_stop_still_waits_for_just_what_is_under_way(
    laboratory: Laboratory, broker_door: tuple[Door, str]
) -> None:
    door, uri = broker_door
    specimen = laboratory.start(amqp_uri=uri)
    lost = laboratory.publish("sleep:0.5", *["sleep:0.01"] * 10)
    assert wait_until(lambda: laboratory.scalar("select count(*) from attempts") > 0, PATIENCE)
    door.break_connections()
    laboratory.wait_for_effects(*lost)
    (lesson,) = laboratory.publish("sleep:1.5")
    event = "select count(*) from attempts"
    before = laboratory.scalar(event)
    assert wait_until(lambda: laboratory.scalar(event) > before or laboratory.effects(lesson) == [1], PATIENCE)

    specimen.send(signal.SIGTERM)

    assert specimen.wait(5) == 0
    assert laboratory.effects(lesson) == [1]
    heir = laboratory.start()
    (last,) = laboratory.publish("")
    laboratory.wait_for_effects(last)
    assert heir.metric('events_handled_total{outcome="repeated",queue="gamification.learning"}') == 0


def test_sigterm_twice_is_no_worse_than_once(laboratory: Laboratory) -> None:
    specimen = laboratory.start()
    (lesson,) = laboratory.publish("sleep:1.0")
    assert wait_until(lambda: laboratory.scalar("select count(*) from attempts") == 1, PATIENCE)

    specimen.send(signal.SIGTERM)
    time.sleep(0.1)
    specimen.send(signal.SIGTERM)

    assert specimen.wait(5) == 0
    assert laboratory.effects(lesson) == [1]


def test_kill_9_at_any_point_loses_nothing_and_does_nothing_twice(laboratory: Laboratory) -> None:
    chance = random.Random(20261123)
    told: list[UUID] = []
    over = threading.Event()
    client = RpcClient(laboratory.settings.amqp_uri, prefix=laboratory.settings.bus_prefix, deadline=0.5)

    def tell() -> list[UUID]:
        answered = []
        while not over.is_set():
            lessons = [uuid4() for _ in range(5)]
            try:
                client.call("specimen", "tell", lesson_ids=lessons)
            except Unavailable:
                continue
            answered += lessons
        return answered

    specimen = laboratory.start()
    with ThreadPoolExecutor(2) as threads:
        tellers = [threads.submit(tell) for _ in range(2)]
        for _ in range(3):
            time.sleep(chance.uniform(0.05, 0.6))
            specimen.send(signal.SIGKILL)
            specimen.wait(2)
            specimen = laboratory.start()
        over.set()
        for teller in tellers:
            told += teller.result()
    client.stop()

    assert len(told) > 50
    laboratory.wait_for_effects(*told, patience=20)
    assert wait_until(lambda: laboratory.scalar("select count(*) from outbox") == 0, PATIENCE)
    # a call may have been carried out twice, since its process died before it answered; each event counts once
    events = "select partition_key, count(*) from event_log group by partition_key order by partition_key"
    effects = "select key, count(*) from effects group by key order by key"
    assert wait_until(lambda: laboratory.rows(effects) == laboratory.rows(events), PATIENCE)
    assert laboratory.scalar("select count(*) from event_log") == laboratory.scalar("select count(*) from inbox")


def _behind_door(
    laboratory: Laboratory, broker_door: tuple[Door, str], database_door: tuple[Door, str], door_name: str
) -> tuple[Door, dict]:
    if door_name == "broker":
        return broker_door[0], {"amqp_uri": broker_door[1]}
    return database_door[0], {"database_urls": {"specimen": database_door[0].url_of(laboratory.database.url)}}
