"""Levels."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.gamification.domain.levels import Level, level_of

some_xp = st.integers(min_value=0, max_value=10**15)


@pytest.mark.parametrize(
    ("xp", "level"),
    [
        (0, Level(1, 0, 100)),
        (99, Level(1, 0, 100)),
        (100, Level(2, 100, 300)),
        (299, Level(2, 100, 300)),
        (300, Level(3, 300, 600)),
        (4_499, Level(9, 3_600, 4_500)),
        (4_500, Level(10, 4_500, 5_500)),
    ],
)
def test_the_first_levels_are_as_documented(xp: int, level: Level) -> None:
    assert level_of(xp) == level


@given(some_xp)
@example(50 * 10**6 * (10**6 - 1))
@example(50 * 10**6 * (10**6 - 1) - 1)
def test_xp_lies_within_its_level(xp: int) -> None:
    level = level_of(xp)

    assert level.xp_from <= xp < level.xp_to


@given(some_xp)
def test_the_next_level_begins_where_this_one_ends_and_is_longer(xp: int) -> None:
    level = level_of(xp)
    following = level_of(level.xp_to)

    assert following.number == level.number + 1
    assert following.xp_from == level.xp_to
    assert following.xp_to - following.xp_from == level.xp_to - level.xp_from + 100


@given(some_xp, some_xp)
def test_more_xp_is_never_a_lower_level(one: int, other: int) -> None:
    assert level_of(min(one, other)).number <= level_of(max(one, other)).number


def test_negative_xp_has_no_level() -> None:
    with pytest.raises(ValueError, match="-1"):
        level_of(-1)
