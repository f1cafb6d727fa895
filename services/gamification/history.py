"""What is known of when students learned and bought freezes, from which their streaks can always be counted anew."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection

from services.gamification.domain import streak as streaks
from services.gamification.domain.streak import Freeze, LearningDay, Streak

_DAYS = text(
    "select user_id, local_date, time_zone, first_at, last_at from learning_days "
    "where user_id = any(cast(:user_ids as uuid[]))"
)
_FREEZES = text(
    "select user_id, bought_at, time_zone from purchases "
    "where user_id = any(cast(:user_ids as uuid[])) and item = 'streak_freeze'"
)


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
    for row in connection.execute(_DAYS, {"user_ids": list(user_ids)}):
        found[row.user_id].days.append(LearningDay(row.local_date, row.time_zone, row.first_at, row.last_at))
    for row in connection.execute(_FREEZES, {"user_ids": list(user_ids)}):
        found[row.user_id].freezes.append(streaks.bought(row.bought_at, row.time_zone))
    return found
