"""What is told of the days of a streak, each once: a freeze saved one, the streak goes out at the end of one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection

from chassis.context import Trace, traced
from chassis.database import UnitOfWork
from contracts.events.gamification import StreakEndangered, StreakFrozen
from services.gamification.domain.streak import end_of


@dataclass(frozen=True)
class Frozen:
    """Local dates that freezes have saved, in the time zone last learned in, and what the student has now."""

    user_id: UUID
    local_dates: Sequence[date]
    time_zone: str
    current: int
    freezes: int
    cause: Trace


_NOTE = text(
    "insert into streak_notices (user_id, kind, local_date) "
    "select user_id, :kind, local_date from unnest(cast(:user_ids as uuid[]), cast(:dates as date[])) "
    "as given (user_id, local_date) order by user_id, local_date on conflict do nothing returning user_id, local_date"
)


def tell_frozen(unit_of_work: UnitOfWork, found: Sequence[Frozen]) -> None:
    """Tell of each day saved that it was not told of before."""
    days = {(one.user_id, local_date): one for one in found for local_date in one.local_dates}
    for user_id, local_date in sorted(_fresh(unit_of_work.connection, "frozen", days)):
        one = days[user_id, local_date]
        with traced(one.cause):
            unit_of_work.tell(
                StreakFrozen(
                    user_id=user_id,
                    local_date=local_date,
                    current=one.current,
                    freezes=one.freezes,
                    frozen_at=end_of(local_date, one.time_zone),
                )
            )


def tell_endangered(unit_of_work: UnitOfWork, found: Sequence[StreakEndangered]) -> None:
    """Tell of each evening that it was not told of before."""
    evenings = {(event.user_id, event.local_date): event for event in found}
    for evening in sorted(_fresh(unit_of_work.connection, "endangered", evenings)):
        unit_of_work.tell(evenings[evening])


def _fresh(
    connection: Connection, kind: Literal["frozen", "endangered"], days: Collection[tuple[UUID, date]]
) -> list[tuple[UUID, date]]:
    if not days:
        return []
    values = {"kind": kind, "user_ids": [day[0] for day in days], "dates": [day[1] for day in days]}
    return [(row.user_id, row.local_date) for row in connection.execute(_NOTE, values)]
