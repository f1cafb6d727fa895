"""Levels: the step from level n to the next takes 100 * n XP, so level n begins at 50 * n * (n - 1).

Level 2 begins at 100 XP (five lessons), 3 at 300, 4 at 600, 10 at 4,500: quick at first, then ever longer, without end.
"""

from dataclasses import dataclass
from math import isqrt

_HALF_STEP = 50


@dataclass(frozen=True)
class Level:
    """A level; whoever has `xp_from` <= XP < `xp_to` is on it."""

    number: int
    xp_from: int
    xp_to: int


def level_of(xp: int) -> Level:
    """The level of a student with so much XP. Raises `ValueError` when XP is negative."""
    if xp < 0:
        raise ValueError(f"XP is never negative: {xp}")
    number = (_HALF_STEP + isqrt(_HALF_STEP**2 + 4 * _HALF_STEP * xp)) // (2 * _HALF_STEP)
    return Level(number, _begins_at(number), _begins_at(number + 1))


def _begins_at(number: int) -> int:
    return _HALF_STEP * number * (number - 1)
