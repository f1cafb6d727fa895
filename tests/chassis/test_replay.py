"""What is sent again is all that was told before the rebuild began; what comes later reaches the consumer by itself."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import text

from chassis.bus import replay as replaying
from chassis.bus.broker import connect, event_queue_name
from chassis.bus.relay import LOCK, Relay
from chassis.bus.replay import replay, retained
from chassis.database import Database
from chassis.local.processes import wait_until
from chassis.settings import Settings
from contracts.envelope import BATCH_CONTENT_TYPE
from contracts.events import CourseCompleted, DayStudied, LessonCompleted, read_all
from contracts.topology import ANALYTICS_REPLAY, ConsumerQueue
from tests.chassis.specimen import PATIENCE, lesson_completed
from tests.conftest import SettingsFactory

HEARD = ConsumerQueue("any.events", (LessonCompleted, CourseCompleted))


@pytest.fixture
def settings(settings_for: SettingsFactory) -> Settings:
    return settings_for("progress")


@pytest.fixture
def owner(settings: Settings) -> Iterator[Database]:
    """The database of the one who tells."""
    database = Database(settings.database_url_for("progress"))
    yield database
    database.close()


@pytest.fixture
def relay(owner: Database, settings: Settings) -> Iterator[Relay]:
    """What publishes the owner's events."""
    relay = Relay(owner, settings)
    relay.start()
    yield relay
    relay.stop()


def tell(owner: Database, *events: LessonCompleted | DayStudied) -> None:
    """Tell events, each in a transaction of its own."""
    for event in events:
        with owner.unit_of_work() as unit_of_work:
            unit_of_work.tell(event)


def logged(owner: Database) -> int:
    """How many events were published."""
    with owner.single_statement() as unit_of_work:
        return int(unit_of_work.connection.scalar(text("select count(*) from event_log")) or 0)


def sent(settings: Settings) -> list[list[UUID]]:
    """The lessons in each message that waits in the queue, in their order."""
    found = []
    with connect(settings.amqp_uri) as connection:
        channel = connection.channel()
        while message := channel.basic_get(event_queue_name(settings.bus_prefix, ANALYTICS_REPLAY), no_ack=True):
            assert message.content_type == BATCH_CONTENT_TYPE
            events = [event for _, event in read_all(message.body, message.content_type)]
            found.append([event.lesson_id for event in events if isinstance(event, LessonCompleted)])
    return found


def test_the_events_that_a_consumer_hears_are_sent_in_their_order_in_batches(
    settings: Settings, owner: Database, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "EVENTS_IN_MESSAGE", 3)
    monkeypatch.setattr(replaying, "MESSAGES_AT_ONCE", 2)
    told = [lesson_completed() for _ in range(8)]
    day = DayStudied(
        user_id=uuid4(), local_date=told[0].completed_at.date(), time_zone="UTC", studied_at=told[0].completed_at
    )
    tell(owner, *told[:4], day, *told[4:])
    assert wait_until(lambda: logged(owner) == 9, PATIENCE)

    with retained(settings, HEARD) as events:
        assert events.events == 8
        assert list(replay(settings, events, ANALYTICS_REPLAY)) == [6, 2]

    lessons = [event.lesson_id for event in told]
    assert sent(settings) == [lessons[:3], lessons[3:6], lessons[6:]]


def test_an_event_keeps_its_id_time_and_sequence_when_it_is_sent_again(
    settings: Settings, owner: Database, relay: Relay
) -> None:
    event = lesson_completed()
    with owner.unit_of_work() as unit_of_work:
        unit_of_work.tell(event, sequence=7)
    assert wait_until(lambda: logged(owner) == 1, PATIENCE)
    with owner.single_statement() as unit_of_work:
        row = unit_of_work.connection.execute(text("select id, recorded_at from event_log")).one()

    with retained(settings, HEARD) as events:
        list(replay(settings, events, ANALYTICS_REPLAY))

    with connect(settings.amqp_uri) as connection:
        message = connection.channel().basic_get(event_queue_name(settings.bus_prefix, ANALYTICS_REPLAY), no_ack=True)
    [(envelope, again)] = read_all(message.body, message.content_type)
    assert (envelope.id, envelope.time, envelope.sequence) == (row.id, row.recorded_at, 7)
    assert again == msgspec.structs.replace(event)


def test_what_was_published_but_is_not_in_the_log_yet_is_waited_for(settings: Settings, owner: Database) -> None:
    """A relay publishes, then moves to the log: its events may have been handled before they are there."""
    tell(owner, lesson_completed())
    began = threading.Event()

    def read() -> int:
        began.set()
        with retained(settings, HEARD) as events:
            return events.events

    with ThreadPoolExecutor(1) as other, owner.unit_of_work() as published:
        published.connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        published.connection.execute(
            text(
                "with moved as (delete from outbox returning *) insert into event_log "
                "(position, id, type, partition_key, sequence, data, recorded_at) "
                "select position, id, type, partition_key, sequence, data, recorded_at from moved"
            )
        )
        reading = other.submit(read)
        began.wait()
        assert wait_until(lambda: _waits(owner), PATIENCE)
        assert not reading.done()
        published.connection.commit()
        assert reading.result(timeout=PATIENCE) == 1


def test_what_is_told_after_the_beginning_is_not_among_it(settings: Settings, owner: Database, relay: Relay) -> None:
    before = lesson_completed()
    tell(owner, before)
    assert wait_until(lambda: logged(owner) == 1, PATIENCE)

    with retained(settings, HEARD) as events:
        tell(owner, lesson_completed())
        assert wait_until(lambda: logged(owner) == 2, PATIENCE)
        assert sum(replay(settings, events, ANALYTICS_REPLAY)) == events.events == 1

    assert sent(settings) == [[before.lesson_id]]


def test_the_sender_goes_no_faster_than_its_caller(
    settings: Settings, owner: Database, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "EVENTS_IN_MESSAGE", 1)
    monkeypatch.setattr(replaying, "MESSAGES_AT_ONCE", 1)
    tell(owner, *[lesson_completed() for _ in range(5)])
    assert wait_until(lambda: logged(owner) == 5, PATIENCE)

    with retained(settings, HEARD) as events:
        sending = replay(settings, events, ANALYTICS_REPLAY)
        next(sending)
        next(sending)
        assert len(sent(settings)) == 2
        sending.close()


def _waits(owner: Database) -> bool:
    waiting = text(
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0"
    )
    with owner.single_statement() as unit_of_work:
        return bool(unit_of_work.connection.scalar(waiting))
