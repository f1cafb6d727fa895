"""What is known of when students learned and bought freezes, from which their streaks can always be counted anew."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.engine import Connection

from services.gamification.domain import streak as streaks
from services.gamification.domain.streak import Freeze, LearningDay, Streak
from services.gamification.tables import learning_days, purchases


@dataclass(frozen=True)
class History:
    """The days on which a student learned, and the freezes they bought."""

    days: list[LearningDay] = field(default_factory=list)
    freezes: list[Freeze] = field(default_factory=list)

    def streak(self) -> Streak:
        """The streak that it comes to."""
        return streaks.fold(self.days, self.freezes)

    def frozen_dates(self) -> tuple[date, ...]:
        """The local dates that freezes saved in the present run of days."""
        return streaks.frozen_dates(self.days, self.freezes) if self.freezes else ()


def histories(connection: Connection, user_ids: Collection[UUID]) -> dict[UUID, History]:
    """The histories of students, who are locked."""
    found = {user_id: History() for user_id in user_ids}
    if not found:
        return found
    for row in connection.execute(select(learning_days).where(learning_days.c.user_id.in_(user_ids))):
        found[row.user_id].days.append(LearningDay(row.local_date, row.time_zone, row.first_at, row.last_at))
    bought = select(purchases).where(purchases.c.user_id.in_(user_ids), purchases.c.item == "streak_freeze")
    for row in connection.execute(bought):
        found[row.user_id].freezes.append(streaks.bought(row.bought_at, row.time_zone))
    return found
