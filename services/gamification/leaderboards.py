"""The standings of students and squads: the sums of the ledger that leaderboards read, and how they are kept.

A rank is read from counts of holders per score, never by counting holders. The database's triggers add each change to
`rank_changes`, which nobody waits for; `fold_changes` sums them up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection

from chassis.database import UnitOfWork
from services.gamification import squads_of_the_week
from services.gamification.accounting import Entry, Team
from services.gamification.domain.weeks import ALL_TIME, begin_of, end_of, week_of, weeks_around

_FOLD_LOCK = 7_402_301
_SQUAD_LOCKS = 7_402_303

# in the order of the squads, since each is locked: not in its row, where those who come and go would starve
_TEAMS = text(
    "select position, squad_id, official, "
    "pg_advisory_xact_lock_shared(:locks, hashtext(cast(squad_id as text))) from ("
    "select given.position, squad_id, squads.official from "
    "unnest(cast(:user_ids as uuid[]), cast(:instants as timestamptz[])) "
    "with ordinality as given (user_id, at, position) "
    "join memberships on memberships.user_id = given.user_id and memberships.joined_at <= given.at "
    "and (memberships.left_at is null or memberships.left_at > given.at) "
    "join squads using (squad_id) order by squad_id) as found"
)
_KEEP_SCORES_OUT = text("select pg_advisory_xact_lock(:locks, hashtext(cast(:squad_id as text)))")
_ADD = text(
    "insert into standings (board, period, holder_id, score, reached_at, listed) "
    "select board, period, holder_id, score, reached_at, is_listed(board, period, holder_id) "
    "from unnest(cast(:boards as text[]), cast(:periods as text[]), cast(:holder_ids as uuid[]), "
    "cast(:scores as bigint[]), cast(:instants as timestamptz[])) "
    "as given (board, period, holder_id, score, reached_at) "
    "on conflict (board, period, holder_id) do update set "
    "score = standings.score + excluded.score, reached_at = greatest(standings.reached_at, excluded.reached_at)"
)
_RELIST = text(
    "update standings set listed = not listed "
    "where holder_id = :holder_id and listed <> is_listed(board, period, holder_id)"
)
_FOLD = text(
    "with taken as (delete from rank_changes returning board, period, score, reached_from, holders), "
    "totals as (insert into rank_totals (board, period, score, holders) "
    "select board, period, score, sum(holders) from taken group by 1, 2, 3 having sum(holders) <> 0 "
    "on conflict (board, period, score) do update set holders = rank_totals.holders + excluded.holders) "
    "insert into rank_spans (board, period, score, reached_from, holders) "
    "select board, period, score, reached_from, sum(holders) from taken group by 1, 2, 3, 4 having sum(holders) <> 0 "
    "on conflict (board, period, score, reached_from) do update set holders = rank_spans.holders + excluded.holders"
)
_SWEEP = (
    text("delete from rank_totals where holders = 0"),
    text("delete from rank_spans where holders = 0"),
)


def with_teams(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """The entries, those with XP with the squad in which the student was at that instant.

    Only behind the students' locks: whoever joins or leaves a squad takes the same. Until the transaction ends nobody
    hides or closes those squads.
    """
    asked = [(index, entry) for index, entry in enumerate(entries) if entry.award.xp]
    if not asked:
        return list(entries)
    rows = connection.execute(
        _TEAMS,
        {
            "user_ids": [entry.user_id for _, entry in asked],
            "instants": [entry.at for _, entry in asked],
            "locks": _SQUAD_LOCKS,
        },
    )
    teams = {asked[row.position - 1][0]: Team(row.squad_id, "official" if row.official else "squads") for row in rows}
    return [replace(entry, team=teams.get(index)) for index, entry in enumerate(entries)]


def keep_scores_out(connection: Connection, squad_id: UUID) -> None:
    """Wait for those who add to the squad's standings, and let others wait until this transaction has ended."""
    connection.execute(_KEEP_SCORES_OUT, {"locks": _SQUAD_LOCKS, "squad_id": squad_id})


