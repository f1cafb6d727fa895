"""What happens when students spend points."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select

from chassis.context import current_trace
from chassis.database import UnitOfWork
from contracts.errors import Conflict, FieldError, Invalid
from services.gamification.accounting import Entry, record
from services.gamification.domain.shop import ITEMS, Item, Refusal, refusal_to_sell
from services.gamification.domain.xp import Award
from services.gamification.history import histories
from services.gamification.people import time_zones
from services.gamification.queries.standing import flame_of
from services.gamification.students import Student, lock, save, with_streak
from services.gamification.tables import purchases


@dataclass(frozen=True)
class Purchased:
    """A thing that was bought, how many of it the student has now, and the points left."""

    item: str
    owned: int
    points: int


def purchase_item(
    unit_of_work: UnitOfWork, user_id: UUID, code: str, request_id: UUID, time_zone: str, now: datetime
) -> Purchased:
    """Sell a student one of an item; the same request again buys nothing more.

    Raises `Invalid`, and `Conflict` where they have too few points, or as many of it as may be held.
    """
    item = ITEMS.get(code)
    if item is None:
        raise Invalid(errors=(FieldError("/item", "unknown-item"),))
    connection = unit_of_work.connection
    students = lock(connection, {user_id})
    owned = flame_of(students[user_id].streak, now, time_zone).freezes
    key = {"user_id": user_id, "purchase_id": request_id}
    if connection.execute(select(purchases).filter_by(**key)).first() is not None:
        return Purchased(code, owned, students[user_id].points)
    refusal = refusal_to_sell(item, owned, students[user_id].points)
    if refusal is not None:
        raise _error(refusal, item, students[user_id].points)
    price = Award(0, -item.price_points)
    record(unit_of_work, students, [Entry(user_id, "purchase", request_id, price, now, current_trace())])
    connection.execute(insert(purchases).values(**key, item=code, bought_at=now, time_zone=time_zone))
    students[user_id] = _with_freezes(unit_of_work, user_id, students[user_id])
    save(connection, students)
    return Purchased(code, flame_of(students[user_id].streak, now, time_zone).freezes, students[user_id].points)


def _error(refusal: Refusal, item: Item, points: int) -> Conflict:
    match refusal:
        case Refusal.LIMIT_REACHED:
            return Conflict(refusal.value, members={"maximum": item.max})
        case Refusal.NOT_ENOUGH_POINTS:
            return Conflict(refusal.value, members={"price_points": item.price_points, "points": points})


def _with_freezes(unit_of_work: UnitOfWork, user_id: UUID, student: Student) -> Student:
    streak = histories(unit_of_work.connection, {user_id})[user_id].streak()
    return with_streak(student, streak, time_zones(unit_of_work.connection, {user_id}).get(user_id))
