"""What a process hears for itself, on an exclusive queue that lives as long as its connection."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kombu import Connection, Queue

from chassis import telemetry
from chassis.bus.broker import POLL, connect, establish, event_exchange
from contracts.envelope import Envelope
from contracts.events import Undecodable, read
from contracts.events.base import Event

RETRY = 0.5

_log = telemetry.get_logger("listener")


class EventListener:
    """Calls `on_event` for each event of the given kinds, on a thread of its own.

    Nothing is kept for it while it is away, so `on_connected` is called whenever it hears again (the first time too),
    and when `on_event` failed: the moment to drop whatever may have changed meanwhile.
    """

    def __init__(
        self,
        amqp_uri: str,
        prefix: str,
        events: tuple[type[Event], ...],
        on_event: Callable[[Envelope, Event], None],
        on_connected: Callable[[], None],
    ) -> None:
        self._amqp_uri = amqp_uri
        self._prefix = prefix
        self._events = events
        self._on_event = on_event
        self._on_connected = on_connected
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
        self.is_connected = False

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End; the broker forgets the queue."""
        self._stopping.set()
        self._thread.join(timeout=2 * POLL)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._amqp_uri) as connection:
                    self._listen(connection)
            except Exception as error:
                _log.warning("the listener's connection broke", reason=str(error))
            self.is_connected = False
            self._stopping.wait(RETRY)

    def _listen(self, connection: Connection) -> None:
        establish(connection)
        channel = connection.channel()
        exchange = event_exchange(self._prefix)
        exchange(channel).declare()
        queue = Queue("", exclusive=True, auto_delete=True, durable=False, queue_arguments={"x-queue-type": "classic"})(
            channel
        )
        queue.queue_declare()
        for event in self._events:
            queue.bind_to(exchange, routing_key=event.type)
        channel.basic_consume(queue.name, no_ack=True, callback=self._receive)
        self.is_connected = True
        self._on_connected()
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                connection.drain_events(timeout=POLL)
            # nothing else is ever written here, so heartbeats must go out also while events keep coming in
            connection.heartbeat_check()

    def _receive(self, message: Any) -> None:
        try:
            self._on_event(*read(message.body))
        except Undecodable as error:
            _log.error("an event could not be read", reason=str(error))
        except Exception:
            _log.exception("an event could not be handled")
            self._on_connected()
