"""Given streams that are held, each tells its own, in order, once, and ends when it should."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import wraps
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.errors import Unavailable
from contracts.events.accounts import UserChanged
from contracts.events.base import Event
from contracts.events.gamification import StreakExtended
from contracts.events.notification import DuelNoted, NotificationAdded
from gateway import streams as module
from gateway.domain.positions import read_position
from gateway.people import Person
from gateway.streams import PER_PERSON, Opening, Streams

NOW = datetime(2026, 11, 23, 19, tzinfo=UTC)
AWA, BER = uuid4(), uuid4()
ENVELOPE: Any = None


@dataclass
class Academy:
    """What streams read: what people were told, and their game; and who there is."""

    told: dict[UUID, list[dict[str, Any]]] = field(default_factory=dict)
    xp: dict[UUID, int] = field(default_factory=dict)
    silent: bool = False
    gone: set[UUID] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    reading: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.reading.set()

    def by_id(self, user_id: UUID) -> Person | None:
        return self.by_ids([user_id]).get(user_id)

    def by_ids(self, ids: Iterable[UUID]) -> dict[UUID, Person]:
        names = {AWA: "Awa", BER: "Ber"}
        return {
            user_id: Person(user_id, "student", "UTC", "fr", names[user_id], None, "", user_id, is_shown_by_name=True)
            for user_id in ids
            if user_id in names and user_id not in self.gone
        }

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        self.calls.append(method)
        if not self.reading.is_set():
            self.held.set()
        self.reading.wait(5)
        if self.silent:
            raise Unavailable
        return getattr(self, method)(**arguments)

    def get_feed(self, user_id: UUID, locale: str, after: int | None) -> Any:
        told = self.told.get(user_id, [])
        last = told[-1]["number"] if told else 0
        if after is None:
            return {"items": [], "number": last, "more": False}
        items = [item for item in told if item["number"] > after]
        return {"items": items[:2], "number": items[1]["number"] if len(items) > 2 else last, "more": len(items) > 2}

    def get_game(self, user_id: UUID, time_zone: str) -> Any:
        return {
            "xp": self.xp.get(user_id, 0),
            "level": {"number": 1, "xp_from": 0, "xp_to": 100},
            "points": 0,
            "streak": {
                "current": 0,
                "longest": 0,
                "today_done": False,
                "alive_until": None,
                "freezes": 0,
                "freezes_max": 2,
            },
            "squad": None,
            "badges": [],
            "leaderboard_opt_out": False,
        }

    def add(self, user_id: UUID, title: str) -> NotificationAdded:
        """Tell somebody something."""
        notification_id = uuid4()
        item = {
            "id": str(notification_id),
            "kind": "system",
            "title": title,
            "body": "…",
            "link": "/",
            "created_at": NOW.isoformat(),
            "read_at": None,
            "people": {"rival": {"id": str(BER), "otherwise": "quelqu’un"}},
            "badge": None,
        }
        self._put(user_id, {"notification": item, "duel": None})
        return NotificationAdded(notification_id=notification_id, user_id=user_id, kind="system", added_at=NOW)

    def note_duel(self, user_id: UUID) -> DuelNoted:
        """Let a duel of somebody's come to its end."""
        duel_id = uuid4()
        duel = {
            "duel_id": str(duel_id),
            "chapter_id": str(uuid4()),
            "course_id": str(uuid4()),
            "mode": "live",
            "state": "finished",
            "challenger_id": str(user_id),
            "opponent_id": str(BER),
            "winner_id": None,
            "points_moved": 0,
            "void_reason": None,
            "expires_at": NOW.isoformat(),
            "changed_at": NOW.isoformat(),
        }
        self._put(user_id, {"notification": None, "duel": duel})
        return DuelNoted(duel_id=duel_id, user_id=user_id, noted_at=NOW)

    def _put(self, user_id: UUID, item: dict[str, Any]) -> None:
        told = self.told.setdefault(user_id, [])
        told.append(item | {"number": len(told) + 1})


