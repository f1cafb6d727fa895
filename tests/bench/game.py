"""The game with many students and squads: leaderboards through the service, and what an award costs the database."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import md5
from uuid import UUID, uuid4

from sqlalchemy import text

from chassis.clock import now
from chassis.database import Database
from chassis.rpc_client import RpcClient
from contracts.events.progress import LessonCompleted
from services.gamification import leaderboards
from services.gamification.domain.weeks import week_of
from services.gamification.handlers import learning
from tests.bench.http_load import Outcome
from tests.told import envelope_of

SIZES = ((10_000, 200), (1_000_000, 20_000))
"""Students and squads."""
READS = 400
AWARDS = 400
WARM_UP = 20
ZONE = "UTC"

_FILL = (
    text("truncate students, ledger, squads, memberships, standings, rank_totals, rank_spans, rank_changes cascade"),
    text(
        "insert into students (user_id, xp, points, lessons) "
        "select md5('student' || n)::uuid, 20 * (n % 300), 20 * (n % 300), n % 300 "
        "from generate_series(1, :students) n"
    ),
    text(
        "insert into squads (squad_id, name, name_key, motto, official, creator_id, captain_id, members, created_at) "
        "select md5('squad' || n)::uuid, 'Escouade ' || n, 'escouade' || n, '', false, md5('student' || n)::uuid, "
        "md5('student' || n)::uuid, 50, now() from generate_series(1, :squads) n"
    ),
    text(
        "insert into memberships (membership_id, user_id, squad_id, joined_at) "
        "select md5('membership' || n)::uuid, md5('student' || n)::uuid, md5('squad' || 1 + n % :squads)::uuid, "
        "now() - interval '30 days' from generate_series(1, :students) n"
    ),
    # most have little, few have much, and many have the same: exponential, in steps of a lesson
    text(
        "insert into standings (board, period, holder_id, score, reached_at, listed) "
        "select 'students', period, md5('student' || n)::uuid, "
        "20 * (1 + floor(-ln(1 - (cast(n as bigint) * 7919 % 1000003) / 1000004.0) * scale)), "
        "now() - make_interval(secs => (cast(n as bigint) * 104729) % span), true "
        "from generate_series(1, :students) n cross join "
        "(values (cast(:week as text), 6, 3 * 86400), ('all', 60, 300 * 86400)) as spread (period, scale, span)"
    ),
    text(
        "insert into standings (board, period, holder_id, score, reached_at, listed) "
        "select 'squads', period, md5('squad' || n)::uuid, "
        "20 * (1 + floor(-ln(1 - (cast(n as bigint) * 7919 % 1000003) / 1000004.0) * scale)), "
        "now() - make_interval(secs => (cast(n as bigint) * 104729) % span), true "
        "from generate_series(1, :squads) n cross join "
        "(values (cast(:week as text), 200, 3 * 86400), ('all', 2000, 300 * 86400)) as spread (period, scale, span)"
    ),
)


def fill(database: Database, students: int, squads: int) -> None:
    """Let there be so many students and squads, and nobody else."""
    values = {"students": students, "squads": squads, "week": week_of(now(), ZONE)}
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(text("set local statement_timeout = 0"))
        for statement in _FILL:
            unit_of_work.connection.execute(statement, values)
    with database.unit_of_work() as unit_of_work:
        leaderboards.fold_changes(unit_of_work)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))


def reads(rpc: RpcClient, students: int) -> dict[str, Outcome]:
    """The top 20 and one's own rank, asked of the service by students at random: this week and of all time."""
    chosen = random.Random(7)

    def ask(method: str, week: str | None = None) -> Callable[[], object]:
        return lambda: rpc.call("gamification", method, user_id=_student(chosen.randint(1, students)), week=week)

    return {
        "students, this week": _timed(ask("get_student_leaderboard"), READS),
        "students, all time": _timed(ask("get_student_leaderboard", week="all"), READS),
        "squads, this week": _timed(ask("get_squad_leaderboard"), READS),
    }


def awards(database: Database, students: int) -> dict[str, Outcome]:
    """One finished lesson of a student at random, from the lock to the commit: whole, and the database's part of it."""
    chosen = random.Random(11)

    def award() -> None:
        at = now() - timedelta(seconds=1)
        event = LessonCompleted(
            user_id=_student(chosen.randint(1, students)),
            course_id=uuid4(),
            lesson_id=uuid4(),
            completed_at=at,
            time_zone="Europe/Paris",
            access="free",
            hasty=False,
        )
        envelope = envelope_of(event, time=at)
        with database.unit_of_work() as unit_of_work:
            learning.students_learned(unit_of_work, [(envelope, event)], ZONE, now())

    with _waits(database) as waited:
        whole = _timed(award, AWARDS, lambda: waited.append(0.0))
    return {"whole": whole, "in the database": replace(whole, latencies=waited[-AWARDS:])}


@contextmanager
def _waits(database: Database) -> Iterator[list[float]]:
    """For each piece of work, how long its statements and its commit were waited for; a 0 begins the next piece."""
    waited: list[float] = []
    dialect = database.engine.dialect
    execute, execute_many, commit = dialect.do_execute, dialect.do_executemany, dialect.do_commit

    def timed(work: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object, **options: object) -> object:
            start = time.perf_counter()
            try:
                return work(*arguments, **options)
            finally:
                waited[-1] += time.perf_counter() - start

        return run

    dialect.do_execute, dialect.do_executemany = timed(execute), timed(execute_many)  # type: ignore[method-assign, assignment]
    dialect.do_commit = timed(commit)  # type: ignore[method-assign, assignment]
    try:
        yield waited
    finally:
        dialect.do_execute, dialect.do_executemany, dialect.do_commit = execute, execute_many, commit  # type: ignore[method-assign]


def _student(number: int) -> UUID:
    # as md5('student' || n)::uuid in the database
    return UUID(md5(f"student{number}".encode(), usedforsecurity=False).hexdigest())


def _timed(work: Callable[[], object], times: int, before_each: Callable[[], object] = lambda: None) -> Outcome:
    outcome = Outcome()
    for number in range(-WARM_UP, times):
        before_each()
        start = time.perf_counter()
        work()
        if number >= 0:
            outcome.latencies.append(time.perf_counter() - start)
    outcome.seconds = sum(outcome.latencies)
    outcome.statuses[200] = times
    return outcome
