"""The reads of the game."""

import base64
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import select, tuple_
from sqlalchemy.engine import Connection

from contracts.errors import FieldError, Invalid
from contracts.events.base import Instant
from services.gamification.domain.levels import Level, level_of
from services.gamification.domain.streak import FREEZES_MAX, NO_STREAK, Flame, Streak, UnknownTimeZone, flame
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
    squad: None = None
    badges: tuple[()] = ()


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


def game(connection: Connection, user_id: UUID, time_zone: str, now: datetime) -> Game:
    """A student's game as of `now` in their time zone; one of whom nothing is known yet has its beginning.

    Raises `Invalid` when the time zone is none.
    """
    row = connection.execute(select(students).where(students.c.user_id == user_id)).one_or_none()
    if row is None:
        return Game(0, level_of(0), 0, _streak(NO_STREAK, now, time_zone))
    return Game(row.xp, level_of(row.xp), row.points, _streak(streak_of(row), now, time_zone))


def ledger_page(connection: Connection, user_id: UUID, limit: int, cursor: str | None) -> LedgerPage:
    """A page of a student's ledger. Raises `Invalid` when the cursor is none of ours."""
    key = (ledger.c.at, ledger.c.source_id)
    statement = select(ledger).where(ledger.c.user_id == user_id)
    if cursor is not None:
        statement = statement.where(tuple_(*key) < tuple_(*_read_cursor(cursor)))
    rows = connection.execute(statement.order_by(*(column.desc() for column in key)).limit(limit + 1)).all()
    items = tuple(LedgerItem(row.at, row.kind, row.xp, row.points, row.source_id) for row in rows[:limit])
    return LedgerPage(items, _cursor(items[-1]) if len(rows) > limit else None)


def flame_of(streak: Streak, now: datetime, time_zone: str) -> Flame:
    """The streak as its student sees it. Raises `Invalid` when the time zone is none."""
    try:
        return flame(streak, now, time_zone)
    except UnknownTimeZone as error:
        raise Invalid(errors=(FieldError("/time_zone", "time-zone"),)) from error


def _streak(streak: Streak, now: datetime, time_zone: str) -> StreakView:
    seen = flame_of(streak, now, time_zone)
    return StreakView(seen.current, seen.longest, seen.today_done, seen.alive_until, seen.freezes, FREEZES_MAX)


def _cursor(item: LedgerItem) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((item.at, item.source))).decode()


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=tuple[Instant, UUID])
    except ValueError as error:
        raise Invalid(errors=(FieldError("/cursor", "bad-cursor"),)) from error
