"""The entry point of calls: one queue a service, answers straight to the caller, deadlines obeyed, drained on stop."""

import inspect
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, get_type_hints

import msgspec
from kombu.transport.pyamqp import Channel
from nameko.extensions import Entrypoint, SharedExtension
from sqlalchemy.exc import DataError

from chassis import telemetry
from chassis.bus.broker import declare_all, is_broker_away, rpc_queue
from chassis.bus.consumer import DrainingConsumer
from chassis.bus.publisher import send
from chassis.bus.trace import DEADLINE_KEY, TRACE_KEY
from chassis.context import Trace, traced
from chassis.database import is_database_away, is_database_slow
from contracts.errors import ErrorBody, FieldError, InternalError, Invalid, NotFound, ServiceError, Unavailable, to_body

PREFETCH = 24
WAY_BACK = 0.05
"""Seconds before the caller's deadline at which the work's own ends, so that what it commits is still heard of."""

_POINTER = re.compile(r"\]?[.\[]")

_log = telemetry.get_logger("rpc")
_encode = msgspec.json.Encoder().encode


class Reply(msgspec.Struct, omit_defaults=True):
    """The answer to a call: a result or an error."""

    result: Any = None
    error: ErrorBody | None = None


class RpcConsumer(SharedExtension):
    """The consumer of a service's calls, shared by all its methods."""

    def __init__(self) -> None:
        self.methods: dict[str, Rpc] = {}

    def setup(self) -> None:
        settings = self.container.service_cls.resources.settings
        queue = rpc_queue(settings.bus_prefix, self.container.service_name)

        def declare(channel: Channel) -> None:
            declare_all(channel, settings.bus_prefix, settings.bus_retry_delays)
            queue(channel).declare()

        self.consumer = DrainingConsumer(settings.amqp_uri, queue, PREFETCH, self._receive, declare)
        self.container.service_cls.resources.consumers.append(self.consumer)

    def start(self) -> None:
        self.container.spawn_managed_thread(self.consumer.run)
        self.consumer.wait_until_consumer_ready()

    def stop(self) -> None:
        self.consumer.stop()

    def _receive(self, message: Any) -> None:
        if not _is_call(message):
            _log.error("not a call; thrown away", headers=str(message.headers)[:500])
            self.consumer.settle(message)
            return
        headers = message.headers
        method = headers["method"]
        trace = Trace(headers.get("request_id"), headers.get("correlation_id"), headers.get("event_id"))
        if headers["deadline"] < time.time():
            telemetry.RPC_SERVED.labels(method if method in self.methods else "unknown", "expired").observe(0)
            self.consumer.settle(message)
            return
        try:
            entrypoint = self.methods.get(method)
            if entrypoint is None:
                raise NotFound("no-such-method")
            arguments = entrypoint.arguments(message.body)
        except ServiceError as error:
            self._answer(message, Reply(error=to_body(error)))
            telemetry.RPC_SERVED.labels(method if method in self.methods else "unknown", error.problem).observe(0)
            with traced(trace):
                _log.info("served", method=method, outcome=error.problem, ms=0)
            return
        self.container.spawn_worker(
            entrypoint,
            (),
            arguments,
            context_data={TRACE_KEY: trace, DEADLINE_KEY: headers["deadline"] - WAY_BACK},
            handle_result=partial(self._handle_result, message, method, time.perf_counter()),
        )

    def _handle_result(
        self, message: Any, method: str, began: float, _context: Any, result: Any, exc_info: Any
    ) -> tuple[Any, Any]:
        reply = Reply(result=result) if exc_info is None else Reply(error=to_body(_on_purpose(exc_info[1])))
        outcome = "ok" if reply.error is None else reply.error.problem
        self._answer(message, reply)
        seconds = time.perf_counter() - began
        telemetry.RPC_SERVED.labels(method, outcome).observe(seconds)
        _log.info("served", method=method, outcome=outcome, ms=round(seconds * 1000, 2))
        return result, None

    def _answer(self, message: Any, reply: Reply) -> None:
        if self.consumer.is_current(message):
            channel = message.channel
            answer = channel.prepare_message(
                _encoded(reply), properties={"delivery_mode": 1, "correlation_id": message.properties["correlation_id"]}
            )
            try:
                send(channel, answer, "", message.properties["reply_to"])
            except Exception as error:
                if not is_broker_away(error):
                    raise
        self.consumer.settle(message)


def _is_call(message: Any) -> bool:
    """Whether the message says what is called, until when, and who waits for the answer."""
    headers, properties = message.headers, message.properties
    return (
        isinstance(headers.get("method"), str)
        and isinstance(headers.get("deadline"), int | float)
        and bool(properties.get("reply_to") and properties.get("correlation_id"))
    )


def _encoded(reply: Reply) -> bytes:
    try:
        return _encode(reply)
    except (TypeError, ValueError) as error:
        _log.error("an answer cannot be encoded", exc_info=error)
        return _encode(Reply(error=to_body(InternalError())))


def _on_purpose(error: BaseException) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    if is_database_away(error) or is_database_slow(error):
        _log.error("the database does not answer", reason=str(error))
        return Unavailable(members={"retry_after": 2})
    if isinstance(error, DataError):
        _log.warning("the database cannot hold a value", reason=str(error.orig))
        return Invalid(errors=(FieldError("", "unacceptable"),))
    _log.error("a call failed", exc_info=error)
    return InternalError()


class Rpc(Entrypoint):
    """Makes a method of a service callable; its annotations decide what arguments are accepted."""

    rpc_consumer = RpcConsumer()

    def bind(self, container: Any, method_name: str) -> "Rpc":
        bound: Rpc = super().bind(container, method_name)
        bound._arguments = _arguments_of(getattr(container.service_cls, method_name))
        return bound

    def setup(self) -> None:
        self.rpc_consumer.methods[self.method_name] = self

    def stop(self) -> None:
        # nameko waits for the workers before it stops what they share: under steady calls that moment never comes
        self.rpc_consumer.stop()

    def arguments(self, body: bytes) -> dict[str, Any]:
        """The arguments in the message. Raises `Invalid` where they are not what the method takes."""
        try:
            given = self._arguments.decode(body)
        except msgspec.DecodeError as error:
            where, _, reason = str(error).partition(" - at `$")
            raise Invalid(
                errors=(FieldError("/" + _POINTER.sub("/", reason.strip("`.]")), "unacceptable", {"reason": where}),)
            ) from error
        return {name: getattr(given, name) for name in given.__struct_fields__}


def _arguments_of(method: Callable[..., Any]) -> msgspec.json.Decoder[Any]:
    hints = get_type_hints(method, include_extras=True)
    fields: list[Any] = []
    for name, parameter in list(inspect.signature(method).parameters.items())[1:]:
        kind = hints.get(name, Any)
        fields.append((name, kind) if parameter.default is parameter.empty else (name, kind, parameter.default))
    return msgspec.json.Decoder(
        msgspec.defstruct(method.__name__, fields, forbid_unknown_fields=True, kw_only=True, frozen=True)
    )


rpc = Rpc.decorator