@dataclass(eq=False)
class Browser:
    """Who reads a stream: what came, until `away` or the end; takes nothing `offered` while it is not `reading`."""

    content: bytes = b""
    offered: bool = False
    ended: bool = False
    away: asyncio.Event = field(default_factory=asyncio.Event)
    reading: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.reading.set()

    async def receive(self) -> dict[str, Any]:
        await self.away.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            self.offered = not self.reading.is_set()
            await self.reading.wait()
            self.content += message["body"]
            self.ended = not message["more_body"]

    def leave(self) -> None:
        """See the connection end."""
        self.ended = True

    def events(self) -> list[tuple[str, Any]]:
        """The events that came, each with its data."""
        return [(event["event"], json.loads(event["data"])) for event in self._blocks() if "event" in event]

    def titles(self) -> list[str]:
        """The titles of the notifications that came."""
        return [data["title"] for kind, data in self.events() if kind == "notification"]

    def last_event_id(self) -> str:
        """What the browser would come back with."""
        return next(block["id"] for block in reversed(self._blocks()) if "id" in block)

    def _blocks(self) -> list[dict[str, str]]:
        return [
            dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
            for block in self.content.decode().split("\n\n")
        ]


class Process:
    """One process with its streams; every event is heard by all of them."""

    def __init__(self, academy: Academy) -> None:
        self.now = NOW.timestamp()
        self.streams = Streams(academy, lambda: academy, clock=lambda: self.now, second=0.01)
        self.streams.start()
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self, user_id: UUID = AWA, last_event_id: str | None = None, life: float = 900.0) -> Browser:
        """A browser that reads a stream and has been greeted."""
        browser = Browser()
        opening = Opening(user_id, self.now + life, read_position(last_event_id))
        task = asyncio.create_task(self.streams.serve(opening, [], browser.receive, browser.send))
        self._serving.add(task)
        task.add_done_callback(lambda _: browser.leave())
        await soon(lambda: browser.content.startswith(b": hello") or browser.ended)
        if last_event_id is None and not browser.ended:
            await soon(lambda: b"id: " in browser.content)
        return browser

    def hear(self, event: Event) -> None:
        """An event of the bus, heard on the listener's thread."""
        self.streams.on_event(ENVELOPE, event)


