"""`./tanka bench`: all measurements in one run, on a throwaway academy and one broker.

Every figure is printed as it was seen; the aims of the project stand beside those that have one.
"""

import itertools
import json
import multiprocessing
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from chassis.database import Database
from chassis.local.processes import free_ports
from chassis.rpc_client import RpcClient
from tests.academy import AcademyUnderTest
from tests.bench import analytics, game, streams
from tests.bench.bus_load import bare_echo, chassis_echo, drive_bare, drive_chassis
from tests.bench.http_load import Outcome, drive, drive_over, request_bytes
from tests.bench.processes import CpuMeter
from tests.seed import Seed, sow

IN_FLIGHT = (1, 16)
STUDENTS = 240
LESSONS = 60
PACED = 200.0
ROUNDS = 5
LEDGER_PATIENCE = 30.0


class Bench:
    """One run: measures, and collects the rows of the table."""

    def __init__(self, academy: AcademyUnderTest, seconds: float):
        self._academy = academy
        self._seconds = seconds
        self._pids = academy.process_ids()
        self.table = Table(title="Measured", show_lines=False)
        for column in ("what", "in flight", "rate/s", "p50 ms", "p99 ms", "not 2xx", "ratio", "aim", "cores used"):
            self.table.add_column(column, justify="left" if column in ("what", "cores used") else "right")

    def row(self, name: str, in_flight: int, outcome: Outcome, cpu: CpuMeter, ratio: str = "", aim: str = "") -> None:
        """Put an outcome into the table."""
        bad = sum(count for status, count in outcome.statuses.items() if status >= 300)
        shares = {who: share for who, share in cpu.shares(outcome.seconds).items() if share >= 0.01}
        self.table.add_row(
            name,
            str(in_flight),
            f"{outcome.rate:,.0f}",
            f"{outcome.percentile(0.5) * 1000:.2f}",
            f"{outcome.percentile(0.99) * 1000:.2f}",
            str(bad),
            ratio,
            aim,
            " ".join(f"{who} {share:.2f}" for who, share in shares.items()),
        )

    def bus(self) -> None:
        """The bare echo and the chassis' echo, in turn, so that the ratio holds on a noisy machine."""
        settings = self._academy.settings
        port = free_ports(1)[0]
        with bare_echo(settings.amqp_uri) as bare_pid, chassis_echo(settings, port) as chassis_pid:
            for in_flight in IN_FLIGHT:
                bare, ours = Outcome(), Outcome()
                bare_cpu = CpuMeter({**self._pids, "bare echo": bare_pid})
                our_cpu = CpuMeter({**self._pids, "chassis echo": chassis_pid})
                for _ in range(ROUNDS):
                    with bare_cpu:
                        bare += drive_bare(settings.amqp_uri, in_flight, self._seconds / ROUNDS)
                    with our_cpu:
                        ours += drive_chassis(settings, in_flight, self._seconds / ROUNDS)
                self.row("bare py-amqp echo", in_flight, bare, bare_cpu)
                self.row("RPC through the chassis", in_flight, ours, our_cpu, f"{ours.rate / bare.rate:.2f}", "0.60")

    def reads(self, seed: Seed) -> None:
        """A cached catalogue page and a progress read, through the gateway."""
        base = self._academy.base_url
        page = request_bytes(base, "GET", "/v1/courses")
        for in_flight in (*IN_FLIGHT, 32):
            cpu = CpuMeter(self._pids)
            with cpu:
                outcome = drive(base, itertools.repeat(page), in_flight, self._seconds)
            self.row("cached catalogue page", in_flight, outcome, cpu, aim=">4,000" if in_flight > 1 else "")
        reads = _progress_reads(base, seed)
        for in_flight in IN_FLIGHT:
            cpu = CpuMeter(self._pids)
            with cpu:
                outcome = drive(base, itertools.cycle(reads), in_flight, self._seconds)
            self.row("progress read", in_flight, outcome, cpu, aim=">600" if in_flight > 1 else "")

    def completions(self, seed: Seed, console: Console) -> None:
        """Lessons completed through the gateway, and how far behind the ledger is."""
        base = self._academy.base_url
        posts = _completions(base, seed)
        ledger = Database(self._academy.database_url("gamification"))
        told = Database(self._academy.database_url("progress"))
        for in_flight in IN_FLIGHT:
            before = _count(ledger, "select count(*) from ledger where kind = 'lesson'")
            cpu = CpuMeter(self._pids)
            with cpu:
                outcome = drive(base, posts, in_flight, self._seconds)
            last_answer = time.monotonic()
            self.row("lesson completion", in_flight, outcome, cpu, aim=">400" if in_flight > 1 else "")
            wanted = before + sum(count for status, count in outcome.statuses.items() if status < 300)
            while _count(ledger, "select count(*) from ledger where kind = 'lesson'") < wanted:
                if time.monotonic() - last_answer > LEDGER_PATIENCE:
                    raise RuntimeError("the ledger did not catch up")
            behind = time.monotonic() - last_answer
            console.print(
                f"{in_flight} in flight: all {wanted - before} XP rows in the ledger {behind:.2f} s "
                "after the last answer (aim 1 s)"
            )
        started = _count(told, "select coalesce(max(position), 0) from event_log")
        cpu = CpuMeter(self._pids)
        with cpu:
            outcome = drive(base, posts, 64, self._seconds, pace=PACED)
        self.row(f"lesson completion, paced at {PACED:.0f}/s", 64, outcome, cpu)
        _wait_for_quiet(told)
        lags = sorted(_lags(told, ledger, started))
        console.print(
            f"event to ledger at {PACED:.0f}/s: p50 {lags[len(lags) // 2] * 1000:.0f} ms, "
            f"p99 {lags[int(0.99 * len(lags))] * 1000:.0f} ms of {len(lags)} events (aim p99 100 ms)"
        )
        ledger.close()
        told.close()

    def answer_to_xp(self, seed: Seed, console: Console) -> None:
        """How long after the answer to a completion `/v1/me/game` shows its XP, one student at a time."""
        base = self._academy.base_url
        waits = []
        for token in list(seed.tokens.values())[:30]:
            before = _get(base, "/v1/me/game", token)["xp"]
            lesson = seed.lesson_ids[-2]
            post = request_bytes(base, "POST", f"/v1/lessons/{lesson}/complete", token=token, body=b"")
            drive(base, iter([post]), 1, 1)
            answered = time.perf_counter()
            while _get(base, "/v1/me/game", token)["xp"] == before:
                if time.perf_counter() - answered > LEDGER_PATIENCE:
                    raise RuntimeError("the XP never came")
            waits.append(time.perf_counter() - answered)
        median = sorted(waits)[len(waits) // 2]
        console.print(f"XP in /v1/me/game {median * 1000:.0f} ms after the answer (median of {len(waits)}; aim 100 ms)")

    def analytics(self, rpc: RpcClient, console: Console) -> None:
        """An instructor's reads with many sales and completions, and with a tenth of them; and the rebuild."""
        settings, base = self._academy.settings, self._academy.base_url
        smaller: dict[str, Outcome] = {}
        for sales in analytics.SIZES:
            instructor = analytics.settle(settings, rpc, sales)
            analytics.rebuild(settings, console)
            for name, requests in analytics.reads(base, instructor).items():
                cpu = CpuMeter(self._pids)
                with cpu:
                    outcome = drive(base, requests, 1, self._seconds)
                ratio = analytics.times(outcome, smaller[name]) if name in smaller else ""
                completions = sales * analytics.COMPLETIONS_OF_A_SALE
                self.row(
                    f"{name}, {sales:,} sales, {completions:,} completions", 1, outcome, cpu, ratio, "<50 ms, 2.00"
                )
                smaller.setdefault(name, outcome)
            analytics.move(base, instructor, console)

    def game(self, rpc: RpcClient) -> None:
        """Leaderboards and an award with a million students, and with a hundredth of them."""
        smaller: dict[str, Outcome] = {}
        database = Database(self._academy.database_url("gamification"))
        try:
            for students, squads in game.SIZES:
                game.fill(database, students, squads)
                measured = CpuMeter(self._pids)
                with measured:
                    found = game.reads(rpc, students)
                for name, outcome in found.items():
                    ratio = f"{outcome.percentile(0.5) / smaller[name].percentile(0.5):.2f}" if name in smaller else ""
                    what = f"leaderboard of {name}, {students:,} students, {squads:,} squads"
                    self.row(what, 1, outcome, measured, ratio, "<30 ms, 1.50")
                    smaller.setdefault(name, outcome)
                cpu = CpuMeter(self._pids)
                with cpu:
                    awards = game.awards(database, students)
                for part, outcome in awards.items():
                    aim = "<5 ms" if part == "in the database" else ""
                    self.row(f"an award, {part}, {students:,} students", 1, outcome, cpu, "", aim)
        finally:
            database.close()

    def silent_service(self, seed: Seed, console: Console) -> None:
        """Cached pages while progress is stopped in its tracks under 32 callers."""
        base = self._academy.base_url
        page = request_bytes(base, "GET", "/v1/courses")
        usual = drive(base, itertools.repeat(page), 16, self._seconds)
        reads = _progress_reads(base, seed)
        with self._academy.silenced("progress"), ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            callers = pool.submit(drive_over, base, reads, 32, self._seconds + 3)
            time.sleep(3)
            cpu = CpuMeter(self._pids)
            with cpu:
                silent = drive(base, itertools.repeat(page), 16, self._seconds)
            self.row("cached page, progress silent", 16, silent, cpu, f"{silent.rate / usual.rate:.2f}", "0.50")
            answers = callers.result()
        console.print(f"meanwhile 32 callers of progress got (status: answers) {answers.statuses}, ", end="")
        console.print(f"slowest {max(answers.latencies):.2f} s (aim 3 s)")
        self._academy.wait_until_ready("progress")


def _progress_reads(base: str, seed: Seed) -> list[bytes]:
    path = f"/v1/courses/{seed.course_id}/progress"
    return [request_bytes(base, "GET", path, token=token) for token in seed.tokens.values()]


def _completions(base: str, seed: Seed) -> Iterator[bytes]:
    # lesson by lesson over all students; the last lesson is left out, so that no course is finished meanwhile
    for lesson in seed.lesson_ids[:-2]:
        for token in seed.tokens.values():
            yield request_bytes(base, "POST", f"/v1/lessons/{lesson}/complete", token=token, body=b"")
    raise RuntimeError("the seed has too few lessons for this run")


def _count(database: Database, statement: str) -> int:
    with database.single_statement() as unit_of_work:
        return int(unit_of_work.connection.scalar(text(statement)) or 0)


def _wait_for_quiet(told: Database) -> None:
    until = time.monotonic() + LEDGER_PATIENCE
    while _count(told, "select count(*) from outbox") and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1)


