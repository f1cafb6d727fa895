"""Events of the game."""

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from contracts.events.base import Event, Instant


class XpAwarded(Event, frozen=True):
    """A row was added to a student's ledger; `total_xp` and `total_points` include it."""

    type: ClassVar[str] = "gamification.xp_awarded.v1"
    user_id: UUID
    kind: Literal["lesson", "course", "duel_won", "duel_lost", "purchase"]
    source_id: UUID
    xp: int
    points: int
    total_xp: int
    total_points: int
    awarded_at: Instant

    def partition_key(self) -> str:
        return str(self.user_id)


class LevelReached(Event, frozen=True):
    """A student's XP crossed into a higher level."""

    type: ClassVar[str] = "gamification.level_reached.v1"
    user_id: UUID
    level: int
    total_xp: int
    reached_at: Instant

    def partition_key(self) -> str:
        return str(self.user_id)


class StreakExtended(Event, frozen=True):
    """A local day was added to a student's streak, which is now `current` days long."""

    type: ClassVar[str] = "gamification.streak_extended.v1"
    user_id: UUID
    local_date: date
    current: int
    longest: int
    extended_at: Instant

    def partition_key(self) -> str:
        return str(self.user_id)