async def soon(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait until the condition holds; fail when it does not within the time."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


def in_loop(test: Callable[[Academy], Awaitable[None]]) -> Callable[[], None]:
    """Run a test in a loop of its own, on an academy of its own."""

    @wraps(test)
    def run() -> None:
        asyncio.run(test(Academy()))  # type: ignore[arg-type]

    del run.__wrapped__
    return run


def extended(user_id: UUID) -> StreakExtended:
    return StreakExtended(user_id=user_id, local_date=date(2026, 11, 23), current=1, longest=1, extended_at=NOW)


def erased(user_id: UUID) -> UserChanged:
    return UserChanged(
        user_id=user_id, role="student", status="erased", time_zone="UTC", locale="fr", email_verified=False
    )


@in_loop
async def test_a_stream_tells_what_happens_after_it_was_opened_in_its_order(academy: Academy) -> None:
    academy.add(AWA, "avant")
    process = Process(academy)
    browser = await process.open()

    process.hear(academy.add(AWA, "contre {rival}"))
    process.hear(academy.note_duel(AWA))
    process.hear(academy.add(AWA, "puis"))
    academy.xp[AWA] = 20
    process.hear(extended(AWA))

    await soon(lambda: len(browser.events()) == 4)
    assert browser.titles() == ["contre Ber", "puis"]
    duel = dict(browser.events())["duel"]
    assert duel["players"] == [{"id": str(AWA), "display_name": "Awa"}, {"id": str(BER), "display_name": "Ber"}]
    assert "score" not in json.dumps(duel)
    assert dict(browser.events())["game"]["xp"] == 20


@in_loop
async def test_what_was_missed_comes_first_and_once_also_from_another_process(academy: Academy) -> None:
    first, second = Process(academy), Process(academy)
    browser = await first.open()
    first.hear(academy.add(AWA, "un"))
    await soon(lambda: browser.titles() == ["un"])
    browser.away.set()
    await soon(lambda: browser.ended)
    for title in ("deux", "trois", "quatre", "cinq"):
        academy.add(AWA, title)

    again = await second.open(last_event_id=browser.last_event_id())
    await soon(lambda: len(again.titles()) == 4)
    second.hear(academy.add(AWA, "six"))
    await soon(lambda: len(again.titles()) == 5)

    assert again.titles() == ["deux", "trois", "quatre", "cinq", "six"]


@in_loop
async def test_what_is_told_right_after_the_greeting_is_not_lost(academy: Academy) -> None:
    process = Process(academy)
    academy.add(AWA, "avant")
    greeted = asyncio.Event()
    browser = Browser()
    taken = browser.send

    async def send(message: Any) -> None:
        await taken(message)
        if message.get("body", b"").startswith(b": hello"):
            academy.add(AWA, "pendant")
            greeted.set()

    opening = Opening(AWA, process.now + 900, None)
    task = asyncio.create_task(process.streams.serve(opening, [], browser.receive, send))
    await soon(greeted.is_set)

    await soon(lambda: browser.titles() == ["pendant"])
    browser.away.set()
    await task


@in_loop
async def test_a_stream_that_knows_no_beginning_ends_as_soon_as_it_can_be_read(academy: Academy) -> None:
    process = Process(academy)
    academy.silent = True
    browser = Browser()
    task = asyncio.create_task(
        process.streams.serve(Opening(AWA, process.now + 900, None), [], browser.receive, browser.send)
    )
    await soon(lambda: browser.content.startswith(b": hello"))
    academy.add(AWA, "nobody knows whether the browser has read it")
    academy.silent = False

    await task

    assert browser.ended
    assert browser.titles() == []


@in_loop
async def test_a_game_that_did_not_move_meanwhile_is_not_told_again(academy: Academy) -> None:
    process = Process(academy)
    browser = await process.open()
    process.hear(extended(AWA))
    await soon(lambda: len(browser.events()) == 1)
    process.hear(extended(AWA))
    browser.away.set()
    await soon(lambda: browser.ended)

    same = await process.open(last_event_id=browser.last_event_id())
    await soon(lambda: academy.calls.count("get_game") >= 2)
    academy.xp[AWA] = 40
    moved = await process.open(last_event_id=browser.last_event_id())
    await soon(lambda: moved.events())

    assert same.events() == []
    assert [data["xp"] for _, data in moved.events()] == [40]


@in_loop
async def test_what_concerns_nobody_here_is_dropped_without_a_look(academy: Academy) -> None:
    process = Process(academy)
    browser = await process.open()
    before = len(academy.calls)

    process.hear(academy.add(BER, "à Ber"))
    process.hear(extended(BER))
    process.hear(academy.add(AWA, "à Awa"))
    await soon(lambda: browser.titles())

    assert academy.calls[before:] == ["get_feed"]


@in_loop
async def test_what_was_not_heard_is_told_once_the_bus_is_heard_again(academy: Academy) -> None:
    process = Process(academy)
    browser = await process.open()
    academy.add(AWA, "manqué")

    process.streams.drop_all()

    await soon(lambda: browser.titles() == ["manqué"])


@in_loop
async def test_what_cannot_be_read_now_is_told_as_soon_as_it_can(academy: Academy) -> None:
    process = Process(academy)
    browser = await process.open()
    academy.silent = True
    asked = academy.calls.count("get_feed")
    process.hear(academy.add(AWA, "plus tard"))
    await soon(lambda: academy.calls.count("get_feed") > asked)

    academy.silent = False

    await soon(lambda: browser.titles() == ["plus tard"])
    assert not browser.ended


@in_loop
async def test_a_stream_beats_while_nothing_happens(academy: Academy) -> None:
    process = Process(academy)
    browser = await process.open()

    await soon(lambda: browser.content.count(b"\n:\n\n") >= 2)


@in_loop
async def test_a_stream_ends_with_the_access_that_opened_it(academy: Academy) -> None:
    process = Process(academy)
    browser, other = await process.open(life=60), await process.open(life=61)

    process.now += 60

    await soon(lambda: browser.ended)
    assert not other.ended


@in_loop
async def test_a_stream_ends_when_its_person_is_erased_heard_or_not(academy: Academy) -> None:
    process = Process(academy)
    heard, other = await process.open(), await process.open(BER)
    process.hear(erased(AWA))
    await soon(lambda: heard.ended)

    academy.gone.add(BER)
    process.streams.drop_all()

    await soon(lambda: other.ended)


@in_loop
async def test_the_oldest_stream_of_a_person_gives_way(academy: Academy) -> None:
    process = Process(academy)
    browsers = [await process.open() for _ in range(PER_PERSON)]
    other = await process.open(BER)

    newest = await process.open()

    await soon(lambda: browsers[0].ended)
    process.hear(academy.add(AWA, "à tous"))
    await soon(lambda: all(browser.titles() for browser in (*browsers[1:], newest)))
    assert not other.ended


def test_a_reader_who_takes_nothing_is_let_go_and_costs_nothing_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.3)

    async def test(academy: Academy) -> None:
        process = Process(academy)
        slow, quick = await process.open(), await process.open()
        slow.reading.clear()
        for number in range(50):
            process.hear(academy.add(AWA, f"n° {number}"))
            if number == 0:
                await soon(lambda: quick.titles())
        await soon(lambda: len(quick.titles()) == 50)

        await soon(lambda: slow.ended)
        assert slow.titles() == []
        again = await process.open(last_event_id=slow.last_event_id())
        await soon(lambda: len(again.titles()) == 50)
        assert not quick.ended

    asyncio.run(test(Academy()))


