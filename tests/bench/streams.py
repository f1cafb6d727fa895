"""Many live streams on one gateway process: its memory, and how soon an award reaches the stream that it concerns."""

import asyncio
import multiprocessing
import resource
import time
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from urllib.parse import urlsplit
from uuid import UUID

import psutil
from rich.console import Console
from sqlalchemy import text

from chassis.database import Database
from chassis.rpc_client import RpcClient
from tests.academy import AcademyUnderTest
from tests.bench.http_load import request_bytes
from tests.seed import register_students, sow

STREAMS = 2_000
AWARDS = 200
PACE = 10.0
OPENING = 100
"""Streams that are opened at once."""
PATIENCE = 60.0

_AWARDED = text(
    "select partition_key, recorded_at from event_log "
    "where type = 'gamification.xp_awarded.v1' and recorded_at >= :since"
)


@dataclass(frozen=True)
class Held:
    """What the client saw: how long the opening took, and when each award was asked for and came, by student."""

    asked: dict[UUID, float]
    came: dict[UUID, float]


def measure(console: Console) -> None:
    """Open the streams, let students earn, and print what that took."""
    # one worker, which holds them all
    with AcademyUnderTest({"GATEWAY_WORKERS": "1"}, durable=True) as academy:
        rpc = RpcClient(academy.amqp_uri, prefix=academy.settings.bus_prefix, deadline=10)
        seed = sow(academy.settings, rpc, students=AWARDS, lessons=2)
        rpc.stop()
        tokens = {**seed.tokens, **register_students(academy.settings, STREAMS - AWARDS)}
        worker = _worker(academy)
        before = _resident(worker)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        client = context.Process(target=_hold, args=(theirs, academy.base_url, tokens, seed.lesson_ids[0]))
        client.start()
        try:
            seconds = ours.recv()
            time.sleep(2)
            console.print(f"{STREAMS:,} streams opened in {seconds:.1f} s on one gateway process, which takes")
            console.print(
                f"{_resident(worker)} MB resident (before: {before} MB; aim 300 MB) and {worker.num_threads()} threads"
            )
            used = sum(worker.cpu_times()[:2])
            time.sleep(15)
            idle = (sum(worker.cpu_times()[:2]) - used) / 15
            console.print(f"all idle for 15 s: {idle * 100:.1f} % of a core")
            ours.send("earn")
            held: Held = ours.recv()
            recorded = _recorded(academy, min(held.asked.values()))
            _say(console, "from the award's event to its stream", held, recorded, "aim 200 ms")
            _say(console, "from the request of the completion to the stream", held, held.asked, "")
            console.print(f"after {len(held.came):,} awards: {_resident(worker)} MB resident")
        finally:
            client.terminate()
            client.join()


def _say(console: Console, what: str, held: Held, since: dict[UUID, float], aim: str) -> None:
    waits = sorted(came - since[user_id] for user_id, came in held.came.items() if user_id in since)
    p50, p99 = waits[len(waits) // 2], waits[int(0.99 * len(waits))]
    missing = len(held.asked) - len(held.came)
    console.print(
        f"{what}: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms of {len(waits)} at {PACE:.0f}/s, {missing} missing"
        + (f" ({aim})" if aim else "")
    )


def _resident(process: psutil.Process) -> int:
    return int(process.memory_info().rss) >> 20


def _worker(academy: AcademyUnderTest) -> psutil.Process:
    children = psutil.Process(academy.pid("gateway")).children(recursive=True)
    return max(children, key=lambda child: child.memory_info().rss)


def _recorded(academy: AcademyUnderTest, since: float) -> dict[UUID, float]:
    game = Database(academy.database_url("gamification"))
    with game.single_statement() as unit_of_work:
        rows = unit_of_work.connection.execute(_AWARDED, {"since": datetime.fromtimestamp(since).astimezone()})
        found = {UUID(row.partition_key): row.recorded_at.timestamp() for row in rows}
    game.close()
    return found


def _hold(pipe: Connection, base_url: str, tokens: dict[UUID, str], lesson_id: UUID) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_Client(base_url, tokens, lesson_id).run(pipe))


class _Client:
    def __init__(self, base_url: str, tokens: dict[UUID, str], lesson_id: UUID) -> None:
        self._base_url = base_url
        self._host, self._port = urlsplit(base_url).hostname or "", urlsplit(base_url).port or 80
        self._tokens = tokens
        self._lesson_id = lesson_id
        self._asked: dict[UUID, float] = {}
        self._came: dict[UUID, float] = {}
        self._readers: list[asyncio.Task[None]] = []
        self._turn = asyncio.Semaphore(OPENING)

    async def run(self, pipe: Connection) -> None:
        """Open all, then earn when told to."""
        began = time.perf_counter()
        await asyncio.gather(*(self._open(user_id) for user_id in self._tokens))
        pipe.send(time.perf_counter() - began)
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        earners = list(self._tokens)[:AWARDS]
        posts = []
        start = time.perf_counter()
        for number, user_id in enumerate(earners):
            await asyncio.sleep(max(0.0, start + number / PACE - time.perf_counter()))
            posts.append(asyncio.create_task(self._complete(user_id)))
        await asyncio.gather(*posts)
        until = time.perf_counter() + PATIENCE
        while len(self._came) < len(earners) and time.perf_counter() < until:
            await asyncio.sleep(0.05)
        pipe.send(Held(self._asked, self._came))
        await asyncio.sleep(PATIENCE)

    async def _open(self, user_id: UUID) -> None:
        async with self._turn:
            reader, writer = await asyncio.open_connection(self._host, self._port)
            writer.write(request_bytes(self._base_url, "GET", "/v1/me/stream", token=self._tokens[user_id]))
            while not (line := await reader.readline()).startswith(b"id: "):
                assert line, "the stream ended"
        self._readers.append(asyncio.create_task(self._read(user_id, reader, writer)))

    async def _read(self, user_id: UUID, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.startswith(b"event: game"):
                self._came.setdefault(user_id, time.time())

    async def _complete(self, user_id: UUID) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        path = f"/v1/lessons/{self._lesson_id}/complete"
        self._asked[user_id] = time.time()
        writer.write(request_bytes(self._base_url, "POST", path, token=self._tokens[user_id], body=b""))
        status = await reader.readline()
        assert b" 200 " in status, status
        writer.close()
