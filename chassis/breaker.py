"""A circuit breaker: who was silent several times in a row is left alone for a while."""

import threading
from collections.abc import Callable


class Breaker:
    """Opens after `threshold` silences in a row; then, every `rest` seconds, lets one trial call through.

    Any answer closes it, errors on purpose included. Times are those of `clock`, in seconds.
    """

    def __init__(self, *, threshold: int, rest: float, clock: Callable[[], float]) -> None:
        self._threshold = threshold
        self._rest = rest
        self._clock = clock
        self._lock = threading.Lock()
        self._silences = 0
        self._next_trial = 0.0

    def wait(self) -> float:
        """0.0 when a call may be made now (open: this is the trial), else the seconds until the next trial."""
        with self._lock:
            if self._silences < self._threshold:
                return 0.0
            now = self._clock()
            if now < self._next_trial:
                return self._next_trial - now
            self._next_trial = now + self._rest
            return 0.0

    def answered(self) -> None:
        """The service gave an answer."""
        with self._lock:
            self._silences = 0

    def silent(self) -> None:
        """The service gave none."""
        with self._lock:
            self._silences += 1
            if self._silences >= self._threshold:
                self._next_trial = self._clock() + self._rest
