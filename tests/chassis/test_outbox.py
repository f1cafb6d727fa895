"""What commits is published, once and soon; what does not commit is not; nothing is lost on the way."""

import itertools
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from kombu.transport.pyamqp import Channel

from chassis.context import Trace, traced
from chassis.local.processes import wait_until
from contracts.errors import Conflict
from contracts.events import BY_TYPE, CourseChanged, CourseCompleted, LessonCompleted, XpAwarded
from contracts.topology import CONSUMER_QUEUES, EVENT_EXCHANGE, has_durable_consumer
from tests.chassis.specimen import PATIENCE, Laboratory, Specimen, lesson_completed

INSERT = (
    "insert into outbox (id, type, partition_key, sequence, data, recorded_at) "
    "values (:id, :type, 'k', 0, cast(:data as json), coalesce(:recorded_at, clock_timestamp()))"
)


def test_an_event_cannot_be_told_where_its_change_would_commit_without_it(shared_laboratory: Laboratory) -> None:
    with (
        pytest.raises(RuntimeError, match="in the transaction of its change"),
        shared_laboratory.database.single_statement() as unit_of_work,
    ):
        unit_of_work.tell(lesson_completed())


@pytest.mark.alone
def test_an_event_is_published_as_soon_as_it_is_committed_not_at_the_next_poll(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    lessons = [uuid4() for _ in range(15)]
    for lesson in lessons:
        shared_specimen.rpc.call("specimen", "tell", lesson_ids=[lesson])
        shared_laboratory.wait_for_effects(lesson)

    lags = shared_laboratory.rows(
        "select extract(epoch from effects.at - recorded_at) as lag "
        "from event_log join effects on key = partition_key where partition_key = any(:keys)",
        keys=[str(lesson) for lesson in lessons],
    )

    assert len(lags) == 15
    assert statistics.median(row.lag for row in lags) < 0.1


def test_an_event_that_nobody_announced_is_published_at_the_next_poll(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    event = lesson_completed()
    began = time.monotonic()

    _insert(shared_laboratory, event)

    shared_laboratory.wait_for_effects(event.lesson_id)
    assert time.monotonic() - began < 1.5


def test_what_is_told_in_a_transaction_that_fails_is_never_published(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    lost, kept = uuid4(), uuid4()

    with pytest.raises(Conflict):
        shared_specimen.rpc.call("specimen", "tell", lesson_ids=[lost], fail=True)
    shared_specimen.rpc.call("specimen", "tell", lesson_ids=[kept])

    shared_laboratory.wait_for_effects(kept)
    assert shared_laboratory.effects(lost) == [0]
    assert shared_laboratory.scalar("select count(*) from event_log where partition_key = :key", key=str(lost)) == 0


def test_published_events_leave_the_outbox_and_stay_in_the_log_as_they_were(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    lessons = [uuid4() for _ in range(450)]

    with traced(Trace(correlation_id="story-2")):
        shared_specimen.rpc.call("specimen", "tell", lesson_ids=lessons)

    shared_laboratory.wait_for_effects(*lessons)
    assert wait_until(lambda: shared_laboratory.scalar("select count(*) from outbox") == 0, PATIENCE)
    logged = shared_laboratory.rows("select * from event_log where correlation_id = 'story-2' order by position")
    assert [UUID(row.data["lesson_id"]) for row in logged] == lessons
    assert [row.sequence for row in logged] == list(range(450))
    assert all(row.published_at >= row.recorded_at for row in logged)


def test_the_envelope_says_what_cloudevents_ask_for_and_who_changed_when_and_why(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    lesson, course = uuid4(), uuid4()
    with _heard(shared_laboratory, LessonCompleted, CourseCompleted) as heard:
        with traced(Trace(request_id="request-3", correlation_id="story-3")):
            shared_specimen.rpc.call("specimen", "tell", lesson_ids=[uuid4(), lesson], instruction=f"tell:{course}")
        messages = heard(lambda body: body["subject"] in (str(lesson), str(course)), 3)

    (first,) = (message for message in messages if message["body"]["subject"] == str(lesson))
    assert first["headers"] == {}
    assert first["properties"]["content_type"] == "application/cloudevents+json"
    assert first["properties"]["delivery_mode"] == 2
    (logged,) = shared_laboratory.rows("select * from event_log where partition_key = :key", key=str(lesson))
    assert first["body"] == {
        "specversion": "1.0",
        "id": str(logged.id),
        "source": "/services/progress",
        "type": LessonCompleted.type,
        "time": first["body"]["time"],
        "subject": str(lesson),
        "datacontenttype": "application/json",
        "dataschema": f"https://tanka.example/contracts/schemas/{LessonCompleted.type}.json",
        "partitionkey": str(lesson),
        "sequence": 1,
        "correlationid": "story-3",
        "causationid": None,
        "data": first["body"]["data"],
    }
    assert datetime.fromisoformat(first["body"]["time"]) == logged.recorded_at
    consequences = [message["body"] for message in messages if message["body"]["subject"] == str(course)]
    assert [body["correlationid"] for body in consequences] == ["story-3", "story-3"]
    causes = shared_laboratory.rows(
        "select id::text from event_log where type = :type and correlation_id = 'story-3'", type=LessonCompleted.type
    )
    assert sorted(body["causationid"] for body in consequences) == sorted(row.id for row in causes)


def test_the_event_log_is_partitioned_by_month_and_the_next_month_is_ready(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    (event,) = (lesson_completed(),)
    _insert(shared_laboratory, event)
    shared_laboratory.wait_for_effects(event.lesson_id)

    partitions = {
        row.name for row in shared_laboratory.rows("select relid::text as name from pg_partition_tree('event_log')")
    }
    used = shared_laboratory.scalar(
        "select tableoid::regclass::text from event_log where partition_key = 'k' order by recorded_at desc limit 1"
    )

    this_month = datetime.now(UTC).replace(day=1)
    next_month = this_month + timedelta(days=32)
    assert {f"event_log_{this_month:%Y_%m}", f"event_log_{next_month:%Y_%m}"} <= partitions
    assert used == f"event_log_{this_month:%Y_%m}"


@pytest.mark.parametrize("age", [timedelta(days=70), timedelta(days=400)])
def test_an_event_that_waited_in_the_outbox_over_the_turn_of_a_month_is_published(
    shared_laboratory: Laboratory, shared_specimen: Specimen, age: timedelta
) -> None:
    old, new = lesson_completed(), lesson_completed()

    _insert(shared_laboratory, old, recorded_at=datetime.now(UTC) - age)
    _insert(shared_laboratory, new)

    shared_laboratory.wait_for_effects(old.lesson_id, new.lesson_id)
    assert wait_until(lambda: shared_laboratory.scalar("select count(*) from outbox") == 0, PATIENCE)


def test_a_row_that_is_no_event_stays_in_the_outbox_with_an_alarm_and_holds_up_no_other(
    laboratory: Laboratory,
) -> None:
    specimen = laboratory.start()
    laboratory.execute(INSERT, id=uuid4(), type="learning.never_told.v1", data="{}", recorded_at=None)
    behind = lesson_completed()

    _insert(laboratory, behind)

    laboratory.wait_for_effects(behind.lesson_id)
    assert laboratory.rows("select type from outbox") == [("learning.never_told.v1",)]
    assert specimen.metric("events_returned_total") == 1
    assert specimen.log_lines("these events cannot be published; they stay in the outbox")


def test_an_event_that_no_queue_is_bound_for_stays_in_the_outbox_with_an_alarm_until_one_is(
    laboratory: Laboratory,
) -> None:
    specimen = laboratory.start()
    prefix = laboratory.settings.bus_prefix
    queues = [prefix + queue.name for queue in CONSUMER_QUEUES if LessonCompleted in queue.events]
    exchange = prefix + EVENT_EXCHANGE
    first, lost, behind = uuid4(), uuid4(), uuid4()
    specimen.rpc.call("specimen", "tell", lesson_ids=[first])
    laboratory.wait_for_effects(first)
    with laboratory.channel() as channel:
        for queue in queues:
            channel.queue_unbind(queue, exchange, LessonCompleted.type)
        specimen.rpc.call("specimen", "tell", lesson_ids=[lost])
        assert wait_until(lambda: specimen.metric("events_returned_total") == 1, PATIENCE)
        assert laboratory.scalar("select partition_key from outbox") == str(lost)
        assert laboratory.scalar("select count(*) from event_log") == 1
        assert specimen.log_lines("these events cannot be published; they stay in the outbox")

        for queue in queues:
            channel.queue_bind(queue, exchange, LessonCompleted.type)
    specimen.rpc.call("specimen", "tell", lesson_ids=[behind])
    laboratory.wait_for_effects(behind)
    laboratory.execute("update outbox set available_at = clock_timestamp()")

    laboratory.wait_for_effects(lost)
    assert wait_until(lambda: laboratory.scalar("select count(*) from outbox") == 0, PATIENCE)


def test_only_an_event_with_a_durable_consumer_must_reach_a_queue(laboratory: Laboratory) -> None:
    specimen = laboratory.start()
    unheard = [event for event in BY_TYPE.values() if not has_durable_consumer(event.type)]
    assert XpAwarded in unheard

    for event in unheard:
        laboratory.execute(INSERT, id=uuid4(), type=event.type, data="{}", recorded_at=None)

    assert wait_until(lambda: laboratory.scalar("select count(*) from event_log") == len(unheard), PATIENCE)
    assert laboratory.scalar("select count(*) from outbox") == 0
    assert specimen.metric("events_returned_total") == 0


def test_an_event_waits_for_a_consumer_that_has_never_run(laboratory: Laboratory) -> None:
    laboratory.start()

    laboratory.execute(INSERT, id=uuid4(), type=CourseChanged.type, data="{}", recorded_at=None)

    assert wait_until(lambda: laboratory.scalar("select count(*) from event_log") == 1, PATIENCE)
    assert wait_until(lambda: laboratory.depth("progress.catalog") == 1, PATIENCE)


def test_transactions_that_commit_in_another_order_than_they_began_lose_nothing(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    early, late = lesson_completed(), uuid4()
    with shared_laboratory.database.unit_of_work() as unit_of_work:
        unit_of_work.tell(early)
        unit_of_work.record_events()
        shared_specimen.rpc.call("specimen", "tell", lesson_ids=[late])
        shared_laboratory.wait_for_effects(late)
        assert shared_laboratory.effects(early.lesson_id) == [0]

    shared_laboratory.wait_for_effects(early.lesson_id)


def test_of_two_relays_one_at_a_time_publishes_and_no_event_twice(laboratory: Laboratory) -> None:
    first, second = laboratory.launch(), laboratory.launch()
    for specimen in (first, second):
        specimen.wait_until_ready()
    with _heard(laboratory, LessonCompleted) as heard:
        with ThreadPoolExecutor(4) as threads:
            tells = [
                threads.submit(first.rpc.call, "specimen", "tell", lesson_ids=[uuid4() for _ in range(5)])
                for _ in range(80)
            ]
            assert all(tell.result() is None for tell in tells)
        assert wait_until(lambda: laboratory.scalar("select count(*) from outbox") == 0, PATIENCE)
        messages = heard(lambda body: True, 400)

    ids = [message["body"]["id"] for message in messages]
    assert len(ids) == len(set(ids)) == laboratory.scalar("select count(*) from event_log") == 400
    assert first.metric("events_published_total") + second.metric("events_published_total") == 400


@pytest.mark.alone
def test_events_told_while_another_relay_publishes_wait_for_it_and_not_for_the_next_poll(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    waits = []
    for _ in range(7):
        lesson = uuid4()
        with shared_laboratory.database.unit_of_work() as unit_of_work:
            unit_of_work.connection.exec_driver_sql("select pg_advisory_xact_lock(7402118)")
            shared_specimen.rpc.call("specimen", "tell", lesson_ids=[lesson])
            time.sleep(0.05)
            assert shared_laboratory.effects(lesson) == [0]
        began = time.monotonic()
        shared_laboratory.wait_for_effects(lesson)
        waits.append(time.monotonic() - began)

    assert statistics.median(waits) < 0.15


def test_a_batch_holds_no_more_than_200_events_and_the_batches_follow_one_another(laboratory: Laboratory) -> None:
    lessons = [lesson_completed() for _ in range(500)]
    for lesson in lessons:
        _insert(laboratory, lesson)

    laboratory.start()

    laboratory.wait_for_effects(*[lesson.lesson_id for lesson in lessons])
    assert wait_until(lambda: laboratory.scalar("select count(*) from outbox") == 0, PATIENCE)
    moved = laboratory.rows(
        "select min(published_at) as at, count(*) as size from event_log group by xmin::text order by at"
    )
    assert [row.size for row in moved] == [200, 200, 100]
    gaps = [(after.at - before.at).total_seconds() for before, after in itertools.pairwise(moved)]
    assert all(gap >= 0.01 for gap in gaps)


def _insert(laboratory: Laboratory, event: LessonCompleted, recorded_at: datetime | None = None) -> None:
    data = msgspec.json.encode(event).decode()
    laboratory.execute(INSERT, id=uuid4(), type=event.type, data=data, recorded_at=recorded_at)


@contextmanager
def _heard(laboratory: Laboratory, *events: Any) -> Iterator[Any]:
    """`heard(wanted, count)` gives the first `count` messages on the exchange whose body is wanted."""
    with laboratory.channel() as channel:
        queue = channel.queue_declare("", exclusive=True).queue
        for event in events:
            channel.queue_bind(queue, laboratory.settings.bus_prefix + EVENT_EXCHANGE, event.type)

        def heard(wanted: Any, count: int) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []

            def look() -> bool:
                found.extend(message for message in _taken(channel, queue) if wanted(message["body"]))
                return len(found) >= count

            assert wait_until(look, PATIENCE), f"heard only {len(found)} of {count}"
            return found

        yield heard


def _taken(channel: Channel, queue: str) -> Iterator[dict[str, Any]]:
    while (message := channel.basic_get(queue, no_ack=True)) is not None:
        yield {
            "body": msgspec.json.decode(message.body),
            "headers": message.headers,
            "properties": {"content_type": message.content_type, **message.properties},
        }
