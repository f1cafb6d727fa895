"""The leaderboards: pages of standings, ranks, the squad of the week. Costs do not grow with the number of holders."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.engine import Connection

from chassis.cursors import read_cursor, write_cursor
from contracts.errors import FieldError, Invalid
from contracts.events.base import Instant
from services.gamification.domain.weeks import ALL_TIME, NoWeek, begin_of, end_of, week_before, week_of


class Place(msgspec.Struct, frozen=True):
    """A line of a leaderboard; `name` is a squad's (a student's is known to the accounts)."""

    rank: int
    id: UUID
    name: str
    score: int


class Standing(msgspec.Struct, frozen=True):
    """Where someone stands; without a rank who has no XP in that time, or is not listed."""

    rank: int | None
    score: int


class Leaderboard(msgspec.Struct, frozen=True):
    """A page of a leaderboard, best first; `me` for whoever asked, or their squad."""

    items: tuple[Place, ...]
    next_cursor: str | None
    me: Standing | None = None


class WinningSquad(msgspec.Struct, frozen=True):
    """A squad of the week; `members` earned XP for it in that week."""

    id: UUID
    name: str
    score: int
    members: int


class SquadOfTheWeek(msgspec.Struct, frozen=True):
    """A week and its squad; none while the week lasts, and where none could be chosen."""

    week: str
    squad: WinningSquad | None


class _Position(msgspec.Struct, frozen=True):
    score: int
    reached_at: Instant
    holder_id: UUID
    rank: int


_PLACES = (
    "(select holder_id, score, reached_at from standings where board = :board and period = :period and listed {after}"
    "order by score desc, reached_at, holder_id limit :limit)"
)
_PAGE = (
    "select page.*, coalesce(squads.name, '') as name from ({places}) as page "
    "left join squads on squads.squad_id = page.holder_id order by score desc, reached_at, holder_id limit :limit"
)
_FIRST_PAGE = text(_PAGE.format(places=_PLACES.format(after="")))
# two ranges of the index: as one condition, all who have the same score would be looked through
_NEXT_PAGE = text(
    _PAGE.format(
        places=_PLACES.format(after="and score = :score and (reached_at, holder_id) > (:reached_at, :holder_id) ")
        + " union all "
        + _PLACES.format(after="and score < :score ")
    )
)
_MINE = text(
    "select score, reached_at, listed, span_of(period, reached_at) as span from standings "
    "where board = :board and period = :period and holder_id = :holder_id"
)
_AHEAD = text("select places_ahead(:board, :period, :score, :span, :reached_at, :holder_id)")


def leaderboard(
    connection: Connection,
    board: str,
    period: str,
    limit: int,
    cursor: str | None,
    holder_id: UUID | None,
) -> Leaderboard:
    """A page of a leaderboard in a period, with the standing of the holder, if one is asked for.

    `connection` sees one instant. Raises `Invalid` when the cursor is none of ours.
    """
    asked = {"board": board, "period": period, "limit": limit + 1}
    if cursor is None:
        rank = 1
        rows = connection.execute(_FIRST_PAGE, asked).all()
    else:
        last = read_cursor(cursor, _Position)
        rank = last.rank + 1
        rows = connection.execute(_NEXT_PAGE, asked | msgspec.structs.asdict(last)).all()
    items = tuple(Place(rank + index, row.holder_id, row.name, row.score) for index, row in enumerate(rows[:limit]))
    next_cursor = None
    if len(rows) > limit:
        end = rows[limit - 1]
        next_cursor = write_cursor(_Position(end.score, end.reached_at, end.holder_id, items[-1].rank))
    me = None if holder_id is None else standing_in(connection, board, period, holder_id)
    return Leaderboard(items, next_cursor, me)


def standing_in(connection: Connection, board: str, period: str, holder_id: UUID) -> Standing:
    """The score and rank of a student or squad in a period."""
    asked = {"board": board, "period": period, "holder_id": holder_id}
    mine = connection.execute(_MINE, asked).one_or_none()
    if mine is None:
        return Standing(None, 0)
    if not mine.listed:
        return Standing(None, mine.score)
    ahead: int = connection.scalar(
        _AHEAD,
        asked | {"score": mine.score, "reached_at": mine.reached_at, "span": mine.span},
    )
    return Standing(1 + ahead, mine.score)


_CHOSEN = text(
    "select squad_id, name, score, (select count(distinct user_id) from ledger "
    "where ledger.squad_id = squads.squad_id and xp > 0 and at >= :begin and at < :end) as members "
    "from squads_of_the_week join squads using (squad_id) "
    "join standings on holder_id = squad_id and board = 'squads' and period = week "
    "where week = :week and not hidden"
)


def squad_of_the_week(connection: Connection, week: str | None, time_zone: str, now: datetime) -> SquadOfTheWeek:
    """The squad of a week in the academy's time zone, by default of the last that ended. Raises `Invalid`."""
    asked = week_before(week_of(now, time_zone)) if week is None else week
    _refuse_no_week(asked, time_zone)
    row = connection.execute(
        _CHOSEN, {"week": asked, "begin": begin_of(asked, time_zone), "end": end_of(asked, time_zone)}
    ).one_or_none()
    return SquadOfTheWeek(asked, WinningSquad(row.squad_id, row.name, row.score, row.members) if row else None)


def period(week: str | None, time_zone: str, now: datetime) -> str:
    """The period that a caller names: a week such as `2026-W47`, "all", or by default this week. Raises `Invalid`."""
    if week is None:
        return week_of(now, time_zone)
    if week != ALL_TIME:
        _refuse_no_week(week, time_zone)
    return week


def _refuse_no_week(week: str, time_zone: str) -> None:
    try:
        begin_of(week, time_zone)
    except NoWeek as error:
        raise Invalid(errors=(FieldError("/week", "week"),)) from error
