"""The reads of squads."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, and_, func, select, true, tuple_
from sqlalchemy.engine import Connection, Row

from chassis.cursors import read_cursor, write_cursor
from contracts.errors import NotFound
from contracts.events.base import Instant
from services.gamification.domain.squads import name_key
from services.gamification.domain.weeks import ALL_TIME
from services.gamification.queries.leaderboards import Leaderboard, leaderboard, standing_in
from services.gamification.tables import memberships, squads, standings


class Squad(msgspec.Struct, frozen=True):
    """A squad as everybody may see it; an official one has no captain."""

    id: UUID
    name: str
    motto: str
    members: int
    captain_id: UUID | None
    official: bool
    week_score: int
    total_score: int


class SquadPage(msgspec.Struct, frozen=True):
    """A page of squads, by name."""

    items: tuple[Squad, ...]
    next_cursor: str | None


class SquadMember(msgspec.Struct, frozen=True):
    """Someone in a squad."""

    id: UUID
    joined_at: datetime
    captain: bool


class SquadMemberPage(msgspec.Struct, frozen=True):
    """A page of a squad's members, the oldest first."""

    items: tuple[SquadMember, ...]
    next_cursor: str | None


class SquadStanding(msgspec.Struct, frozen=True):
    """A student's squad and how it stands this week in its league."""

    id: UUID
    name: str
    week_score: int
    rank: int | None


_week = standings.alias("week")
_total = standings.alias("total")


def get_squad(connection: Connection, squad_id: UUID, week: str) -> Squad:
    """A squad, with its scores of the week and of all time. Raises `NotFound`, for hidden ones too."""
    row = connection.execute(_scored(week).where(squads.c.squad_id == squad_id, ~squads.c.hidden)).one_or_none()
    if row is None:
        raise NotFound
    return _squad(row)


def get_own_squad(connection: Connection, squad_id: UUID, week: str) -> Squad:
    """The same for whoever has just done something in it: hidden ones too."""
    return _squad(connection.execute(_scored(week).where(squads.c.squad_id == squad_id)).one())


def squad_page(connection: Connection, q: str | None, week: str, limit: int, cursor: str | None) -> SquadPage:
    """A page of the squads whose name contains `q`. Raises `Invalid` when the cursor is none of ours."""
    statement = _scored(week).where(squads.c.closed_at.is_(None), ~squads.c.hidden)
    if q:
        statement = statement.where(squads.c.name_key.contains(name_key(q), autoescape=True))
    if cursor is not None:
        key, squad_id = read_cursor(cursor, tuple[str, UUID])
        statement = statement.where(tuple_(squads.c.name_key, squads.c.squad_id) > tuple_(key, squad_id))
    rows = connection.execute(statement.order_by(squads.c.name_key, squads.c.squad_id).limit(limit + 1)).all()
    more = write_cursor((rows[limit - 1].name_key, rows[limit - 1].squad_id)) if len(rows) > limit else None
    return SquadPage(tuple(_squad(row) for row in rows[:limit]), more)


def member_page(connection: Connection, squad_id: UUID, limit: int, cursor: str | None) -> SquadMemberPage:
    """A page of a squad's members. Raises `NotFound`, for hidden squads too, and `Invalid`."""
    captain = connection.execute(
        select(squads.c.captain_id).where(squads.c.squad_id == squad_id, ~squads.c.hidden)
    ).one_or_none()
    if captain is None:
        raise NotFound
    key = (memberships.c.joined_at, memberships.c.user_id)
    statement = select(*key).where(memberships.c.squad_id == squad_id, memberships.c.left_at.is_(None))
    if cursor is not None:
        joined_at, user_id = read_cursor(cursor, tuple[Instant, UUID])
        statement = statement.where(tuple_(*key) > tuple_(joined_at, user_id))
    rows = connection.execute(statement.order_by(*key).limit(limit + 1)).all()
    items = tuple(SquadMember(row.user_id, row.joined_at, row.user_id == captain.captain_id) for row in rows[:limit])
    more = write_cursor((items[-1].joined_at, items[-1].id)) if len(rows) > limit else None
    return SquadMemberPage(items, more)


def squad_of(connection: Connection, user_id: UUID, *, hidden_too: bool = True) -> tuple[UUID, str, str] | None:
    """The id, name and board of the squad that a student is in, or None."""
    statement = (
        select(squads.c.squad_id, squads.c.name, squads.c.official)
        .join(memberships, memberships.c.squad_id == squads.c.squad_id)
        .where(memberships.c.user_id == user_id, memberships.c.left_at.is_(None))
        .where(true() if hidden_too else ~squads.c.hidden)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else (row.squad_id, row.name, "official" if row.official else "squads")


def squad_standing(
    connection: Connection, user_id: UUID, week: str, *, hidden_too: bool = True
) -> SquadStanding | None:
    """How the squad of a student stands in the week, or None of a student without one, or without one to be shown."""
    found = squad_of(connection, user_id, hidden_too=hidden_too)
    if found is None:
        return None
    squad_id, name, board = found
    standing = standing_in(connection, board, week, squad_id)
    return SquadStanding(squad_id, name, standing.score, standing.rank)


def squad_leaderboard(
    connection: Connection, league: str, period: str, limit: int, cursor: str | None, user_id: UUID | None
) -> Leaderboard:
    """A page of a league's leaderboard in a period, with the standing of the student's squad if it is in that league.

    `connection` sees one instant. Raises `Invalid` when the cursor is none of ours.
    """
    found = None if user_id is None else squad_of(connection, user_id)
    holder_id = found[0] if found is not None and found[2] == league else None
    return leaderboard(connection, league, period, limit, cursor, holder_id)


def _squad(row: Row[Any]) -> Squad:
    return Squad(
        id=row.squad_id,
        name=row.name,
        motto=row.motto,
        members=row.members,
        captain_id=row.captain_id,
        official=row.official,
        week_score=row.week_score,
        total_score=row.total_score,
    )


def _scored(week: str) -> Select[Any]:
    return (
        select(
            squads,
            func.coalesce(_week.c.score, 0).label("week_score"),
            func.coalesce(_total.c.score, 0).label("total_score"),
        )
        .outerjoin(_week, and_(_week.c.holder_id == squads.c.squad_id, _week.c.period == week))
        .outerjoin(_total, and_(_total.c.holder_id == squads.c.squad_id, _total.c.period == ALL_TIME))
    )