@in_loop
async def test_a_reader_who_takes_nothing_holds_up_no_end_of_their_stream(academy: Academy) -> None:
    process = Process(academy)
    writing, idle = await process.open(life=60), await process.open(BER, life=60)
    writing.reading.clear()
    idle.reading.clear()
    process.hear(academy.add(AWA, "…"))
    await soon(lambda: writing.offered)

    process.now += 61

    await soon(lambda: writing.ended and idle.ended, module.FAREWELL_SECONDS + 0.5)


@in_loop
async def test_an_end_that_comes_during_a_read_is_not_lost_in_a_write(academy: Academy) -> None:
    process = Process(academy)
    browser = await process.open()
    browser.reading.clear()
    academy.reading.clear()
    process.hear(academy.add(AWA, "…"))
    await soon(academy.held.is_set)

    process.streams.end_all()
    academy.reading.set()

    await soon(lambda: browser.ended, module.FAREWELL_SECONDS + 0.5)


@in_loop
async def test_when_the_process_ends_all_streams_do_at_once_and_no_more_begin(academy: Academy) -> None:
    process = Process(academy)
    slow, idle = await process.open(), await process.open(BER)
    slow.reading.clear()
    process.hear(academy.add(AWA, "…"))
    await soon(lambda: slow.offered)

    process.streams.end_all()

    await soon(lambda: idle.ended, 0.5)
    await soon(lambda: slow.ended, module.FAREWELL_SECONDS + 0.5)
    late = await process.open()
    assert late.ended


@in_loop
async def test_no_more_streams_are_taken_than_connections_can_be_spared(academy: Academy) -> None:
    process = Process(academy)
    assert not process.streams.is_full
    browser = await process.open()
    original, module.MOST_STREAMS = module.MOST_STREAMS, 1
    try:
        assert process.streams.is_full
        browser.away.set()
        await soon(lambda: not process.streams.is_full)
    finally:
        module.MOST_STREAMS = original


def test_an_event_is_heard_before_there_is_a_loop() -> None:
    academy = Academy()
    streams = Streams(academy, lambda: academy)

    streams.on_event(ENVELOPE, extended(AWA))
    streams.drop_all()
