"""Five minutes of advance, bounded by the server's time, make a day of study."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.progress.domain.study import DAY_SECONDS, REPORT_SECONDS, counted_advance, is_studied, local_date

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

# a report: seconds of silence before it, the lesson it is about, the position it claims
reports = st.lists(st.tuples(st.floats(0, 1_000), st.integers(0, 5), st.floats(0, 86_400)), min_size=1, max_size=60)


def counted(told: list[tuple[float, int, float]]) -> tuple[list[float], float]:
    """What each report counts, and the server's time from the first to the last."""
    positions: dict[int, float] = {}
    at, previous_at = NOON, None
    seconds = []
    for silence, lesson, position in told:
        at += timedelta(seconds=silence)
        seconds.append(counted_advance(position, positions.get(lesson, 0.0), at, previous_at))
        positions[lesson], previous_at = position, at
    return seconds, (at - NOON - timedelta(seconds=told[0][0])).total_seconds()


@given(reports)
def test_whatever_is_claimed_no_more_counts_than_the_time_that_passed(told: list[tuple[float, int, float]]) -> None:
    seconds, passed = counted(told)

    assert sum(seconds) <= passed + 0.001


@given(reports)
def test_a_report_counts_between_nothing_and_its_limit(told: list[tuple[float, int, float]]) -> None:
    seconds, _ = counted(told)

    assert all(0 <= one <= REPORT_SECONDS for one in seconds)


@given(reports)
def test_a_report_counts_no_more_than_it_advances(told: list[tuple[float, int, float]]) -> None:
    positions: dict[int, float] = {}
    for one, (_, lesson, position) in zip(counted(told)[0], told, strict=True):
        assert one <= max(0.0, position - positions.get(lesson, 0.0))
        positions[lesson] = position


@given(st.lists(st.floats(1, REPORT_SECONDS), min_size=1, max_size=50))
def test_an_honest_student_is_counted_every_second_after_the_first_report(silences: list[float]) -> None:
    position, told = 0.0, [(0.0, 0, 0.0)]
    for silence in silences:
        position += silence
        told.append((silence, 0, position))

    seconds, passed = counted(told)

    assert sum(seconds) == pytest.approx(passed, abs=0.001)


def test_going_back_and_watching_again_counts_what_is_watched() -> None:
    seconds, _ = counted([(0, 0, 60), (10, 0, 0), (10, 0, 10)])

    assert seconds == [0, 0, 10]


def test_five_minutes_are_a_day_of_study() -> None:
    assert is_studied(DAY_SECONDS)
    assert not is_studied(DAY_SECONDS - 0.001)


def test_the_date_is_the_students_own() -> None:
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)

    assert local_date(late, "UTC") == date(2026, 11, 23)
    assert local_date(late, "Europe/Paris") == date(2026, 11, 24)
    assert local_date(late, "America/Martinique") == date(2026, 11, 23)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe/\0", "/etc/localtime", "Europe"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the message is ZoneInfo's own for some)
        local_date(NOON, name)
