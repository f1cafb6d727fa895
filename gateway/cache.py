"""Encoded answers kept in the gateway's process, dropped when what they show has changed.

A read of a missing page makes one call, however many ask at the same time. A page that was dropped while it was being
read is answered but not kept, so a drop is never undone. The time to live is a safety net only: an expired page is
read again, and served as it is, up to `longest`, while the service behind it is silent. While no events are heard,
every page counts as expired.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from uuid import UUID

from cachetools import LRUCache
from prometheus_client import Counter

from chassis.database import is_database_away, is_database_slow
from contracts.envelope import Envelope
from contracts.errors import Forbidden, InternalError, NotFound, Unavailable
from contracts.events.accounts import UserChanged
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged

CACHE_READS = Counter("page_cache_reads_total", "Reads of cached pages", ["outcome"])
_HIT, _MISS, _JOINED, _STALE = (CACHE_READS.labels(name) for name in ("hit", "miss", "joined", "stale"))

_OVERHEAD = 1024
"""Bytes that a page is taken to need beside its body, so that many small ones are bounded too."""
_PAUSE = 5.0
"""Seconds that a stale page is served before the silent service is asked again."""

COURSES = "courses"
"""The tag of pages that show several courses."""


def course_tag(course_id: UUID | str) -> str:
    """The tag of pages that show this course."""
    return f"course {course_id}"


def person_tag(person_id: UUID | str) -> str:
    """The tag of pages that name this person."""
    return f"person {person_id}"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer as it goes out. `tags` name what it shows; `facts` is what the gateway itself must know about it."""

    body: bytes
    etag: str
    tags: frozenset[str]
    facts: Any = None


def page(body: bytes, tags: Iterable[str], facts: Any = None) -> Page:
    """The encoded answer with its entity tag."""
    return Page(body, f'"{blake2b(body, digest_size=12).hexdigest()}"', frozenset(tags), facts)


@dataclass(slots=True)
class _Kept:
    page: Page
    fresh_until: float
    usable_until: float
    paused_until: float = 0.0
    doubtful: bool = False


@dataclass(slots=True, eq=False)
class _Flight:
    result: "Future[Page]" = field(default_factory=lambda: Future())
    dropped: set[str] = field(default_factory=set)
    expired: bool = False


class _Store(LRUCache[Hashable, _Kept]):
    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, getsizeof=lambda kept: len(kept.page.body) + _OVERHEAD)
        self.tagged: dict[str, set[Hashable]] = {}

    def keep(self, key: Hashable, kept: _Kept) -> None:
        self.pop(key, None)
        try:
            self[key] = kept
        except ValueError:  # larger than the whole cache
            return
        for tag in kept.page.tags:
            self.tagged.setdefault(tag, set()).add(key)

    def __delitem__(self, key: Hashable) -> None:
        for tag in self[key].page.tags:
            keys = self.tagged[tag]
            keys.discard(key)
            if not keys:
                del self.tagged[tag]
        super().__delitem__(key)


class PageCache:
    """Pages by key, bounded to `max_bytes`, least recently used first out. Thread-safe. Durations are in seconds.

    While `is_hearing` says that events do not arrive, every page is read anew: a change must count at once.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 64 * 1024 * 1024,
        fresh: float = 60.0,
        longest: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh = fresh
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._store = _Store(max_bytes)
        self._joinable: dict[Hashable, _Flight] = {}
        self._flights: set[_Flight] = set()
        self.is_hearing: Callable[[], bool] = lambda: True

    def read(
        self, key: Hashable, load: Callable[[], Page], patience: Callable[[], float], *, fresh: float | None = None
    ) -> Page:
        """The kept page, or the one that `load` gives, which is fresh for so many seconds if not for as long as others.

        Raises what `load` raises (then nothing is kept), and `Unavailable` when another thread's load of the same page
        takes longer than `patience()`. An expired page is given as it is when `load` finds a service or database away,
        and beside another thread's load: at once when it has only aged, after `patience()` when it may have changed.
        """
        hearing = self.is_hearing()
        with self._lock:
            kept = self._store.get(key)
            now = self._clock()
            if kept is not None and now < (kept.fresh_until if hearing else kept.paused_until):
                _HIT.inc()
                return kept.page
            doubtful = not hearing or (kept is not None and kept.doubtful)
            stale = kept.page if kept is not None and now < kept.usable_until else None
            flight = self._joinable.get(key)
            if leads := flight is None:
                flight = self._joinable[key] = _Flight()
                self._flights.add(flight)
        assert flight is not None
        if leads:
            _MISS.inc()
            return self._load(key, flight, load, self._fresh if fresh is None else fresh)
        if stale is not None and not doubtful:
            _STALE.inc()
            return stale
        _JOINED.inc()
        try:
            return flight.result.result(timeout=patience())
        except TimeoutError as error:
            if stale is not None:
                return stale
            raise Unavailable(members={"retry_after": 1}) from error

    def kept(self, key: Hashable) -> Page | None:
        """The page if it is kept and has not expired; nothing is read for it."""
        with self._lock:
            kept = self._store.get(key)
            return kept.page if kept is not None and self._clock() < kept.fresh_until else None

    def drop(self, tags: Iterable[str]) -> None:
        """Forget every page that carries one of the tags, those being read now included."""
        with self._lock:
            for tag in tags:
                for key in tuple(self._store.tagged.get(tag, ())):
                    del self._store[key]
                for flight in self._flights:
                    flight.dropped.add(tag)
            # who comes after a change must not be given a read that began before it
            self._joinable.clear()

    def on_event(self, _envelope: Envelope, event: Event) -> None:
        """Drop what shows the course or the person that has changed."""
        if isinstance(event, CourseChanged):
            self.drop((COURSES, course_tag(event.course_id)))
        elif isinstance(event, UserChanged):
            self.drop((person_tag(event.user_id),))

    def drop_all(self) -> None:
        """Changes may have been missed: read every page again before it is given, unless the service is silent."""
        with self._lock:
            for kept in self._store.values():
                kept.fresh_until = kept.paused_until = 0.0
                kept.doubtful = True
            for flight in self._flights:
                flight.expired = True
            self._joinable.clear()

    def _load(self, key: Hashable, flight: _Flight, load: Callable[[], Page], fresh: float) -> Page:
        try:
            loaded = load()
        except Exception as error:
            if (stale := self._failed(key, flight, error)) is None:
                flight.result.set_exception(error)
                raise
            _STALE.inc()
            flight.result.set_result(stale)
            return stale
        with self._lock:
            self._land(key, flight)
            if not flight.expired and flight.dropped.isdisjoint(loaded.tags):
                now = self._clock()
                self._store.keep(key, _Kept(loaded, now + fresh, now + self._longest))
        flight.result.set_result(loaded)
        return loaded

    def _failed(self, key: Hashable, flight: _Flight, error: Exception) -> Page | None:
        with self._lock:
            self._land(key, flight)
            kept = self._store.get(key)
            now = self._clock()
            if kept is None:
                return None
            if isinstance(error, NotFound | Forbidden):
                del self._store[key]
                return None
            is_away = (
                isinstance(error, Unavailable | InternalError) or is_database_away(error) or is_database_slow(error)
            )
            if not is_away or now >= kept.usable_until:
                return None
            kept.fresh_until = kept.paused_until = min(now + _PAUSE, kept.usable_until)
            return kept.page

    def _land(self, key: Hashable, flight: _Flight) -> None:
        self._flights.discard(flight)
        if self._joinable.get(key) is flight:
            del self._joinable[key]
