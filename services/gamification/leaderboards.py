"""The standings of students and squads: the sums of the ledger that leaderboards read, and how they are kept.

A rank is read from counts of holders per score, never by counting holders. The database's triggers add each change to
`rank_changes`, which nobody waits for; `fold_changes` sums them up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection, Row

from chassis.database import UnitOfWork
from contracts.events.gamification import SquadOfTheWeekChosen
from services.gamification.accounting import Entry
from services.gamification.badges import Fact, award
from services.gamification.domain.squads import CHOICE_DELAY, VERIFIED_MIN
from services.gamification.domain.weeks import ALL_TIME, begin_of, end_of, week_before, week_of
from services.gamification.students import lock

_FOLD_LOCK = 7_402_301
_CHOICE_LOCK = 7_402_302

_SQUADS_AT = text(
    "select given.position, memberships.squad_id from "
    "unnest(cast(:user_ids as uuid[]), cast(:instants as timestamptz[])) "
    "with ordinality as given (user_id, at, position) "
    "join memberships on memberships.user_id = given.user_id and memberships.joined_at <= given.at "
    "and (memberships.left_at is null or memberships.left_at > given.at)"
)
# whoever hides or closes a squad waits, and then sees the standings that are being added
_BOARDS = text(
    "select squad_id, official from squads where squad_id = any(cast(:squad_ids as uuid[])) order by squad_id for share"
)
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
_SWEEP = text("delete from rank_spans where holders = 0")


def with_squads(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """The entries, those with XP with the squad in which the student was at that instant.

    Only behind the students' locks: whoever joins or leaves a squad takes the same.
    """
    asked = [(index, entry) for index, entry in enumerate(entries) if entry.award.xp]
    if not asked:
        return list(entries)
    rows = connection.execute(
        _SQUADS_AT, {"user_ids": [entry.user_id for _, entry in asked], "instants": [entry.at for _, entry in asked]}
    )
    squads = {asked[row.position - 1][0]: row.squad_id for row in rows}
    return [replace(entry, squad_id=squads.get(index)) for index, entry in enumerate(entries)]


def add_scores(unit_of_work: UnitOfWork, entries: Iterable[Entry], time_zone: str, now: datetime) -> None:
    """Add the XP of ledger entries to the standings of their students and squads, of their weeks and of all time.

    Weeks are those of the academy's `time_zone`. XP that arrives for a week that is over may change its squad.
    """
    connection = unit_of_work.connection
    earned = [entry for entry in entries if entry.award.xp]
    if not earned:
        return
    boards = _boards(connection, {entry.squad_id for entry in earned if entry.squad_id})
    scores: dict[tuple[str, str, UUID], tuple[int, datetime]] = {}
    for entry in earned:
        holders = [("students", entry.user_id)]
        if entry.squad_id:
            holders.append((boards[entry.squad_id], entry.squad_id))
        for board, holder_id in holders:
            for period in (ALL_TIME, week_of(entry.at, time_zone)):
                score, reached_at = scores.get((board, period, holder_id), (0, entry.at))
                scores[board, period, holder_id] = (score + entry.award.xp, max(reached_at, entry.at))
    # in the same order as everybody else: rows of squads are shared by many students
    in_order = sorted(scores)
    connection.execute(
        _ADD,
        {
            "boards": [board for board, _, _ in in_order],
            "periods": [period for _, period, _ in in_order],
            "holder_ids": [holder_id for _, _, holder_id in in_order],
            "scores": [scores[key][0] for key in in_order],
            "instants": [scores[key][1] for key in in_order],
        },
    )
    past = {period for board, period, _ in scores if board == "squads" and period < week_of(now, time_zone)}
    if past:
        _choose_again(connection, past, time_zone)


def relist(connection: Connection, holder_id: UUID) -> None:
    """Put a student or squad on the leaderboards or off them, whichever holds now.

    The student's row is locked, or the squad's changed, in the same transaction.
    """
    connection.execute(_RELIST, {"holder_id": holder_id})


def fold_changes(unit_of_work: UnitOfWork) -> None:
    """Sum up what has changed in the numbers of holders, unless another process is at it."""
    connection = unit_of_work.connection
    if connection.scalar(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": _FOLD_LOCK}):
        connection.execute(_FOLD)
        connection.execute(_SWEEP)


_WINNER = text(
    "select holder_id as squad_id, score from standings "
    "where board = 'squads' and period = :week and listed and :verified_min <= ("
    "select count(distinct ledger.user_id) from ledger join people using (user_id) "
    "where ledger.squad_id = holder_id and ledger.xp > 0 and ledger.at >= :begin and ledger.at < :end "
    "and people.email_verified_at < :end) "
    "order by score desc, reached_at, holder_id limit 1"
)
_MEMBERS = text(
    "select distinct user_id from ledger "
    "where squad_id = :squad_id and xp > 0 and at >= :begin and at < :end order by user_id"
)
_CHOSEN = text("select week from squads_of_the_week where week = any(cast(:weeks as text[])) order by week")
_CHOOSE = text(
    "insert into squads_of_the_week (week, squad_id, chosen_at) values (:week, :squad_id, :chosen_at) "
    "on conflict do nothing returning week"
)
_CORRECT = text("update squads_of_the_week set squad_id = :squad_id where week = :week")


def choose_squad_of_the_week(unit_of_work: UnitOfWork, time_zone: str, now: datetime) -> None:
    """Choose the squad of the week that ended last, once, when what was learned in its last minutes has arrived.

    Those who earned for it are given the badge. Where the winner changes at this very moment, nothing is done: the next
    call will find it.
    """
    week = week_before(week_of(now - CHOICE_DELAY, time_zone))
    connection = unit_of_work.connection
    if connection.execute(_CHOSEN, {"weeks": [week]}).one_or_none():
        return
    # students are locked before anything else, here as everywhere
    likely = _winner(connection, week, time_zone)
    members = _earners(connection, likely.squad_id, week, time_zone) if likely else []
    lock(connection, set(members))
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _CHOICE_LOCK})
    winner = _winner(connection, week, time_zone)
    if winner and (likely is None or _earners(connection, winner.squad_id, week, time_zone) != members):
        return
    choice = {"week": week, "squad_id": winner and winner.squad_id, "chosen_at": now}
    if connection.execute(_CHOOSE, choice).one_or_none() and winner:
        won_at = end_of(week, time_zone)
        award(unit_of_work, [Fact(user_id, "squad_of_the_week", week, won_at) for user_id in members])
        unit_of_work.tell(
            SquadOfTheWeekChosen(
                week=week, squad_id=winner.squad_id, score=winner.score, member_ids=tuple(members), chosen_at=now
            )
        )


def _winner(connection: Connection, week: str, time_zone: str) -> Row[Any] | None:
    return connection.execute(_WINNER, _span(week, time_zone)).one_or_none()


def _earners(connection: Connection, squad_id: UUID, week: str, time_zone: str) -> list[UUID]:
    return list(connection.scalars(_MEMBERS, {"squad_id": squad_id, **_span(week, time_zone)}))


def _choose_again(connection: Connection, weeks: Iterable[str], time_zone: str) -> None:
    """See that the squads chosen for these weeks are still those that a recount finds."""
    # one after another: each must see what the others have added
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _CHOICE_LOCK})
    for week in connection.scalars(_CHOSEN, {"weeks": sorted(weeks)}).all():
        winner = _winner(connection, week, time_zone)
        connection.execute(_CORRECT, {"week": week, "squad_id": winner and winner.squad_id})


def _span(week: str, time_zone: str) -> dict[str, object]:
    return {
        "week": week,
        "begin": begin_of(week, time_zone),
        "end": end_of(week, time_zone),
        "verified_min": VERIFIED_MIN,
    }


def _boards(connection: Connection, squad_ids: set[UUID]) -> dict[UUID, str]:
    if not squad_ids:
        return {}
    rows = connection.execute(_BOARDS, {"squad_ids": sorted(squad_ids)})
    return {row.squad_id: "official" if row.official else "squads" for row in rows}


_PERIODS = text(
    "select distinct to_char(at at time zone :time_zone, 'IYYY-\"W\"IW') as period from ledger where xp > 0 "
    "union select distinct period from standings order by period"
)
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
_EVER = {"begin": datetime.min.replace(tzinfo=UTC), "end": datetime.max.replace(tzinfo=UTC)}


def periods(connection: Connection, time_zone: str) -> list[str]:
    """All periods that have standings, or should have: weeks, and all time."""
    return sorted({ALL_TIME, *connection.scalars(_PERIODS, {"time_zone": time_zone})})


def rebuild(connection: Connection, period: str, time_zone: str) -> None:
    """Throw the standings of a period away and count them again from the ledger. Raises `NoWeek`.

    Whoever earns XP meanwhile waits until the transaction ends.
    """
    span = _EVER if period == ALL_TIME else _span(period, time_zone)
    # of a large academy it takes longer than any statement otherwise may
    connection.execute(text("set local statement_timeout = 0"))
    connection.execute(text("lock table standings in exclusive mode"))
    for statement in _FORGET:
        connection.execute(statement, {"period": period})
    connection.execute(_RECOUNT, {"period": period, "begin": span["begin"], "end": span["end"]})
    if period != ALL_TIME:
        _choose_again(connection, [period], time_zone)
