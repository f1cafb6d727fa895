"""The live streams (Server-Sent Events) that one process holds.

A stream keeps no queue: events of the bus only say that there is something to tell, and what it is, is then read from
where it is kept, after the stream's position. So a slow reader costs nothing, nothing is told twice, and what was
missed, while the browser or we were away, comes in its order. Events about who has no stream here are dropped at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count
from typing import Any, Literal, Protocol, TypeVar
from uuid import UUID

from prometheus_client import Counter, Gauge

from chassis.database import is_database_away
from chassis.telemetry import get_logger
from contracts.envelope import Envelope
from contracts.errors import Unavailable
from contracts.events.accounts import UserChanged
from contracts.events.base import Event
from contracts.events.gamification import StreakExtended, StreakFrozen, XpAwarded
from contracts.events.notification import DuelNoted, NotificationAdded
from gateway.badges import with_badge_names
from gateway.domain.positions import Position
from gateway.messages import Language
from gateway.models.game import Game
from gateway.models.notifications import LiveDuel, Notification
from gateway.notifications import Names, duel_for_stream, with_names
from gateway.people import Person
from gateway.schemas import to_json
from gateway.wsgi import Headers, Receive, Send

EVENT_STREAM = "text/event-stream"
STREAM_VARIABLE = "tanka.stream"
"""Where in the environment a view leaves the `Opening` of a stream that the process shall go on with."""

BEAT_SECONDS = 15
STUCK_SECONDS = 30.0
"""How long a reader may take nothing."""
PER_PERSON = 8
MOST_STREAMS = 3_000
"""In one process, so that connections are left for requests (`gateway.__main__.BACKPRESSURE`)."""
READERS = 8
BEGIN_SECONDS = 5.0
"""How long a greeting may wait for where the stream begins."""
FAREWELL_SECONDS = 1.0
"""How long the end of a stream may take."""
LATE_AT_ONCE = 200
"""Streams that ask again, each second, for what could not be read."""

HELLO = b": hello\nretry: 3000\n\n"
BEAT = b":\n\n"

OPEN = Gauge("streams_open", "Live streams held")
ENDED = Counter("streams_ended_total", "Live streams ended", ["reason"])
TOLD = Counter("stream_events_total", "Events told on live streams", ["kind"])

Part = Literal["feed", "game", "beat"]
T = TypeVar("T")

_log = get_logger("streams")


class Upstream(Protocol):
    """How the services are called."""

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """The service's answer as decoded JSON. Raises `contracts.errors.ServiceError`."""
        ...


class Known(Names, Protocol):
    """What `gateway.people.People` offers."""

    def by_id(self, user_id: UUID) -> Person | None:
        """The person, or nobody."""
        ...


@dataclass(frozen=True, slots=True)
class Opening:
    """Whose stream it is, until when (seconds since 1970), and where it goes on."""

    user_id: UUID
    ends_at: float
    position: Position | None


@dataclass(frozen=True, slots=True)
class _Told:
    """An event to be told: which kind, what it says, and where the stream stands then."""

    kind: str
    data: bytes
    number: int


@dataclass(frozen=True, slots=True)
class _Feed:
    told: tuple[_Told, ...]
    number: int
    more: bool


@dataclass(eq=False, slots=True)
class _Stream:
    opening: Opening
    send: Send
    slot: int
    position: Position
    due: set[Part]
    late: set[Part] = field(default_factory=set)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None
    ending: str = ""
    writing_since: float | None = None


