"""What a process hears for itself: while it is connected everything, and it knows when it was not."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from chassis.bus import broker
from chassis.bus.listener import EventListener
from chassis.bus.publisher import ConfirmedPublisher, Outgoing
from chassis.local.processes import wait_until
from contracts.envelope import Envelope
from contracts.events import LessonCompleted, XpAwarded
from contracts.events.base import Event
from contracts.topology import EVENT_EXCHANGE
from tests.chassis.proxy import Door
from tests.chassis.specimen import Laboratory, lesson_completed
from tests.told import envelope_of


class Ear:
    """A listener through the door, and what it has heard."""

    def __init__(self, laboratory: Laboratory, uri: str) -> None:
        self.heard: list[object] = []
        self.connected = 0
        self.deaf_to = uuid4()
        self.listener = EventListener(
            uri, laboratory.settings.bus_prefix, (LessonCompleted,), self._hear, self._connect
        )
        self.listener.start()
        assert wait_until(lambda: self.connected == 1, 10)

    def _hear(self, envelope: Envelope, event: Event) -> None:
        assert isinstance(event, LessonCompleted)
        if event.lesson_id == self.deaf_to:
            raise ValueError("it cannot hear this")
        self.heard.append(event.lesson_id)

    def _connect(self) -> None:
        self.connected += 1


@pytest.fixture
def ear(shared_laboratory: Laboratory, broker_door: tuple[Door, str]) -> Iterator[Ear]:
    """An ear whose way to the broker leads through the door."""
    ear = Ear(shared_laboratory, broker_door[1])
    yield ear
    ear.listener.stop()


def test_a_listener_hears_its_kinds_of_events_and_no_other(shared_laboratory: Laboratory, ear: Ear) -> None:
    lessons = shared_laboratory.publish("", "", "")

    assert wait_until(lambda: ear.heard == lessons, 5)
    assert ear.listener.is_connected


def test_two_listeners_each_hear_everything(
    shared_laboratory: Laboratory, ear: Ear, broker_door: tuple[Door, str]
) -> None:
    other = Ear(shared_laboratory, broker_door[1])

    (lesson,) = shared_laboratory.publish("")

    assert wait_until(lambda: ear.heard == other.heard == [lesson], 5)
    other.listener.stop()


def test_a_listener_that_lost_its_connection_says_when_it_hears_again(
    shared_laboratory: Laboratory, ear: Ear, broker_door: tuple[Door, str]
) -> None:
    door, _ = broker_door
    door.shut()
    assert wait_until(lambda: not ear.listener.is_connected, 5)
    assert ear.connected == 1

    door.open()

    assert wait_until(lambda: ear.connected == 2, 5)
    (lesson,) = shared_laboratory.publish("")
    assert wait_until(lambda: ear.heard == [lesson], 5)


def test_a_listener_that_hears_events_all_the_time_is_not_taken_for_dead(
    shared_laboratory: Laboratory, broker_door: tuple[Door, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker.connect, "__kwdefaults__", {"heartbeat": 1})
    ear = Ear(shared_laboratory, broker_door[1])
    over = threading.Event()

    def publish() -> None:
        while not over.wait(0.05):
            shared_laboratory.publish("")

    with ThreadPoolExecutor(1) as threads:
        publishing = threads.submit(publish)
        time.sleep(3.5)
        over.set()
        publishing.result()

    assert ear.connected == 1
    ear.listener.stop()


def test_an_event_that_cannot_be_read_or_handled_costs_no_other_and_is_told(
    shared_laboratory: Laboratory, ear: Ear
) -> None:
    exchange = shared_laboratory.settings.bus_prefix + EVENT_EXCHANGE
    for body in (b"\xff", b"{}", b""):
        shared_laboratory.publish_raw([Outgoing("1", exchange, LessonCompleted.type, body, "text/plain", {})])
    shared_laboratory.publish_envelopes([envelope_of(lesson_completed(lesson_id=ear.deaf_to))])
    (lesson,) = shared_laboratory.publish("")

    assert wait_until(lambda: ear.heard == [lesson], 5)
    assert ear.connected == 2


def test_the_queue_of_a_listener_ends_with_it(shared_laboratory: Laboratory, broker_door: tuple[Door, str]) -> None:
    settings = shared_laboratory.settings
    listener = EventListener(broker_door[1], settings.bus_prefix, (XpAwarded,), lambda *_: None, lambda: None)
    publisher = ConfirmedPublisher(settings.amqp_uri, settings.bus_prefix, settings.bus_retry_delays)
    event = Outgoing("1", settings.bus_prefix + EVENT_EXCHANGE, XpAwarded.type, b"{}", "text/plain", {})
    listener.start()
    assert wait_until(lambda: not publisher.publish([event]), 5)

    listener.stop()

    assert wait_until(lambda: publisher.publish([event]) == {"1"}, 5)
    publisher.close()
