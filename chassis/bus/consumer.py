"""nameko's consumer, made to stop in order: it cancels, lets the work under way finish and acknowledge, then closes."""

import threading
import time
from collections.abc import Callable
from typing import Any

from kombu import Connection, Queue
from kombu.transport.pyamqp import Channel
from nameko.amqp.consume import Consumer as NamekoConsumer

from chassis import telemetry
from chassis.bus.broker import connect
from chassis.bus.coalescing import coalescing_frame_writer
from chassis.bus.reading import read_alone

DRAIN_LIMIT = 15.0
"""Seconds that work under way may take after the stop; the nursery kills after 20, Kubernetes after 30."""

_log = telemetry.get_logger("bus")


class DrainingConsumer(NamekoConsumer):
    """Reads one queue and hands each raw message to `on_raw`, undecoded; every one must be settled with `settle`."""

    def __init__(
        self,
        amqp_uri: str,
        queue: Queue,
        prefetch_count: int,
        on_raw: Callable[[Any], None],
        declare: Callable[[Channel], None],
    ) -> None:
        super().__init__(amqp_uri, queues=[queue], prefetch_count=prefetch_count)
        self._on_raw = on_raw
        self._declare = declare
        self._cancelling = False
        self._consumers: list[Any] = []
        self._not_begun: list[Any] = []
        self._settled = threading.Condition()
        self._in_flight = 0
        self.channel: Channel | None = None

    @property
    def connection(self) -> Connection:
        return connect(self.amqp_uri, frame_writer=coalescing_frame_writer)

    @property
    def is_connected(self) -> bool:
        """Whether messages can arrive at present."""
        return self.channel is not None and self.channel.connection is not None

    @property
    def is_stopping(self) -> bool:
        """Whether no more work may begin."""
        return self._cancelling

    def establish_connection(self) -> Connection:
        connection: Connection = self.connection
        connection.ensure_connection(self.on_connection_error, interval_start=0.2, interval_step=0.3, interval_max=2.0)
        return connection

    def on_connection_error(self, exc: Exception, interval: float) -> None:
        _log.warning("the broker does not answer", reason=str(exc), retry_seconds=interval)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        # kombu's own acknowledges it away; whoever reads the body finds out
        self._receive(message)

    def get_consumers(self, consumer_cls: Any, channel: Channel) -> list[Any]:
        self._declare(channel)
        read_alone(channel.connection)
        with self._settled:
            self._in_flight = 0
            self.channel = channel
        consumer = consumer_cls(queues=self.queues, on_message=self._receive, auto_declare=False)
        consumer.qos(prefetch_count=self.prefetch_count)
        self._consumers = [consumer]
        return self._consumers

    def on_iteration(self) -> None:
        if self._cancelling and self._consumers:
            for consumer in self._consumers:
                consumer.cancel()
            self._consumers = []
            for message in self._not_begun:
                message.channel.basic_reject(message.delivery_tag, requeue=True)

    def _receive(self, message: Any) -> None:
        # a message that arrives while we stop is not begun: once no more can come, it is given back for another
        if self._cancelling:
            self._not_begun.append(message)
            return
        with self._settled:
            self._in_flight += 1
        self._on_raw(message)

    def is_current(self, message: Any) -> bool:
        """Whether the message can still be acknowledged; if not, the broker delivers it again."""
        channel = self.channel
        return channel is not None and message.channel is channel and channel.connection is not None

    def settle(self, message: Any, count: int = 1, *, multiple: bool = False) -> None:
        """Acknowledge a message (with `multiple`, all up to it), unless its channel is gone, and let go of `count`."""
        with self._settled:
            if not self.is_current(message):
                return
            try:
                message.channel.basic_ack(message.delivery_tag, multiple=multiple)
            except (OSError, *message.channel.connection.connection_errors):
                _log.warning("an acknowledgement was lost with its connection; the message comes again")
            self._in_flight -= count
            if self._in_flight <= 0:
                # no other answer is coming that this one could leave with
                message.channel.connection.flush()
            self._settled.notify_all()

    def abandon(self) -> None:
        """Let go of all that is not settled; the broker delivers it again when the channel closes."""
        with self._settled:
            self._in_flight = 0
            self._settled.notify_all()

    def stop(self) -> None:
        """Cancel, wait for the work under way (at most `DRAIN_LIMIT`), acknowledge, close."""
        self._cancelling = True
        until = time.monotonic() + DRAIN_LIMIT
        with self._settled:
            # a lost connection tells nobody, so look again and again
            while self._in_flight > 0 and self.is_connected and time.monotonic() < until:
                self._settled.wait(0.1)
        self.should_stop = True