class Streams:
    """The streams of one process. `serve` and `start` run in its loop, events come from any thread."""

    def __init__(
        self,
        upstream: Upstream,
        people: Callable[[], Known],
        *,
        clock: Callable[[], float] = time.time,
        second: float = 1.0,
    ) -> None:
        self._upstream = upstream
        self._people = people
        self._clock = clock
        self._second = second
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="streams")
        self._by_person: dict[UUID, list[_Stream]] = {}
        self._open = 0
        self._slots = count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._closed = False
        self._tell: dict[Part, Callable[[_Stream], Awaitable[None]]] = {
            "beat": self._tell_beat,
            "feed": self._tell_feed,
            "game": self._tell_game,
        }

    @property
    def is_full(self) -> bool:
        """Whether no more streams are taken."""
        return self._open >= MOST_STREAMS

    def start(self) -> None:
        """Begin, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._ticker = self._loop.create_task(self._tick_on())

    def end_all(self) -> None:
        """End every stream at once, and take no more: the process ends. Called in the loop."""
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
        for stream in self._all():
            self._end(stream, "closing")

    def close(self) -> None:
        """Let go of the threads."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def serve(self, opening: Opening, headers: Headers, receive: Receive, send: Send) -> None:
        """Hold a stream until its access ends, the reader goes or takes nothing, or the process ends."""
        # a task of our own: the server's cannot be cancelled
        task = asyncio.get_running_loop().create_task(self._serve(opening, headers, receive, send))
        with suppress(asyncio.CancelledError):
            await task

    def on_event(self, _envelope: Envelope, event: Event) -> None:
        """Wake the streams that the event concerns."""
        match event:
            case XpAwarded() | StreakExtended() | StreakFrozen():
                self._concerns(event.user_id, self._wake, "game")
            case NotificationAdded() | DuelNoted():
                self._concerns(event.user_id, self._wake, "feed")
            case UserChanged() if event.status == "erased":
                self._concerns(event.user_id, self._end, "erased")

    def drop_all(self) -> None:
        """Let every stream look for what it has missed: events may not have been heard."""
        if self._loop is not None and self._open:
            self._loop.call_soon_threadsafe(self._wake_all)

    def _concerns(self, user_id: UUID, do: Callable[[_Stream, Any], None], what: str) -> None:
        if user_id in self._by_person and self._loop is not None:
            self._loop.call_soon_threadsafe(self._for_each_of, user_id, do, what)

    def _for_each_of(self, user_id: UUID, do: Callable[[_Stream, Any], None], what: str) -> None:
        for stream in self._by_person.get(user_id, ()):
            do(stream, what)

    def _wake_all(self) -> None:
        for stream in self._all():
            self._wake(stream, "feed", "game")

    def _all(self) -> list[_Stream]:
        return [stream for streams in self._by_person.values() for stream in streams]

    def _wake(self, stream: _Stream, *parts: Part) -> None:
        stream.due.update(parts)
        stream.wake.set()

    def _end(self, stream: _Stream, reason: str) -> None:
        if not stream.ending:
            stream.ending = reason
            stream.wake.set()
            if stream.writing_since is not None and stream.task is not None:
                stream.task.cancel()

    async def _serve(self, opening: Opening, headers: Headers, receive: Receive, send: Send) -> None:
        stream = self._admit(opening, send)
        watch = asyncio.get_running_loop().create_task(self._watch(stream, receive))
        try:
            await self._begin(stream)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._write(stream, HELLO)
            if stream.position.number is not None:
                # an id alone is no event, but a browser remembers it
                await self._write(stream, b"id: %s\n\n" % str(stream.position).encode())
            while not stream.ending:
                await stream.wake.wait()
                stream.wake.clear()
                await self._tell_what_is_due(stream)
        finally:
            watch.cancel()
            self._discharge(stream)
        # who was cut off in the middle of a write would not take this either
        if stream.ending != "gone":
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self, stream: _Stream) -> None:
        """Find out what the last thing told is, before the greeting says that from now on all is heard."""
        if stream.position.number is not None:
            return
        reading = self._read(self._read_feed, stream.opening.user_id, None)
        try:
            feed = await asyncio.wait_for(reading, BEGIN_SECONDS)
        except Exception as error:
            if not isinstance(error, Unavailable | TimeoutError) and not is_database_away(error):
                _log.error("where a stream begins cannot be read", exc_info=error)
        else:
            if feed is not None:
                stream.position = Position(feed.number, stream.position.game)

    def _admit(self, opening: Opening, send: Send) -> _Stream:
        position = opening.position or Position()
        stream = _Stream(opening, send, next(self._slots) % BEAT_SECONDS, position, {"feed"})
        if opening.position is not None:
            stream.due.add("game")
        stream.task = asyncio.current_task()
        stream.wake.set()
        if self._closed:
            stream.ending = "closing"
        others = self._by_person.setdefault(opening.user_id, [])
        if len(others) >= PER_PERSON:
            self._end(others[0], "replaced")
        others.append(stream)
        self._open += 1
        OPEN.inc()
        return stream

    def _discharge(self, stream: _Stream) -> None:
        others = self._by_person[stream.opening.user_id]
        others.remove(stream)
        if not others:
            del self._by_person[stream.opening.user_id]
        self._open -= 1
        OPEN.dec()
        ENDED.labels(stream.ending or "fault").inc()

    async def _watch(self, stream: _Stream, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._end(stream, "gone")

    async def _tell_what_is_due(self, stream: _Stream) -> None:
        # where it stands is told before what needs to be numbered
        for part in ("beat", "feed", "game"):
            while part in stream.due and not stream.ending:
                stream.due.discard(part)
                try:
                    await self._tell[part](stream)
                except Exception as error:
                    if not isinstance(error, Unavailable) and not is_database_away(error):
                        _log.error("what a stream tells cannot be read", part=part, exc_info=error)
                    stream.late.add(part)

    async def _tell_beat(self, stream: _Stream) -> None:
        await self._write(stream, BEAT)

    async def _tell_feed(self, stream: _Stream) -> None:
        after = stream.position.number
        feed = await self._read(self._read_feed, stream.opening.user_id, after)
        if feed is None:
            self._end(stream, "erased")
            return
        if feed.told:
            places = [Position(told.number, stream.position.game) for told in feed.told]
            events = zip(feed.told, places, strict=True)
            await self._write(stream, b"".join(_event(told.kind, told.data, at) for told, at in events))
            for told in feed.told:
                TOLD.labels(told.kind).inc()
        if after is None:
            # what was told since the greeting is not known: the browser opens another stream, and reads the inbox again
            self._end(stream, "unplaced")
            return
        stream.position = Position(feed.number, stream.position.game)
        if feed.more:
            stream.due.add("feed")

    async def _tell_game(self, stream: _Stream) -> None:
        data = await self._read(self._read_game, stream.opening.user_id)
        if data is None:
            self._end(stream, "erased")
            return
        position = Position(stream.position.number, blake2b(data, digest_size=8).hexdigest())
        if position != stream.position:
            await self._write(stream, _event("game", data, position))
            stream.position = position
            TOLD.labels("game").inc()

    async def _write(self, stream: _Stream, content: bytes) -> None:
        # its end came during a read, and nobody would cut this write off
        if stream.ending:
            return
        stream.writing_since = time.monotonic()
        try:
            await stream.send({"type": "http.response.body", "body": content, "more_body": True})
        finally:
            stream.writing_since = None

    async def _read(self, read: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, read, *arguments)

    def _read_feed(self, user_id: UUID, after: int | None) -> _Feed | None:
        person = self._people().by_id(user_id)
        if person is None:
            return None
        answer = self._upstream.call("notification", "get_feed", user_id=user_id, locale=person.locale, after=after)
        return _Feed(self._with_names(answer["items"], person.locale), answer["number"], answer["more"])

    def _with_names(self, items: Sequence[dict[str, Any]], language: Language) -> tuple[_Told, ...]:
        people = self._people()
        shown = iter(with_names([item["notification"] for item in items if item["notification"]], people, language))

        def told(item: dict[str, Any]) -> _Told:
            if item["notification"]:
                return _Told("notification", to_json(Notification.model_validate(next(shown))), item["number"])
            duel = LiveDuel.model_validate(duel_for_stream(item["duel"], people, language))
            return _Told("duel", to_json(duel), item["number"])

        return tuple(told(item) for item in items)

    def _read_game(self, user_id: UUID) -> bytes | None:
        person = self._people().by_id(user_id)
        if person is None:
            return None
        answer = self._upstream.call("gamification", "get_game", user_id=user_id, time_zone=person.time_zone)
        return to_json(Game.model_validate(with_badge_names(answer, person.locale)))

    async def _tick_on(self) -> None:
        for second in count():
            await asyncio.sleep(self._second)
            self._tick(second)

    def _tick(self, second: int) -> None:
        now, moment, patience = self._clock(), time.monotonic(), LATE_AT_ONCE
        for stream in self._all():
            if stream.opening.ends_at <= now:
                self._end(stream, "expired")
            elif stream.writing_since is not None and moment - stream.writing_since > STUCK_SECONDS:
                self._end(stream, "stuck")
            elif stream.slot == second % BEAT_SECONDS:
                self._wake(stream, "beat")
            if stream.late and patience:
                patience -= 1
                self._wake(stream, *stream.late)
                stream.late.clear()


def _event(kind: str, data: bytes, position: Position) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (str(position).encode(), kind.encode(), data)
