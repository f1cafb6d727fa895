"""What learning earns (product.md, "XP and points").

A lesson earns 20 XP and as many points, a finished course 50. Authors earn nothing in their own course, admins nowhere.
Of the hasty completions of one local day the first 20 to arrive earn; so the day's sum is the same in any order.
"""

from dataclasses import dataclass

LESSON_XP = 20
COURSE_XP = 50
HASTY_PER_DAY = 20

_EARN_NOTHING = frozenset({"author", "admin"})


@dataclass(frozen=True)
class Award:
    """What one row of the ledger gives."""

    xp: int
    points: int


NOTHING = Award(0, 0)


def for_lesson(access: str, *, hasty: bool, hasty_already_earned: int) -> Award:
    """The award of a finished lesson.

    `access` is why the student may see the course; `hasty_already_earned` counts the hasty completions of the same
    student and local day that earned before.
    """
    if access in _EARN_NOTHING or (hasty and hasty_already_earned >= HASTY_PER_DAY):
        return NOTHING
    return Award(LESSON_XP, LESSON_XP)


def for_course(access: str) -> Award:
    """The award of a finished course."""
    return NOTHING if access in _EARN_NOTHING else Award(COURSE_XP, COURSE_XP)
