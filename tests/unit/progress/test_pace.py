"""A lesson finished faster than it can be looked at."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.progress.domain.pace import is_hasty

OPENED = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_tenth_of_the_duration_is_enough() -> None:
    assert is_hasty(600, OPENED, OPENED + timedelta(seconds=59.999))
    assert not is_hasty(600, OPENED, OPENED + timedelta(seconds=60))


def test_a_lesson_that_was_never_opened_is_hasty_when_it_lasts() -> None:
    assert is_hasty(1, None, OPENED)


@given(opened_at=st.none() | st.just(OPENED), after=st.floats(-1e6, 1e6))
def test_a_lesson_without_duration_is_never_hasty(opened_at: datetime | None, after: float) -> None:
    assert not is_hasty(0, opened_at, OPENED + timedelta(seconds=after))


@given(duration=st.integers(1, 86_400), after=st.integers(0, 86_400))
def test_hasty_means_under_a_tenth_of_the_duration(duration: int, after: int) -> None:
    assert is_hasty(duration, OPENED, OPENED + timedelta(seconds=after)) == (after * 10 < duration)
