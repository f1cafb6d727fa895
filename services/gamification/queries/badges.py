"""The reads of badges, and what everybody may see of a student."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from contracts.errors import NotFound
from services.gamification.domain.levels import Level, level_of
from services.gamification.queries.squads import SquadStanding, squad_standing
from services.gamification.tables import badge_awards, students


class BadgeView(msgspec.Struct, frozen=True):
    """A badge that a student has: how often, and since when."""

    code: str
    count: int
    earned_at: datetime


class Profile(msgspec.Struct, frozen=True):
    """What everybody may see of a student; the name is the accounts' to tell."""

    level: Level
    badges: tuple[BadgeView, ...]
    squad: SquadStanding | None = None


def badges_of(connection: Connection, user_id: UUID) -> tuple[BadgeView, ...]:
    """The student's badges, in the order in which each was first earned."""
    since = func.min(badge_awards.c.earned_at)
    statement = (
        select(badge_awards.c.code, func.count(), since)
        .where(badge_awards.c.user_id == user_id)
        .group_by(badge_awards.c.code)
        .order_by(since, badge_awards.c.code)
    )
    return tuple(BadgeView(*row) for row in connection.execute(statement))


def profile(connection: Connection, user_id: UUID, week: str) -> Profile:
    """What everybody may see of a student; of whom nothing is known yet, the beginning.

    `week` is the present one; `connection` sees one instant. Raises `NotFound` where the student opted out.
    """
    statement = select(students.c.xp, students.c.leaderboard_opt_out).where(students.c.user_id == user_id)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return Profile(level_of(0), ())
    if row.leaderboard_opt_out:
        raise NotFound
    squad = squad_standing(connection, user_id, week, hidden_too=False)
    return Profile(level_of(row.xp), badges_of(connection, user_id), squad)
