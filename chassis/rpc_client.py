"""The client of calls, for threads and for greenlets alike: one connection, one reader, answers by correlation id.

Requests and answers share a channel through RabbitMQ's direct reply-to, so there is no reply queue to lose; a call that
is under way when the connection breaks ends at once in `Unavailable`.
"""

import threading
import time
from collections import defaultdict
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import msgspec
from kombu import Connection
from kombu.transport.pyamqp import Channel

from chassis import telemetry
from chassis.breaker import Breaker
from chassis.bus.broker import POLL, connect, establish, rpc_exchange
from chassis.bus.publisher import send
from chassis.bus.reading import read_alone
from chassis.context import current_trace, seconds_left
from contracts.errors import ErrorBody, Unavailable, from_body
from contracts.topology import RPC_EXCHANGE

REPLY_TO = "amq.rabbitmq.reply-to"
RETRY = 0.2

SILENCES = 5
"""So many in a row, and a service is left alone."""
REST = 1.0
"""Seconds until it is tried again."""
PROVES_SILENCE = 0.4
"""Seconds that must have been waited for an answer, at least."""

_log = telemetry.get_logger("rpc-client")
_encode = msgspec.json.Encoder().encode


class _Reply(msgspec.Struct):
    result: Any = None
    error: ErrorBody | None = None


_decode = msgspec.json.Decoder(_Reply).decode


class Caller(Protocol):
    """What a handler needs to call another service."""

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """The method's result. Raises a `ServiceError`."""


class RpcClient:
    """Calls services; all threads of a process share one. It connects with the first call and again when it must.

    With `breakers` a service that was silent several times in a row is "unavailable" at once for a while: whoever waits
    for it keeps others waiting who do not need it.
    """

    def __init__(self, amqp_uri: str, *, prefix: str = "", deadline: float = 2.0, breakers: bool = False) -> None:
        self._amqp_uri = amqp_uri
        self._prefix = prefix
        self._exchange = prefix + RPC_EXCHANGE
        self._deadline = deadline
        self._breakers: defaultdict[str, Breaker] | None = None
        if breakers:
            self._breakers = defaultdict(lambda: Breaker(threshold=SILENCES, rest=REST, clock=time.monotonic))
        self._slots: dict[str, SimpleQueue[Any]] = {}
        self._ids = count(1)
        self._channel: Channel | None = None
        self._connected = threading.Event()
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._reader: threading.Thread | None = None

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """The result of the service's method, decoded from JSON.

        `deadline` is in seconds, and never ends after that of the call being served. Raises the `ServiceError` that the
        service answered, or `Unavailable` when it did not answer in time; then the call may or may not have been
        carried out.
        """
        seconds = min(self._deadline if deadline is None else deadline, seconds_left())
        began = time.perf_counter()
        outcome = "ok"
        try:
            reply = _decode(self._ask_unless_silent(service, method, seconds, arguments))
            if reply.error is not None:
                outcome = reply.error.problem
                raise from_body(reply.error)
            return reply.result
        except Unavailable:
            outcome = "unavailable"
            raise
        finally:
            telemetry.RPC_CALLED.labels(service, method, outcome).observe(time.perf_counter() - began)

    def stop(self) -> None:
        """End the reader; calls under way end in `Unavailable`."""
        self._stopping.set()
        if self._reader is not None:
            self._reader.join(timeout=2 * POLL)

    def _ask_unless_silent(self, service: str, method: str, seconds: float, arguments: dict[str, Any]) -> bytes:
        if self._breakers is None:
            return self._ask(service, method, seconds, arguments)
        breaker = self._breakers[service]
        if breaker.wait() > 0:
            raise _silence(service, "it was silent lately")
        began = time.monotonic()
        try:
            answer = self._ask(service, method, seconds, arguments)
        except Unavailable:
            # a broken connection, or a wait of no time, proves nothing
            if time.monotonic() - began >= PROVES_SILENCE:
                breaker.silent()
            raise
        breaker.answered()
        return answer

    def _ask(self, service: str, method: str, seconds: float, arguments: dict[str, Any]) -> bytes:
        if seconds <= 0:
            raise _silence(service, "no time left")
        until = time.monotonic() + seconds
        channel = self._ready_channel(service, seconds)
        call_id = str(next(self._ids))
        slot: SimpleQueue[bytes | None] = SimpleQueue()
        self._slots[call_id] = slot
        try:
            self._send(channel, service, method, seconds, call_id, arguments)
            reply = slot.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            raise _silence(service, "no answer in time") from None
        finally:
            self._slots.pop(call_id, None)
        if reply is None:
            raise _silence(service, "the connection broke")
        return reply

    def _send(
        self, channel: Channel, service: str, method: str, seconds: float, call_id: str, arguments: dict[str, Any]
    ) -> None:
        trace = current_trace()
        headers: dict[str, Any] = {"method": method, "deadline": time.time() + seconds}
        if trace.request_id:
            headers["request_id"] = trace.request_id
        if trace.correlation_id:
            headers["correlation_id"] = trace.correlation_id
        message = channel.prepare_message(
            _encode(arguments),
            headers=headers,
            properties={
                "delivery_mode": 1,
                "correlation_id": call_id,
                "reply_to": REPLY_TO,
                "expiration": str(int(seconds * 1000)),
            },
        )
        try:
            send(channel, message, self._exchange, service)
        except Exception as error:
            raise _silence(service, str(error)) from error

    def _ready_channel(self, service: str, seconds: float) -> Channel:
        if self._reader is None:
            with self._starting:
                if self._reader is None:
                    self._reader = threading.Thread(target=self._run, name="rpc-client", daemon=True)
                    self._reader.start()
        channel = self._channel
        if channel is None:
            self._connected.wait(seconds)
            channel = self._channel
        if channel is None:
            raise _silence(service, "the broker does not answer")
        return channel

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._amqp_uri) as connection:
                    self._read(connection)
            except Exception as error:
                _log.warning("the connection for calls broke", reason=str(error))
            self._connected.clear()
            self._channel = None
            for slot in list(self._slots.values()):
                slot.put(None)
            self._stopping.wait(RETRY)

    def _read(self, connection: Connection) -> None:
        establish(connection)
        read_alone(connection.connection)
        channel = connection.channel()
        rpc_exchange(self._prefix)(channel).declare()
        channel.basic_consume(REPLY_TO, no_ack=True, callback=self._on_reply)
        self._channel = channel
        self._connected.set()
        while not self._stopping.is_set():
            try:
                connection.drain_events(timeout=POLL)
            except TimeoutError:
                connection.heartbeat_check()

    def _on_reply(self, message: Any) -> None:
        slot = self._slots.get(message.properties.get("correlation_id", ""))
        if slot is not None:
            slot.put(message.body if isinstance(message.body, bytes) else bytes(message.body, "utf-8"))


def _silence(service: str, reason: str) -> Unavailable:
    _log.warning("no answer", service=service, reason=reason)
    return Unavailable(members={"service": service, "retry_after": 2})
