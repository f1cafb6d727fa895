"""What becomes of flames while nobody learns: freezes save days, and last evenings come."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.engine import Connection

from chassis.context import Trace
from chassis.database import Database, UnitOfWork
from contracts.events.gamification import StreakEndangered
from services.gamification.domain.streak import danger, flame, next_look, saved_dates
from services.gamification.notices import Frozen, tell_endangered, tell_frozen
from services.gamification.people import time_zones
from services.gamification.students import lock, save
from services.gamification.tables import students

LOOKED_AT_ONCE = 200

_LOOK_AGAIN = text(
    "update students set look_at = :now where user_id = any(cast(:user_ids as uuid[])) and look_at is not null"
)


def look_again(connection: Connection, user_ids: Collection[UUID], now: datetime) -> None:
    """Let the flames of these students, whose rows are locked, be looked at now: their evening may be another."""
    connection.execute(_LOOK_AGAIN, {"user_ids": sorted(user_ids), "now": now})


def look(database: Database, now: datetime) -> None:
    """Tell of all flames what is due; other processes may do so at the same time."""
    more = True
    while more:
        with database.unit_of_work() as unit_of_work:
            more = _look_at_some(unit_of_work, now)


def _look_at_some(unit_of_work: UnitOfWork, now: datetime) -> bool:
    """Whether there may be more that are due."""
    connection = unit_of_work.connection
    # whoever holds one of the others says itself when to look
    due = connection.execute(
        select(students.c.user_id, students.c.learned_in)
        .where(students.c.look_at <= now)
        .order_by(students.c.look_at)
        .limit(LOOKED_AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    learned_in = {row.user_id: row.learned_in for row in due}
    seen = lock(connection, set(learned_in))
    zones = learned_in | time_zones(connection, learned_in)
    frozen, endangered = [], []
    for user_id, student in seen.items():
        streak, time_zone = student.streak, zones[user_id]
        now_seen, last_evening = flame(streak, now, time_zone), danger(streak, time_zone)
        saved = saved_dates(streak, now, time_zone)
        frozen.append(Frozen(user_id, saved, learned_in[user_id], now_seen.current, now_seen.freezes, cause=Trace()))
        if now_seen.current and last_evening and last_evening.since <= now:
            endangered.append(
                StreakEndangered(
                    user_id=user_id,
                    local_date=last_evening.local_date,
                    time_zone=time_zone,
                    current=now_seen.current,
                    dies_at=last_evening.dies_at,
                )
            )
        seen[user_id] = replace(student, look_at=next_look(streak, now, time_zone))
    tell_frozen(unit_of_work, frozen)
    tell_endangered(unit_of_work, endangered)
    save(connection, seen)
    return len(due) == LOOKED_AT_ONCE