def add_scores(unit_of_work: UnitOfWork, entries: Iterable[Entry], time_zone: str, now: datetime) -> None:
    """Add the XP of ledger entries, which have their teams, to the standings of students and squads, of their weeks and
    of all time.

    Weeks are those of the academy's `time_zone`. XP that arrives for a week that is over may change its squad.
    """
    earned = [entry for entry in entries if entry.award.xp]
    if not earned:
        return
    scores: dict[tuple[str, str, UUID], tuple[int, datetime]] = {}
    for entry in earned:
        holders = [("students", entry.user_id)]
        if entry.team:
            holders.append((entry.team.league, entry.team.squad_id))
        for board, holder_id in holders:
            for period in (ALL_TIME, week_of(entry.at, time_zone)):
                score, reached_at = scores.get((board, period, holder_id), (0, entry.at))
                scores[board, period, holder_id] = (score + entry.award.xp, max(reached_at, entry.at))
    # in the same order as everybody else: rows of squads are shared by many students
    in_order = sorted(scores)
    unit_of_work.connection.execute(
        _ADD,
        {
            "boards": [board for board, _, _ in in_order],
            "periods": [period for _, period, _ in in_order],
            "holder_ids": [holder_id for _, _, holder_id in in_order],
            "scores": [scores[key][0] for key in in_order],
            "instants": [scores[key][1] for key in in_order],
        },
    )
    squads_of_the_week.xp_arrived(unit_of_work, earned, time_zone, now)


def relist(connection: Connection, holder_id: UUID) -> None:
    """Put a student or squad on the leaderboards or off them, whichever holds now.

    The student's row is locked in the same transaction, or scores are kept out of the squad's standings.
    """
    connection.execute(_RELIST, {"holder_id": holder_id})


def fold_changes(unit_of_work: UnitOfWork) -> None:
    """Sum up what has changed in the numbers of holders, unless another process is at it."""
    connection = unit_of_work.connection
    if connection.scalar(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": _FOLD_LOCK}):
        connection.execute(_FOLD)
        for statement in _SWEEP:
            connection.execute(statement)


_EARNED = text("select min(at) as first, max(at) as last from ledger where xp > 0")
_FORGET = (
    text("delete from standings where period = :period"),
    text("delete from rank_totals where period = :period"),
    text("delete from rank_spans where period = :period"),
    text("delete from rank_changes where period = :period"),
)
_RECOUNT = text(
    "insert into standings (board, period, holder_id, score, reached_at, listed) "
    "select board, :period, holder_id, score, reached_at, is_listed(board, :period, holder_id) from ("
    "select 'students' as board, user_id as holder_id, sum(xp) as score, max(at) as reached_at "
    "from ledger where xp > 0 and at >= :begin and at < :end group by user_id "
    "union all "
    "select case when official then 'official' else 'squads' end, squad_id, sum(xp), max(at) "
    "from ledger join squads using (squad_id) where xp > 0 and at >= :begin and at < :end group by squad_id, official"
    ") as counted"
)
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def periods(connection: Connection, time_zone: str) -> list[str]:
    """All periods that have standings, or should have: weeks, and all time."""
    earned = connection.execute(_EARNED).one()
    return sorted([ALL_TIME, *(weeks_around(earned.first, earned.last, time_zone) if earned.first else ())])


def rebuild(connection: Connection, period: str, time_zone: str) -> None:
    """Throw the standings of a period away and count them again from the ledger. Raises `NoWeek`.

    Whoever earns XP meanwhile waits until the transaction ends.
    """
    begin, end = _EVER if period == ALL_TIME else (begin_of(period, time_zone), end_of(period, time_zone))
    # of a large academy it takes longer than any statement or wait otherwise may
    connection.execute(text("set local statement_timeout = 0"))
    connection.execute(text("set local lock_timeout = 0"))
    # what is being summed up would be added once more
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _FOLD_LOCK})
    connection.execute(text("lock table standings in exclusive mode"))
    for statement in _FORGET:
        connection.execute(statement, {"period": period})
    connection.execute(_RECOUNT, {"period": period, "begin": begin, "end": end})
    if period != ALL_TIME:
        squads_of_the_week.doubt(connection, [period])
