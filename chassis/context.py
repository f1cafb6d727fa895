"""What is carried along from service to service: which request and event work belongs to, and its deadline."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trace:
    """Where the present work comes from.

    `request_id` is the gateway's, while a request waits for the work; `correlation_id` is the id of the first request
    of the whole story, also long after; `event_id` is the event being handled, the cause of what is told meanwhile.
    """

    request_id: str | None = None
    correlation_id: str | None = None
    event_id: str | None = None


_NONE = Trace()
_trace: ContextVar[Trace] = ContextVar("trace", default=_NONE)
_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


def current_trace() -> Trace:
    """The trace of the present work; empty outside of any."""
    return _trace.get()


def bind_trace(trace: Trace) -> None:
    """Put the rest of this context (thread or greenlet) under the trace."""
    _trace.set(trace)


@contextmanager
def traced(trace: Trace) -> Iterator[None]:
    """Do the work of the block under this trace."""
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)


def bind_deadline(deadline: float) -> None:
    """Put the rest of this context (thread or greenlet) under the deadline, in epoch seconds; infinity is none."""
    _deadline.set(deadline)


def seconds_left() -> float:
    """How long the present work is waited for: negative after its deadline, infinity without one."""
    return _deadline.get() - time.time()


def add_trace(_logger: Any, _name: str, line: dict[str, Any]) -> dict[str, Any]:
    """A structlog processor that puts the ids of the present work into the line."""
    trace = _trace.get()
    for name in ("request_id", "correlation_id", "event_id"):
        value = getattr(trace, name)
        if value is not None:
            line[name] = value
    return line
