"""Which days are shown, and how the time of a range is cut."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.days import MAXIMUM_DAYS, TooLong, is_backwards, shown_days, span

MON, TUE, WED, THU, FRI = (date(2026, 11, 23) + timedelta(n) for n in range(5))


@pytest.mark.parametrize(
    ("first", "last", "active", "shown"),
    [
        (None, None, None, []),
        (None, None, (MON, TUE), [MON, TUE, WED]),
        (None, None, (THU, FRI), [THU, FRI]),
        (MON, THU, None, [MON, TUE, WED, THU]),
        (TUE, None, None, [TUE, WED]),
        (None, TUE, (MON, MON), [MON, TUE]),
        (None, TUE, None, []),
        (FRI, None, None, []),
    ],
)
def test_days_are_dense_in_the_range_or_from_the_first_with_anything_until_today(
    first: date | None, last: date | None, active: tuple[date, date] | None, shown: list[date]
) -> None:
    assert shown_days(first, last, WED, active) == shown


def test_a_range_that_was_asked_for_is_refused_when_too_long_and_one_that_was_not_is_cut() -> None:
    long_ago = WED - timedelta(MAXIMUM_DAYS + 1)

    assert len(shown_days(long_ago + timedelta(1), WED, WED, None)) == MAXIMUM_DAYS + 1
    with pytest.raises(TooLong):
        shown_days(long_ago, WED, WED, None)
    assert len(shown_days(None, None, WED, (date(1999, 1, 1), WED))) == MAXIMUM_DAYS + 1
    assert len(shown_days(None, date.max, WED, (MON, MON))) == MAXIMUM_DAYS + 1


def test_a_range_is_backwards_only_when_both_ends_are_given() -> None:
    assert is_backwards(TUE, MON)
    assert not is_backwards(MON, MON)
    assert not is_backwards(None, MON)
    assert not is_backwards(MON, None)


ZONES = ["UTC", "Asia/Kathmandu", "America/Los_Angeles", "Pacific/Auckland", "Africa/Monrovia", "Pacific/Apia"]
some_days = st.dates(date(1969, 1, 1), date(2027, 12, 31))


@given(some_days, st.integers(0, 4), st.sampled_from(ZONES), st.integers(-80, 200))
def test_a_moment_is_in_the_whole_days_or_at_the_edges_just_when_its_local_date_is_in_the_range(
    first: date, length: int, name: str, hours: int
) -> None:
    zone, last = ZoneInfo(name), first + timedelta(length)
    moment = datetime.combine(first, time(0, 7), UTC) + timedelta(hours=hours)

    found = span(first, last, zone)

    in_days = found.first_day <= moment.date() < found.end_day
    at_edges = sum(begin <= moment < end for begin, end in found.edges)
    assert in_days + at_edges == (first <= moment.astimezone(zone).date() <= last)


@pytest.mark.parametrize("name", ZONES)
def test_open_ends_and_the_ends_of_the_calendar_hold_everything(name: str) -> None:
    for found in (span(None, None, ZoneInfo(name)), span(date.min, date.max, ZoneInfo(name))):
        assert (found.first_day, found.end_day, found.edges) == (date.min, date.max, ())
