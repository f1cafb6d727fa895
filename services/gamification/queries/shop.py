"""The shop as a student sees it."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Connection

from services.gamification.domain.shop import STREAK_FREEZE
from services.gamification.domain.streak import NO_STREAK
from services.gamification.queries.standing import flame_of
from services.gamification.students import streak_of
from services.gamification.tables import students


class ShopItem(msgspec.Struct, frozen=True):
    """A thing for sale, and how many of it the student has; at `max` no more are sold."""

    code: str
    price_points: int
    owned: int
    max: int


class Shop(msgspec.Struct, frozen=True):
    """What `GET /v1/shop` shows."""

    items: tuple[ShopItem, ...]


def shop(connection: Connection, user_id: UUID, time_zone: str, now: datetime) -> Shop:
    """The shop as of `now` for a student in that time zone. Raises `Invalid` when the time zone is none."""
    row = connection.execute(select(students).where(students.c.user_id == user_id)).one_or_none()
    freezes = flame_of(NO_STREAK if row is None else streak_of(row), now, time_zone).freezes
    return Shop((ShopItem(STREAK_FREEZE.code, STREAK_FREEZE.price_points, freezes, STREAK_FREEZE.max),))
