"""How the gateway calls the services: deadlines, a limit on calls in flight and a circuit breaker per service.

One silent service must not take the gateway's threads: beyond its limit, or once it has been silent a few times in a
row, it is "unavailable" at once, until a single trial call finds it answering again.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from flask import g, has_app_context
from prometheus_client import Counter

from chassis.breaker import Breaker
from contracts.errors import ServiceError, Unavailable

UPSTREAM_REFUSED = Counter("upstream_refused_total", "Calls not made", ["service", "reason"])

REQUEST_BUDGET = 2.5
"""Seconds that all calls of one request may take together, so that it ends within 3 s."""
SHORTEST_CALL = 0.05
"""Seconds below which a call is not worth beginning."""
_PING = 1.0
_SILENCE = 0.9
"""The part of the deadline after which "unavailable" means that nobody answered, not that the service said so."""


class RpcCaller(Protocol):
    """What `chassis.rpc_client.RpcClient` offers."""

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """The decoded answer. Raises `contracts.errors.ServiceError`."""


def remaining(clock: Callable[[], float] = time.monotonic) -> float:
    """Seconds left of this request's budget, which begins when it is first asked for; whole outside of a request."""
    if not has_app_context():
        return REQUEST_BUDGET
    if "upstream_ends" not in g:
        g.upstream_ends = clock() + REQUEST_BUDGET
    return float(g.upstream_ends - clock())


class _Target:
    def __init__(self, in_flight: int, breaker: Breaker) -> None:
        self.slots = threading.BoundedSemaphore(in_flight)
        self.breaker = breaker


class Upstream:
    """Calls `services` over `client` for a gateway of `threads` threads. Thread-safe.

    `deadline` is the default per call, `rest` how long a silent service is left alone; both in seconds.
    """

    def __init__(
        self,
        client: RpcCaller,
        *,
        services: tuple[str, ...],
        threads: int,
        deadline: float = 2.0,
        threshold: int = 5,
        rest: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._services = services
        self._in_flight = max(1, threads // 4)
        self._deadline = deadline
        self._threshold = threshold
        self._rest = rest
        self._clock = clock
        self._lock = threading.Lock()
        self._targets: dict[str, _Target] = {}

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """The decoded answer of `method` at `service`.

        Raises the service's own `ServiceError`, or `Unavailable` with `retry_after` (whole seconds) when it is silent,
        has too many calls in flight, or is known to be silent.
        """
        target = self._target(service)
        if not target.slots.acquire(blocking=False):
            raise self._refused(service, "busy", 1.0)
        try:
            wait = target.breaker.wait()
            if wait > 0:
                raise self._refused(service, "silent", wait)
            return self._call(
                target, service, method, min(deadline or self._deadline, remaining(self._clock)), arguments
            )
        finally:
            target.slots.release()

    def ready(self) -> dict[str, bool]:
        """Each service by name, and whether it answers."""
        return {service: self._answers(service) for service in self._services}

    def _answers(self, service: str) -> bool:
        try:
            self.call(service, "ping", deadline=_PING)
        except Unavailable:
            return False
        except ServiceError:
            return True
        return True

    def _call(self, target: _Target, service: str, method: str, deadline: float, arguments: dict[str, Any]) -> Any:
        if deadline < SHORTEST_CALL:
            raise self._refused(service, "budget", 1.0)
        began = self._clock()
        try:
            answer = self._client.call(service, method, deadline=deadline, **arguments)
        except Unavailable as error:
            # said on purpose, it came before the deadline; and a deadline cut short by the budget proves little
            if self._clock() - began >= max(deadline * _SILENCE, self._deadline / 2):
                target.breaker.silent()
            raise Unavailable(members={"retry_after": math.ceil(self._rest)}) from error
        except ServiceError:
            target.breaker.answered()
            raise
        target.breaker.answered()
        return answer

    def _target(self, service: str) -> _Target:
        with self._lock:
            if service not in self._targets:
                breaker = Breaker(threshold=self._threshold, rest=self._rest, clock=self._clock)
                self._targets[service] = _Target(self._in_flight, breaker)
            return self._targets[service]

    def _refused(self, service: str, reason: str, wait: float) -> Unavailable:
        UPSTREAM_REFUSED.labels(service, reason).inc()
        return Unavailable(members={"retry_after": math.ceil(wait)})
