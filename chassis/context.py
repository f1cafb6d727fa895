"""What is carried along from service to service: which request, and which event, the present work belongs to."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import structlog


@dataclass(frozen=True)
class Trace:
    """Where the present work comes from.

    `request_id` is the gateway's, while a request waits for the work; `correlation_id` is the id of the first request of
    the whole story, also long after; `event_id` is the event being handled, the cause of what is told meanwhile.
    """

    request_id: str | None = None
    correlation_id: str | None = None
    event_id: str | None = None


_trace: ContextVar[Trace] = ContextVar("trace", default=Trace())


def current_trace() -> Trace:
    """The trace of the present work; empty outside of any."""
    return _trace.get()


@contextmanager
def traced(trace: Trace) -> Iterator[None]:
    """Do the work of the block under this trace; its ids appear in every log line."""
    token = _trace.set(trace)
    ids = {
        name: value
        for name, value in (
            ("request_id", trace.request_id),
            ("correlation_id", trace.correlation_id),
            ("event_id", trace.event_id),
        )
        if value is not None
    }
    bound = structlog.contextvars.bind_contextvars(**ids)
    try:
        yield
    finally:
        structlog.contextvars.reset_contextvars(**bound)
        _trace.reset(token)
