"""The entry point of events: batches in one transaction with their inbox rows, retries, dead letters."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from eventlet.event import Event as GreenEvent
from kombu import Queue
from nameko.extensions import Entrypoint
from sqlalchemy import text

from chassis import telemetry
from chassis.bus.broker import (
    ATTEMPT_HEADER,
    FAILED_AT_HEADER,
    REASON_HEADER,
    BrokerAway,
    dead_letter_queue_name,
    declare_all,
    delay_queue_name,
    event_queue_name,
)
from chassis.bus.consumer import DrainingConsumer
from chassis.bus.publisher import ConfirmedPublisher, Outgoing
from chassis.bus.trace import TRACE_KEY
from chassis.clock import now
from chassis.context import Trace, traced
from chassis.database import UnitOfWork, is_database_away, is_locked_out
from contracts.envelope import Envelope
from contracts.events import Undecodable, read_all
from contracts.events.base import Event
from contracts.topology import ConsumerQueue

BATCH = 100

_CLAIM = text(
    "insert into inbox (handler, event_id) select :handler, unnest(cast(:event_ids as uuid[])) "
    "on conflict do nothing returning event_id"
)

_log = telemetry.get_logger("events")


@dataclass(frozen=True)
class Delivery:
    """An event as it reached its consumer."""

    envelope: Envelope
    event: Event

    @property
    def cause(self) -> Trace:
        """What is told because of this event is told `with traced(delivery.cause)`."""
        return Trace(correlation_id=self.envelope.correlation_id, event_id=str(self.envelope.id))


@dataclass(frozen=True)
class _Received:
    message: Any
    deliveries: tuple[Delivery, ...]

    @property
    def cause(self) -> Trace:
        """The cause of what is done for it; none in particular where it carries many events."""
        return self.deliveries[0].cause if len(self.deliveries) == 1 else Trace()


class EventConsumer(Entrypoint):
    """Hands the queue's events to a service method as `(unit_of_work, deliveries)`, each event once.

    A message is an event, or a batch of events that succeeds or fails whole; up to `batch` messages are taken at once.
    The deliveries of one call are committed together; the order means nothing. A method that raises is called again
    for each event alone, then each failing one after growing delays, then the event waits in the dead-letter queue.
    While the database or the broker is away, or others hold a lock for long, nothing is counted, acknowledged or lost.
    """

    def __init__(self, queue: ConsumerQueue, batch: int = BATCH) -> None:
        super().__init__()
        self.queue = queue
        self._batch = batch

    def setup(self) -> None:
        resources = self.container.service_cls.resources
        self._settings = resources.settings
        self._database = resources.database
        self._waiting: deque[Any] = deque()
        self._arrived = threading.Event()
        self._stopped = False
        self._publisher = ConfirmedPublisher(
            self._settings.amqp_uri, self._settings.bus_prefix, self._settings.bus_retry_delays
        )
        self.consumer = DrainingConsumer(
            self._settings.amqp_uri,
            Queue(event_queue_name(self._settings.bus_prefix, self.queue), no_declare=True),
            2 * self._batch,
            self._receive,
            lambda channel: declare_all(channel, self._settings.bus_prefix, self._settings.bus_retry_delays),
        )
        resources.consumers.append(self.consumer)

    def start(self) -> None:
        self.container.spawn_managed_thread(self.consumer.run)
        self.container.spawn_managed_thread(self._work)
        self.consumer.wait_until_consumer_ready()

    def stop(self) -> None:
        self.consumer.stop()
        self._stopped = True
        self._arrived.set()
        self._publisher.close()

    def _receive(self, message: Any) -> None:
        self._waiting.append(message)
        self._arrived.set()

    def _work(self) -> None:
        while not self._stopped:
            self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
                current = [message for message in taken if self.consumer.is_current(message)]
                if current:
                    self._settle_batch(current)

    def _settle_batch(self, messages: list[Any]) -> None:
        left = list(messages)
        pause = 0.1
        while left:
            try:
                self._process(left)
            except Exception as error:
                if not _must_wait(error):
                    raise
                why = "others hold a lock" if is_locked_out(error) else "the database or the broker is away"
                _log.warning(f"paused: {why}", queue=self.queue.name, reason=str(error))
                if self.consumer.is_stopping:
                    self.consumer.abandon()
                    return
                time.sleep(pause)
                pause = min(2 * pause, 2.0)
                if not self.consumer.is_current(messages[-1]):
                    return
        # taken in the order of delivery, so the last tag stands for all of them
        self.consumer.settle(messages[-1], len(messages), multiple=True)

    def _process(self, left: list[Any]) -> None:
        """Take out of `left` what is handled, put off or buried, so that nothing is done again after a pause."""
        received: list[_Received] = []
        for message in list(left):
            try:
                events = read_all(message.body, message.content_type)
                received.append(_Received(message, tuple(Delivery(*event) for event in events)))
            except Undecodable as error:
                self._bury(message, error)
                left.remove(message)
        if len(received) > 1:
            try:
                self._handle(received)
                left.clear()
                return
            except Exception as error:
                if _must_wait(error):
                    raise
                _log.warning("a batch failed; each event alone", queue=self.queue.name, reason=_reason(error))
        for one in received:
            with traced(one.cause):
                try:
                    self._handle([one])
                except Exception as error:
                    if _must_wait(error):
                        raise
                    self._put_off(one.message, error)
            left.remove(one.message)

    def _handle(self, received: Sequence[_Received]) -> None:
        began = time.perf_counter()
        delivered = [delivery for item in received for delivery in item.deliveries]
        by_id = {delivery.envelope.id: delivery for delivery in delivered}
        with self._database.unit_of_work() as unit_of_work:
            fresh = self._claim(unit_of_work, sorted(by_id))
            if fresh:
                self._call(unit_of_work, [by_id[event_id] for event_id in fresh])
        at = now()
        for event_id in fresh:
            telemetry.EVENT_LAG.labels(self.queue.name).observe((at - by_id[event_id].envelope.time).total_seconds())
        telemetry.EVENTS_HANDLED.labels(self.queue.name, "handled").inc(len(fresh))
        telemetry.EVENTS_HANDLED.labels(self.queue.name, "repeated").inc(len(delivered) - len(fresh))
        _log.info(
            "handled",
            queue=self.queue.name,
            events=len(fresh),
            repeated=len(delivered) - len(fresh),
            ms=round((time.perf_counter() - began) * 1000, 2),
            # of events that are sent again in batches a line would not end
            event_ids=[str(event_id) for event_id in by_id] if len(by_id) <= BATCH else [],
            correlation_ids=sorted({item.envelope.correlation_id or "" for item in by_id.values()})[:BATCH],
        )

    def _claim(self, unit_of_work: UnitOfWork, event_ids: list[UUID]) -> list[UUID]:
        rows = unit_of_work.connection.execute(_CLAIM, {"handler": self.queue.name, "event_ids": event_ids})
        return [row.event_id for row in rows]

    def _call(self, unit_of_work: UnitOfWork, deliveries: list[Delivery]) -> None:
        outcome: GreenEvent = GreenEvent()
        self.container.spawn_worker(
            self,
            (unit_of_work, deliveries),
            {},
            context_data={TRACE_KEY: _trace_of(deliveries)},
            handle_result=partial(_report, outcome),
        )
        outcome.wait()

    def _put_off(self, message: Any, error: Exception) -> None:
        attempt = _attempts(message)
        delays = self._settings.bus_retry_delays
        if attempt >= len(delays):
            self._bury(message, error)
            return
        _log.warning("an event failed; it comes again", queue=self.queue.name, attempt=attempt + 1, exc_info=error)
        telemetry.EVENTS_HANDLED.labels(self.queue.name, "retried").inc()
        name = delay_queue_name(self._settings.bus_prefix, self.queue, delays[attempt])
        self._publish(message, name, {ATTEMPT_HEADER: attempt + 1, REASON_HEADER: _reason(error)})

    def _bury(self, message: Any, error: Exception) -> None:
        _log.error("an event goes to the dead letters", queue=self.queue.name, reason=_reason(error), exc_info=error)
        telemetry.EVENTS_HANDLED.labels(self.queue.name, "dead").inc()
        name = dead_letter_queue_name(self._settings.bus_prefix, self.queue)
        self._publish(message, name, {REASON_HEADER: _reason(error), FAILED_AT_HEADER: now().isoformat()})

    def _publish(self, message: Any, queue: str, headers: dict[str, Any]) -> None:
        returned = self._publisher.publish(
            [
                Outgoing(
                    id=str(message.delivery_tag),
                    exchange="",
                    routing_key=queue,
                    body=message.body.encode() if isinstance(message.body, str) else bytes(message.body),
                    content_type=message.content_type or "application/octet-stream",
                    headers=headers,
                )
            ]
        )
        if returned:
            raise BrokerAway(f"the queue {queue} is missing")


def _must_wait(error: BaseException) -> bool:
    """Whether nothing is wrong with the event: it can be handled later."""
    return is_database_away(error) or is_locked_out(error) or isinstance(error, BrokerAway)


def _attempts(message: Any) -> int:
    counted = message.headers.get(ATTEMPT_HEADER)
    return counted if isinstance(counted, int) else 0


def _reason(error: BaseException) -> str:
    # a header must be valid UTF-8, whatever the error quotes
    return f"{type(error).__name__}: {error}"[:500].encode(errors="backslashreplace").decode()


def _trace_of(deliveries: list[Delivery]) -> Trace:
    return deliveries[0].cause if len(deliveries) == 1 else Trace()


def _report(outcome: GreenEvent, _context: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
    if exc_info is None:
        outcome.send(None)
    else:
        outcome.send_exception(*exc_info)
    return result, None


consumes = EventConsumer.decorator
