"""Puts each nameko worker under the trace, and a call's worker under the deadline, of the message that started it."""

import math
from typing import Any

from nameko.extensions import DependencyProvider

from chassis.context import Trace, bind_deadline, bind_trace

TRACE_KEY = "trace"
DEADLINE_KEY = "deadline"


class TraceProvider(DependencyProvider):
    """Binds them in the worker's own greenlet, whose context ends with it."""

    def worker_setup(self, worker_ctx: Any) -> None:
        bind_trace(worker_ctx.data.get(TRACE_KEY, Trace()))
        bind_deadline(worker_ctx.data.get(DEADLINE_KEY, math.inf))
