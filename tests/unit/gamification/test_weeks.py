"""Weeks: ISO, in the academy's time zone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gamification.domain.weeks import NoWeek, begin_of, end_of, week_before, week_of, weeks_around

ZONES = ["UTC", "Europe/Paris", "America/Los_Angeles", "Asia/Tokyo", "Africa/Kinshasa", "America/Santiago"]

instants = st.timedeltas(timedelta(0), timedelta(days=7300)).map(lambda after: datetime(2020, 1, 1, tzinfo=UTC) + after)


@given(instants, st.sampled_from(ZONES))
def test_every_instant_is_in_exactly_one_week(at: datetime, time_zone: str) -> None:
    week = week_of(at, time_zone)

    assert begin_of(week, time_zone) <= at < end_of(week, time_zone)
    assert end_of(week_before(week), time_zone) == begin_of(week, time_zone)


@given(instants, st.sampled_from(ZONES))
def test_weeks_in_order_are_texts_in_order_and_before_all_time(at: datetime, time_zone: str) -> None:
    week = week_of(at, time_zone)

    assert week_before(week) < week < week_of(at + timedelta(weeks=1), time_zone) < "all"


@given(instants, st.integers(0, 300), st.sampled_from(ZONES), st.sampled_from(ZONES))
def test_the_weeks_around_instants_are_those_of_all_zones_without_a_gap(
    first: datetime, weeks: int, zone: str, other: str
) -> None:
    last = first + timedelta(weeks=weeks)

    around = weeks_around(first, last, zone)

    assert {week_of(first, other), week_of(last, other)} <= set(around)
    assert [week_before(week) for week in around[1:]] == around[:-1]
    assert (around[1], around[-2]) == (week_of(first, zone), week_of(last, zone))


def test_the_week_turns_at_midnight_where_the_academy_is() -> None:
    sunday_evening = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)

    assert week_of(sunday_evening, "UTC") == "2026-W47"
    assert week_of(sunday_evening, "Europe/Paris") == "2026-W48"


def test_the_year_is_the_weeks_own() -> None:
    assert week_of(datetime(2027, 1, 1, tzinfo=UTC), "UTC") == "2026-W53"


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-47", "2026-W7", "2026-W54", "2027-W53", "0000-W01", "0001-W01", "9999-W52", "all", "٢٠٢٦-W47"],
)
def test_another_text_names_no_week(text: str) -> None:
    with pytest.raises(NoWeek):
        begin_of(text, "UTC")
