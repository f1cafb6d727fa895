"""The reads of the game."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import select, tuple_
from sqlalchemy.engine import Connection

from chassis.cursors import read_cursor, write_cursor
from contracts.errors import FieldError, Invalid
from contracts.events.base import Instant
from services.gamification.domain.levels import Level, level_of
from services.gamification.domain.streak import FREEZES_MAX, NO_STREAK, Flame, Streak, UnknownTimeZone, flame
from services.gamification.queries.badges import BadgeView, badges_of
from services.gamification.queries.squads import SquadStanding, squad_standing
from services.gamification.students import streak_of
from services.gamification.tables import ledger, students


class StreakView(msgspec.Struct, frozen=True):
    """The streak as the student sees it now; `alive_until` is when it goes out unless they learn again."""

    current: int
    longest: int
    today_done: bool
    alive_until: datetime | None
    freezes: int
    freezes_max: int


class Game(msgspec.Struct, frozen=True):
    """What `GET /v1/me/game` shows."""

    xp: int
    level: Level
    points: int
    streak: StreakView
    squad: SquadStanding | None = None
    badges: tuple[BadgeView, ...] = ()
    leaderboard_opt_out: bool = False


class LedgerItem(msgspec.Struct, frozen=True):
    """One row of the ledger; `source` is the id of what gave it, of the kind that `kind` says."""

    at: datetime
    kind: str
    xp: int
    points: int
    source: UUID


class LedgerPage(msgspec.Struct, frozen=True):
    """Rows of the ledger, newest first."""

    items: tuple[LedgerItem, ...]
    next_cursor: str | None


def game(connection: Connection, user_id: UUID, time_zone: str, week: str, now: datetime) -> Game:
    """A student's game as of `now` in their time zone; one of whom nothing is known yet has its beginning.

    `week` is the present one; `connection` sees one instant. Raises `Invalid` when the time zone is none.
    """
    row = connection.execute(select(students).where(students.c.user_id == user_id)).one_or_none()
    if row is None:
        return Game(0, level_of(0), 0, _streak(NO_STREAK, now, time_zone))
    return Game(
        row.xp,
        level_of(row.xp),
        row.points,
        _streak(streak_of(row), now, time_zone),
        squad=squad_standing(connection, user_id, week),
        badges=badges_of(connection, user_id),
        leaderboard_opt_out=row.leaderboard_opt_out,
    )


def ledger_page(connection: Connection, user_id: UUID, limit: int, cursor: str | None) -> LedgerPage:
    """A page of a student's ledger. Raises `Invalid` when the cursor is none of ours."""
    key = (ledger.c.at, ledger.c.source_id)
    statement = select(ledger).where(ledger.c.user_id == user_id)
    if cursor is not None:
        statement = statement.where(tuple_(*key) < tuple_(*read_cursor(cursor, tuple[Instant, UUID])))
    rows = connection.execute(statement.order_by(*(column.desc() for column in key)).limit(limit + 1)).all()
    items = tuple(LedgerItem(row.at, row.kind, row.xp, row.points, row.source_id) for row in rows[:limit])
    return LedgerPage(items, write_cursor((items[-1].at, items[-1].source)) if len(rows) > limit else None)


def flame_of(streak: Streak, now: datetime, time_zone: str) -> Flame:
    """The streak as its student sees it. Raises `Invalid` when the time zone is none."""
    try:
        return flame(streak, now, time_zone)
    except UnknownTimeZone as error:
        raise Invalid(errors=(FieldError("/time_zone", "time-zone"),)) from error


def _streak(streak: Streak, now: datetime, time_zone: str) -> StreakView:
    seen = flame_of(streak, now, time_zone)
    return StreakView(seen.current, seen.longest, seen.today_done, seen.alive_until, seen.freezes, FREEZES_MAX)
