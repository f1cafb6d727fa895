"""What tests let go wrong: answers held back after the work is done, requests that fail or hang."""

import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from demo.sandbox.errors import Broken


@dataclass
class Hold:
    """The next answer to a kind of request, kept back until released or for so many seconds."""

    id: str
    request: str
    seconds: float
    state: Literal["waiting", "holding", "over"] = "waiting"
    released: threading.Event = field(default_factory=threading.Event)


@dataclass
class Failure:
    """The next requests of a kind: each is answered by this status after so many seconds, and nothing done."""

    request: str
    times: int
    status: int
    seconds: float


class Interference:
    """What is to go wrong, by kinds of request such as `POST /v1/checkout/sessions/<id>/expire`; thread-safe."""

    def __init__(self) -> None:
        self._holds: dict[str, Hold] = {}
        self._failures: list[Failure] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def hold(self, request: str, seconds: float) -> Hold:
        """Hold back the next answer to such a request."""
        with self._lock:
            hold = Hold(f"hold_{next(self._numbers)}", request, seconds)
            self._holds[hold.id] = hold
        return hold

    def found(self, hold_id: str) -> Hold | None:
        """Return the hold with this id, or None."""
        return self._holds.get(hold_id)

    def fail(self, failure: Failure) -> None:
        """Let such requests fail, before anything is done."""
        with self._lock:
            self._failures.append(failure)

    def before(self, request: str) -> None:
        """Called before a request is carried out. Raises `Broken` when it is to fail."""
        with self._lock:
            failure = next((one for one in self._failures if one.request == request), None)
            if failure is None:
                return
            failure.times -= 1
            if failure.times <= 0:
                self._failures.remove(failure)
        time.sleep(failure.seconds)
        error = Broken("The sandbox was told to fail.")
        error.status = failure.status
        raise error

    def after(self, request: str) -> None:
        """Called after a request was carried out, before it is answered; returns when the answer may go."""
        with self._lock:
            hold = next((one for one in self._holds.values() if (one.request, one.state) == (request, "waiting")), None)
            if hold is None:
                return
            hold.state = "holding"
        hold.released.wait(hold.seconds)
        hold.state = "over"
