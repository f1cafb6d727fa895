"""A broker or a database that is away, falls silent or comes back: everything waits, and goes on by itself."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from amqp.exceptions import NotFound

from chassis.bus import broker
from chassis.local.processes import wait_until
from chassis.rpc_client import RpcClient
from contracts.errors import Unavailable
from contracts.events import LessonCompleted
from contracts.topology import GAMIFICATION_LEARNING
from tests.chassis.proxy import Door
from tests.chassis.specimen import PATIENCE, Laboratory, Specimen, lesson_completed
from tests.told import envelope_of

QUEUE = GAMIFICATION_LEARNING.name
HANDLED = 'events_handled_total{outcome="%s",queue="gamification.learning"}'


def test_while_the_database_is_away_a_consumer_counts_no_attempt_acknowledges_nothing_and_then_goes_on(
    laboratory: Laboratory, database_door: tuple[Door, str]
) -> None:
    specimen = _behind_database_door(laboratory, database_door[0])
    (first,) = laboratory.publish("")
    laboratory.wait_for_effects(first)
    database_door[0].shut()

    lessons = laboratory.publish(*[""] * 150)
    assert wait_until(lambda: bool(specimen.log_lines("paused: the database or the broker is away")), PATIENCE)
    time.sleep(1.5)

    assert [laboratory.depth(f"{QUEUE}.{queue}") for queue in ("retry.0.2s", "retry.0.6s", "dead")] == [0, 0, 0]
    assert specimen.health("ready")["faults"].keys() == {"database"}
    assert specimen.health("live") == {"status": "live"}
    assert specimen.metric(HANDLED % "handled") == 1
    database_door[0].open()
    laboratory.wait_for_effects(*lessons)
    assert laboratory.effects(*lessons) == [1] * 150
    assert specimen.metric(HANDLED % "retried") == specimen.metric(HANDLED % "dead") == 0
    assert wait_until(specimen.is_ready, PATIENCE)


def test_a_database_that_breaks_off_in_the_middle_of_a_batch_leads_to_no_second_effect_and_no_second_retry(
    laboratory: Laboratory, database_door: tuple[Door, str]
) -> None:
    poisoned, slow = lesson_completed("poison:once"), lesson_completed("sleep:0.7")
    _publish(laboratory, poisoned, slow)
    _behind_database_door(laboratory, database_door[0])
    assert wait_until(lambda: laboratory.depth(f"{QUEUE}.retry.0.2s") == 1 or _dead(laboratory) == 1, PATIENCE)

    database_door[0].break_connections()

    laboratory.wait_for_effects(slow.lesson_id)
    assert wait_until(lambda: _dead(laboratory) == 1, PATIENCE)
    (last,) = laboratory.publish("")
    laboratory.wait_for_effects(last)
    assert _dead(laboratory) == 1
    assert laboratory.effects(slow.lesson_id, poisoned.lesson_id) == [1, 0]


def test_after_the_database_was_away_calls_and_the_relay_go_on_without_a_restart(
    laboratory: Laboratory, database_door: tuple[Door, str]
) -> None:
    specimen = _behind_database_door(laboratory, database_door[0])
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: specimen.rpc.call("specimen", "sleep_in_database", seconds=0.1), range(8)))
    database_door[0].shut()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        specimen.rpc.call("specimen", "effect", key="away")
    assert time.monotonic() - began < 1.0
    assert specimen.rpc.call("specimen", "echo", value=1) == 1

    database_door[0].open()

    keys = [str(uuid4()) for _ in range(20)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: specimen.rpc.call("specimen", "effect", key=key), keys))
    lesson = uuid4()
    specimen.rpc.call("specimen", "tell", lesson_ids=[lesson])
    laboratory.wait_for_effects(lesson)
    assert laboratory.effects(*keys) == [1] * 20


def test_while_the_broker_is_away_events_wait_in_the_outbox_and_all_parts_go_on_by_themselves(
    laboratory: Laboratory, broker_door: tuple[Door, str]
) -> None:
    door, uri = broker_door
    specimen = laboratory.start(amqp_uri=uri)
    before = uuid4()
    specimen.rpc.call("specimen", "tell", lesson_ids=[before])
    laboratory.wait_for_effects(before)
    door.shut()
    assert wait_until(lambda: specimen.health("ready").get("faults") == {"broker": "not connected"}, PATIENCE)

    events = [lesson_completed() for _ in range(30)]
    old = datetime.now(UTC) - timedelta(days=100)
    for event in events:
        _tell(laboratory, event, old)
    assert wait_until(lambda: bool(specimen.log_lines("events wait in the outbox")), PATIENCE)
    assert laboratory.scalar("select count(*) from outbox") == 30

    door.open()
    began = time.monotonic()
    laboratory.wait_for_effects(*[event.lesson_id for event in events])
    assert time.monotonic() - began < 5
    assert wait_until(specimen.is_ready, 5)
    assert specimen.rpc.call("specimen", "echo", value=1) == 1
    assert wait_until(lambda: laboratory.scalar("select count(*) from outbox") == 0, PATIENCE)


def test_an_event_under_way_when_the_connection_breaks_has_one_effect(
    laboratory: Laboratory, broker_door: tuple[Door, str]
) -> None:
    door, uri = broker_door
    specimen = laboratory.start(amqp_uri=uri)
    lessons = laboratory.publish("sleep:0.6", *["sleep:0.01"] * 120)
    assert wait_until(lambda: laboratory.scalar("select count(*) from attempts") > 0, PATIENCE)

    door.break_connections()

    laboratory.wait_for_effects(*lessons)
    assert laboratory.effects(*lessons) == [1] * 121
    assert wait_until(lambda: specimen.metric(HANDLED % "repeated") > 0, PATIENCE)
    assert specimen.is_alive()
    (last,) = laboratory.publish("")
    laboratory.wait_for_effects(last)


def test_a_call_under_way_when_the_services_connection_breaks_is_answered_on_the_next_one(
    laboratory: Laboratory, broker_door: tuple[Door, str]
) -> None:
    door, uri = broker_door
    specimen = laboratory.start(amqp_uri=uri)
    client = RpcClient(laboratory.settings.amqp_uri, prefix=laboratory.settings.bus_prefix, deadline=8.0)
    key = str(uuid4())
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.call, "specimen", "sleep", seconds=0.8, key=key)
        laboratory.wait_for_effects(key)

        door.break_connections()

        assert call.result() == "woken"
    assert client.call("specimen", "echo", value=1) == 1
    assert specimen.is_alive()
    client.stop()


@pytest.mark.parametrize("what", ["broker", "database"])
def test_a_process_that_starts_before_the_broker_or_the_database_says_so_and_begins_when_they_are_there(
    laboratory: Laboratory, broker_door: tuple[Door, str], database_door: tuple[Door, str], what: str
) -> None:
    door = broker_door[0] if what == "broker" else database_door[0]
    door.shut()
    (lesson,) = laboratory.publish("")
    if what == "broker":
        specimen = laboratory.launch(amqp_uri=broker_door[1])
    else:
        specimen = laboratory.launch(database_urls={"specimen": door.url_of(laboratory.database.url)})
    assert wait_until(lambda: specimen.health("live") == {"status": "live"}, PATIENCE)
    assert what in specimen.health("ready")["faults"]
    assert not specimen.is_ready()

    door.open()

    specimen.wait_until_ready()
    laboratory.wait_for_effects(lesson)


def test_a_broker_that_fell_silent_is_noticed_by_its_missing_heartbeats(
    shared_laboratory: Laboratory,
    shared_specimen: Specimen,
    broker_door: tuple[Door, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broker.connect, "__kwdefaults__", {"heartbeat": 1})
    door, uri = broker_door
    client = RpcClient(uri, prefix=shared_laboratory.settings.bus_prefix, deadline=20.0)
    client.call("specimen", "echo", value=1)
    with ThreadPoolExecutor(1) as threads:
        door.hush()
        call = threads.submit(client.call, "specimen", "echo", value=2)

        assert isinstance(call.exception(timeout=8), Unavailable)
    door.unhush()
    assert client.call("specimen", "echo", value=3) == 3
    client.stop()


def test_a_queue_that_exists_with_other_arguments_is_named_in_the_log_and_keeps_the_process_from_being_ready(
    laboratory: Laboratory,
) -> None:
    with laboratory.channel() as channel:
        channel.queue_declare(
            laboratory.settings.bus_prefix + QUEUE,
            durable=True,
            arguments={"x-queue-type": "classic"},
            auto_delete=False,
        )

    specimen = laboratory.launch()

    assert wait_until(lambda: "PRECONDITION_FAILED" in specimen.log and QUEUE in specimen.log, PATIENCE)
    assert not specimen.is_ready()
    with laboratory.channel() as channel:
        channel.queue_delete(laboratory.settings.bus_prefix + QUEUE)
    specimen.wait_until_ready()


def test_consumers_whose_channel_the_broker_closes_for_a_fault_go_on_with_a_new_one(laboratory: Laboratory) -> None:
    specimen = laboratory.start()
    lessons = laboratory.publish("sleep:0.5", *["sleep:0.01"] * 30)
    assert wait_until(lambda: laboratory.scalar("select count(*) from attempts") > 0, PATIENCE)

    with pytest.raises(Unavailable):
        specimen.rpc.call("specimen", "spoil_the_channels", deadline=0.3)

    laboratory.wait_for_effects(*lessons)
    assert laboratory.effects(*lessons) == [1] * 31
    assert specimen.rpc.call("specimen", "echo", value=1) == 1
    assert "PRECONDITION_FAILED" in specimen.log
    assert specimen.is_alive()


@pytest.mark.parametrize("name", [QUEUE, "rpc.specimen"])
def test_a_queue_that_is_deleted_under_its_consumer_is_made_again(laboratory: Laboratory, name: str) -> None:
    specimen = laboratory.start()
    with laboratory.channel() as channel:
        channel.queue_delete(laboratory.settings.bus_prefix + name)

    assert wait_until(lambda: _is_there(laboratory, name), PATIENCE)
    assert wait_until(specimen.is_ready, PATIENCE)
    assert specimen.rpc.call("specimen", "echo", value=1) == 1
    (lesson,) = laboratory.publish("")
    laboratory.wait_for_effects(lesson)


def _is_there(laboratory: Laboratory, name: str) -> bool:
    try:
        return laboratory.depth(name) >= 0
    except NotFound:
        return False


def _behind_database_door(laboratory: Laboratory, door: Door) -> Specimen:
    return laboratory.start(database_urls={"specimen": door.url_of(laboratory.database.url)})


def _dead(laboratory: Laboratory) -> int:
    return laboratory.depth(f"{QUEUE}.dead")


def _publish(laboratory: Laboratory, *events: LessonCompleted) -> None:
    laboratory.publish_envelopes([envelope_of(event) for event in events])


def _tell(laboratory: Laboratory, event: LessonCompleted, recorded_at: datetime) -> None:
    laboratory.execute(
        "insert into outbox (id, type, partition_key, sequence, data, recorded_at) "
        "values (:id, 'progress.lesson_completed.v1', 'k', 0, cast(:data as json), :at)",
        id=uuid4(),
        data=msgspec.json.encode(event).decode(),
        at=recorded_at,
    )
