"""Badges as data: which fact earns which badge. A badge gives neither XP nor points.

A milestone is earned once, when the student has so many lessons or the longest streak was so many days. The others are
earned each time, for a reason of their own: a course, a duel, a person, a week.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Measure = Literal["lessons", "streak"]
Feat = Literal["course_finished", "duel_won", "challenge_unbeaten", "squad_of_the_week"]


@dataclass(frozen=True)
class Milestone:
    """The badge of who has finished so many lessons, or was ever on a streak of so many days."""

    code: str
    measure: Measure
    threshold: int


MILESTONES = (
    Milestone("first_lesson", "lessons", 1),
    Milestone("lessons_10", "lessons", 10),
    Milestone("lessons_100", "lessons", 100),
    Milestone("flame_7", "streak", 7),
    Milestone("flame_30", "streak", 30),
    Milestone("flame_100", "streak", 100),
)

FEATS: dict[Feat, str] = {
    "course_finished": "course_finished",
    "duel_won": "duel_won",
    "challenge_unbeaten": "unbeaten",
    "squad_of_the_week": "squad_of_the_week",
}
"""The code of the badge that each of these facts earns."""

CODES = (*(milestone.code for milestone in MILESTONES), *FEATS.values())


@dataclass(frozen=True)
class Standing:
    """How far a student has come, and the last instant at which they are known to have learned."""

    lessons: int
    longest_streak: int
    last_at: datetime | None


def passed_by(standing: Standing) -> list[Milestone]:
    """The milestones that a student has passed."""
    return [milestone for milestone in MILESTONES if milestone.threshold <= _value(standing, milestone)]


def to_look_at(before: Standing, after: Standing, earliest: datetime) -> list[Milestone]:
    """The milestones that what was just heard of a student may have brought or, coming late, dated back.

    `earliest` is the first instant of what was heard. What comes in order never changes when a milestone was passed.
    """
    passed = passed_by(after)
    if before.last_at is not None and earliest < before.last_at:
        return passed
    return [milestone for milestone in passed if milestone.threshold > _value(before, milestone)]


def _value(standing: Standing, milestone: Milestone) -> int:
    return standing.lessons if milestone.measure == "lessons" else standing.longest_streak
