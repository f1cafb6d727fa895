"""Badges as data, and which milestones are worth a look."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gamification.domain.badges import CODES, MILESTONES, Standing, passed_by, to_look_at
from services.gamification.domain.streak import LearningDay, fold, reached

NOW = datetime(2026, 11, 23, 19, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)

standings = st.builds(Standing, st.integers(0, 120), st.integers(0, 120), st.just(NOW))


def codes(before: Standing, after: Standing, earliest: datetime = LATER) -> list[str]:
    """The codes of the milestones to look at."""
    return [milestone.code for milestone in to_look_at(before, after, earliest)]


def test_every_badge_has_a_code_of_its_own() -> None:
    assert len(set(CODES)) == len(CODES)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Standing(0, 0, None), Standing(1, 1, NOW), ["first_lesson"]),
        (Standing(1, 1, NOW), Standing(9, 6, NOW), []),
        (Standing(9, 6, NOW), Standing(10, 7, NOW), ["lessons_10", "flame_7"]),
        (Standing(10, 7, NOW), Standing(99, 29, NOW), []),
        (
            Standing(0, 0, None),
            Standing(100, 30, NOW),
            ["first_lesson", "lessons_10", "lessons_100", "flame_7", "flame_30"],
        ),
        (Standing(99, 99, NOW), Standing(100, 100, NOW), ["lessons_100", "flame_100"]),
    ],
)
def test_what_comes_in_order_is_looked_at_only_where_a_milestone_is_passed(
    before: Standing, after: Standing, expected: list[str]
) -> None:
    assert codes(before, after) == expected


def test_what_comes_late_may_date_every_milestone_back_that_was_passed() -> None:
    before = Standing(12, 8, NOW)

    assert codes(before, before, NOW - timedelta(seconds=1)) == ["first_lesson", "lessons_10", "flame_7"]
    assert codes(before, before, NOW) == []


@given(standings, standings, st.sampled_from([NOW - timedelta(days=1), NOW, LATER]))
def test_whatever_is_newly_passed_is_looked_at(before: Standing, after: Standing, earliest: datetime) -> None:
    newly = set(passed_by(after)) - set(passed_by(before))

    assert newly <= set(to_look_at(before, after, earliest)) <= set(MILESTONES)


def day(number: int, hour: int = 8) -> LearningDay:
    """A day of November on which someone learned in UTC, from that hour on."""
    at = datetime(2026, 11, number, hour, tzinfo=UTC)
    return LearningDay(at.date(), "UTC", at, at.replace(hour=23))


def test_a_length_is_reached_with_the_first_learning_of_its_day() -> None:
    days = [day(number) for number in range(1, 9)]

    assert reached(days, (), (1, 7, 30)) == {1: days[0].first_at, 7: days[6].first_at}


@given(st.sets(st.integers(1, 30)), st.randoms(use_true_random=False))
def test_lengths_are_reached_up_to_the_longest_streak_in_whatever_order_days_are_given(
    days: set[int], random: Random
) -> None:
    given_days = [day(number) for number in days]
    random.shuffle(given_days)

    found = reached(given_days, (), range(1, 31))

    assert sorted(found) == list(range(1, fold(given_days).longest + 1))
    assert sorted(found.values()) == [found[length] for length in sorted(found)]
