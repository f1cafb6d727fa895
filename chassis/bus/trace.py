"""Puts each nameko worker under the trace of the message that started it."""

from typing import Any

from nameko.extensions import DependencyProvider

from chassis.context import Trace, bind_trace

TRACE_KEY = "trace"


class TraceProvider(DependencyProvider):
    """Binds the trace in the worker's own greenlet, whose context ends with it."""

    def worker_setup(self, worker_ctx: Any) -> None:
        bind_trace(worker_ctx.data.get(TRACE_KEY, Trace()))