def _lags(told: Database, ledger: Database, after: int) -> list[float]:
    with told.single_statement() as unit_of_work:
        recorded: dict[UUID, float] = {
            row.id: row.recorded_at.timestamp()
            for row in unit_of_work.connection.execute(
                text("select id, recorded_at from event_log where position > :after"), {"after": after}
            )
        }
    with ledger.single_statement() as unit_of_work:
        handled = unit_of_work.connection.execute(text("select event_id, handled_at from inbox"))
        return [row.handled_at.timestamp() - recorded[row.event_id] for row in handled if row.event_id in recorded]


def _get(base: str, path: str, token: str) -> dict[str, int]:
    request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        found: dict[str, int] = json.loads(answer.read())
        return found


@click.command()
@click.option("--seconds", default=8.0, show_default=True, help="How long each measurement lasts.")
@click.option("--only", type=click.Choice(["bus", "students", "analytics", "game", "streams"]), help="Only this part.")
def main(seconds: float, only: str | None) -> None:
    """Measure the academy on this machine."""
    console = Console(width=200)
    if only in (None, "streams"):
        streams.measure(console)
    if only == "streams":
        return
    with AcademyUnderTest(durable=True) as academy:
        rpc = RpcClient(academy.settings.amqp_uri, prefix=academy.settings.bus_prefix, deadline=10)
        bench = Bench(academy, seconds)
        try:
            if only in (None, "bus"):
                bench.bus()
            if only in (None, "students"):
                seed = sow(academy.settings, rpc, students=STUDENTS, lessons=LESSONS)
                bench.reads(seed)
                bench.completions(seed, console)
                bench.answer_to_xp(seed, console)
                bench.silent_service(seed, console)
            if only in (None, "analytics"):
                bench.analytics(rpc, console)
            if only in (None, "game"):
                bench.game(rpc)
        finally:
            rpc.stop()
            console.print(bench.table)


if __name__ == "__main__":
    main()
