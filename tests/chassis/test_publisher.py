"""Publishing with confirms: all of a batch together, never without limit, nothing lost without a word."""

import time
from collections.abc import Iterator

import pytest

from chassis.bus import broker
from chassis.bus.broker import BrokerAway
from chassis.bus.publisher import ConfirmedPublisher, Outgoing
from chassis.local.processes import wait_until
from contracts.envelope import encode
from contracts.events import LessonCompleted
from contracts.topology import EVENT_EXCHANGE, GAMIFICATION_LEARNING
from tests.chassis.proxy import Door
from tests.chassis.specimen import Laboratory, lesson_completed
from tests.told import envelope_of

QUEUE = GAMIFICATION_LEARNING.name


@pytest.fixture
def publisher(shared_laboratory: Laboratory, broker_door: tuple[Door, str]) -> Iterator[ConfirmedPublisher]:
    """A publisher whose way to the broker leads through the door; it waits 0.5 s for confirms."""
    settings = shared_laboratory.settings
    publisher = ConfirmedPublisher(broker_door[1], settings.bus_prefix, settings.bus_retry_delays, timeout=0.5)
    yield publisher
    publisher.close()


def test_the_confirms_of_a_batch_are_awaited_together(
    shared_laboratory: Laboratory, publisher: ConfirmedPublisher, broker_door: tuple[Door, str]
) -> None:
    door, _ = broker_door
    publisher.publish(_messages(shared_laboratory, 1))
    door.delay = 0.02
    began = time.monotonic()

    assert publisher.publish(_messages(shared_laboratory, 200)) == set()

    assert time.monotonic() - began < 4.0, "each confirm was awaited alone: 200 ways there and back of 40 ms"


def test_a_publish_waits_no_longer_than_the_confirm_timeout(
    shared_laboratory: Laboratory, publisher: ConfirmedPublisher, broker_door: tuple[Door, str]
) -> None:
    door, _ = broker_door
    publisher.publish(_messages(shared_laboratory, 1))
    door.hush()
    began = time.monotonic()

    with pytest.raises(BrokerAway):
        publisher.publish(_messages(shared_laboratory, 3))

    assert time.monotonic() - began < 1.0
    door.unhush()
    assert publisher.publish(_messages(shared_laboratory, 3)) == set()


def test_a_broker_that_is_away_is_said_at_once(
    shared_laboratory: Laboratory, publisher: ConfirmedPublisher, broker_door: tuple[Door, str]
) -> None:
    door, _ = broker_door
    publisher.publish(_messages(shared_laboratory, 1))
    door.shut()
    began = time.monotonic()

    for _ in range(2):
        with pytest.raises(BrokerAway):
            publisher.publish(_messages(shared_laboratory, 1))

    assert time.monotonic() - began < 0.9
    door.open()
    assert publisher.publish(_messages(shared_laboratory, 1)) == set()


def test_a_connection_that_died_while_it_lay_idle_is_replaced_without_a_word(
    shared_laboratory: Laboratory, publisher: ConfirmedPublisher, broker_door: tuple[Door, str]
) -> None:
    door, _ = broker_door
    publisher.publish(_messages(shared_laboratory, 1))
    door.break_connections()

    assert publisher.publish(_messages(shared_laboratory, 2)) == set()


def test_an_idle_connection_is_not_taken_for_dead_by_the_broker(
    shared_laboratory: Laboratory,
    publisher: ConfirmedPublisher,
    broker_door: tuple[Door, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broker.connect, "__kwdefaults__", {"heartbeat": 1})
    publisher.publish(_messages(shared_laboratory, 1))
    time.sleep(3.2)

    publisher.publish(_messages(shared_laboratory, 1))

    assert broker_door[0].passed == 1


def test_a_message_that_no_queue_is_bound_for_is_told_by_its_id_if_it_must_arrive(
    shared_laboratory: Laboratory, publisher: ConfirmedPublisher
) -> None:
    exchange = shared_laboratory.settings.bus_prefix + EVENT_EXCHANGE
    messages = [
        Outgoing("must", exchange, "nobody.hears_this.v1", b"{}", "application/json", {}, mandatory=True),
        Outgoing("may", exchange, "nobody.hears_this.v1", b"{}", "application/json", {}, mandatory=False),
        Outgoing("heard", exchange, LessonCompleted.type, b"{}", "application/json", {}, mandatory=True),
    ]

    assert publisher.publish(messages) == {"must"}
    assert publisher.publish(messages[1:]) == set()


def test_a_message_that_the_broker_refuses_is_not_taken_for_published(
    shared_laboratory: Laboratory, publisher: ConfirmedPublisher
) -> None:
    with shared_laboratory.channel() as channel:
        full = channel.queue_declare(
            "", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
        ).queue
        messages = [Outgoing(str(number), "", full, b"{}", "application/json", {}) for number in range(5)]

        with pytest.raises(BrokerAway, match="refused"):
            publisher.publish(messages)


def test_a_channel_that_the_broker_closes_is_made_anew(
    shared_laboratory: Laboratory, publisher: ConfirmedPublisher
) -> None:
    nowhere = Outgoing("1", shared_laboratory.settings.bus_prefix + "no.such.exchange", "x", b"{}", "text/plain", {})

    with pytest.raises(BrokerAway, match="NOT_FOUND"):
        publisher.publish([nowhere])

    assert publisher.publish(_messages(shared_laboratory, 1)) == set()


def test_events_survive_a_restart_of_the_broker_since_message_and_queue_are_durable(
    shared_laboratory: Laboratory, publisher: ConfirmedPublisher
) -> None:
    publisher.publish(_messages(shared_laboratory, 1))
    with shared_laboratory.channel() as channel:
        name = shared_laboratory.settings.bus_prefix + QUEUE
        assert wait_until(lambda: channel.queue_declare(name, passive=True).message_count > 0, 5)

        message = channel.basic_get(name, no_ack=True)

        assert message.properties["delivery_mode"] == 2


def _messages(laboratory: Laboratory, count: int) -> list[Outgoing]:
    exchange = laboratory.settings.bus_prefix + EVENT_EXCHANGE
    body = encode(envelope_of(lesson_completed()))
    return [
        Outgoing(str(number), exchange, LessonCompleted.type, body, "application/json", {}) for number in range(count)
    ]
