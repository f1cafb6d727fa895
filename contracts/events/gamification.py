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


class StreakEndangered(Event, frozen=True):
    """It is evening where the student is, today is not done, and the streak goes out at `dies_at` unless they learn.

    Told at most once per student and local date, and not where a freeze would save the day.
    """

    type: ClassVar[str] = "gamification.streak_endangered.v1"
    user_id: UUID
    local_date: date
    time_zone: str
    current: int
    dies_at: Instant

    def partition_key(self) -> str:
        return str(self.user_id)


class StreakFrozen(Event, frozen=True):
    """A freeze was used for a missed day, and the streak lives on; told once per student and local date.

    `freezes` is how many the student still holds.
    """

    type: ClassVar[str] = "gamification.streak_frozen.v1"
    user_id: UUID
    local_date: date
    current: int
    freezes: int
    frozen_at: Instant

    def partition_key(self) -> str:
        return str(self.user_id)


class CourseUnlocked(Event, frozen=True):
    """A student's streak reached what a bonus course asks for; told once per student and course, and for good."""

    type: ClassVar[str] = "gamification.course_unlocked.v1"
    user_id: UUID
    course_id: UUID
    streak_days: int
    unlocked_at: Instant

    def partition_key(self) -> str:
        return str(self.user_id)


class BadgeAwarded(Event, frozen=True):
    """A student earned a badge; told once per student, badge and reason. `count` is how often they have it now."""

    type: ClassVar[str] = "gamification.badge_awarded.v1"
    user_id: UUID
    code: str
    reason: str
    count: int
    awarded_at: Instant

    def partition_key(self) -> str:
        return str(self.user_id)


class SquadOfTheWeekChosen(Event, frozen=True):
    """A week (ISO, "2026-W47", in the academy's time zone) is over and this squad had won it; told once per week.

    `member_ids` are those who earned XP for it in that week.
    """

    type: ClassVar[str] = "gamification.squad_of_the_week_chosen.v1"
    week: str
    squad_id: UUID
    score: int
    member_ids: tuple[UUID, ...]
    chosen_at: Instant

    def partition_key(self) -> str:
        return self.week


class SquadMemberRemoved(Event, frozen=True):
    """A captain removed someone from a squad; told once per membership."""

    type: ClassVar[str] = "gamification.squad_member_removed.v1"
    membership_id: UUID
    squad_id: UUID
    user_id: UUID
    removed_at: Instant

    def partition_key(self) -> str:
        return str(self.squad_id)


class SquadCaptainChanged(Event, frozen=True):
    """Someone became a squad's captain after another: handed over, or left to the oldest member."""

    type: ClassVar[str] = "gamification.squad_captain_changed.v1"
    squad_id: UUID
    captain_id: UUID
    changed_at: Instant

    def partition_key(self) -> str:
        return str(self.squad_id)


class DuelChanged(Event, frozen=True):
    """The whole state of a duel that others may know; a copy ignores an older `sequence`.

    `challenger_id` has played or will play against `opponent_id`, who came by the link where `mode` is "link".
    `void_reason` says why there is no result; `winner_id` is empty on a draw; `points_moved` went to the winner.
    """

    type: ClassVar[str] = "gamification.duel_changed.v1"
    duel_id: UUID
    chapter_id: UUID
    course_id: UUID
    mode: Literal["live", "link"]
    state: Literal["open", "playing", "finished", "void"]
    challenger_id: UUID
    opponent_id: UUID | None
    expires_at: Instant
    changed_at: Instant
    winner_id: UUID | None = None
    points_moved: int = 0
    void_reason: Literal["declined", "expired"] | None = None

    def partition_key(self) -> str:
        return str(self.duel_id)
