"""The streak (la Flamme): local days, wherever the student is."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.gamification.domain.streak import (
    NO_STREAK,
    Learning,
    LearningDay,
    Streak,
    UnknownTimeZone,
    extended,
    flame,
    fold,
    is_longer,
    learned,
)

PARIS, TOKYO, LOS_ANGELES, AUCKLAND = "Europe/Paris", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Auckland"
ZONES = [
    PARIS,
    TOKYO,
    LOS_ANGELES,
    AUCKLAND,
    "UTC",
    "Africa/Dakar",
    "America/Guadeloupe",
    "Asia/Kathmandu",
    "Etc/GMT+12",
]

some_instants = st.integers(min_value=0, max_value=20 * 24 * 60).map(
    lambda minutes: datetime(2026, 10, 15, tzinfo=UTC) + timedelta(minutes=minutes)
)
some_waits = st.integers(min_value=1, max_value=4 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
some_learnings = st.lists(st.tuples(some_instants, st.sampled_from(ZONES)), min_size=1, max_size=30)


def at(local: str, zone: str) -> tuple[datetime, str]:
    """A learning at a local time: `at("2026-11-23 20:00", PARIS)`."""
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC), zone


def days_of(learnings: list[tuple[datetime, str]]) -> list[LearningDay]:
    """The learning days that the learnings make."""
    days: dict[tuple[date, str], list[datetime]] = {}
    for instant, zone in learnings:
        days.setdefault((learned(instant, zone).local_date, zone), []).append(instant)
    return [LearningDay(day, zone, min(instants), max(instants)) for (day, zone), instants in days.items()]


def streak_of(*learnings: tuple[datetime, str]) -> Streak:
    """The streak of a student who learned so."""
    return fold(days_of(list(learnings)))


# in one time zone


def runs_of(dates: set[date]) -> list[int]:
    """The lengths of the runs of consecutive dates, in order: the rule as anybody would count it on a calendar."""
    runs: list[int] = []
    day = min(dates)
    while day <= max(dates):
        if day in dates:
            if day - timedelta(days=1) in dates:
                runs[-1] += 1
            else:
                runs.append(1)
        day += timedelta(days=1)
    return runs


@given(st.lists(some_instants, min_size=1, max_size=40), st.sampled_from(ZONES))
def test_in_one_zone_the_streak_is_counted_on_the_calendar(instants: list[datetime], zone: str) -> None:
    runs = runs_of({instant.astimezone(ZoneInfo(zone)).date() for instant in instants})

    streak = streak_of(*((instant, zone) for instant in instants))

    assert (streak.current, streak.longest) == (runs[-1], max(runs))


@given(st.lists(some_instants, min_size=1, max_size=40), st.sampled_from(ZONES))
def test_in_one_zone_day_by_day_comes_to_the_same_as_all_at_once(instants: list[datetime], zone: str) -> None:
    days = sorted(days_of([(instant, zone) for instant in instants]), key=lambda day: day.local_date)

    streak = NO_STREAK
    for day in days:
        begun = extended(streak, LearningDay(day.local_date, zone, day.first_at, day.first_at), is_new=True)
        assert begun is not None
        grown = extended(begun, day, is_new=False)
        assert grown is not None
        streak = grown

    assert streak == fold(days)


@given(st.lists(some_instants, min_size=2, max_size=20), st.sampled_from(ZONES), st.data())
def test_what_comes_late_is_folded_again_or_changes_nothing(
    instants: list[datetime], zone: str, data: st.DataObject
) -> None:
    days = days_of([(instant, zone) for instant in instants])
    late = data.draw(st.sampled_from(days))
    others = [day for day in days if day != late]

    grown = extended(fold(others), late, is_new=True)
    repeated = extended(fold(days), late, is_new=False)

    assert grown is None or grown == fold(days)
    assert repeated == fold(days)


@given(some_learnings, st.randoms(use_true_random=False))
def test_the_order_in_which_days_become_known_means_nothing(
    learnings: list[tuple[datetime, str]], random: Random
) -> None:
    days = days_of(learnings)
    shuffled = [*days, *days]
    random.shuffle(shuffled)

    assert fold(shuffled) == fold(days)


def test_nobody_has_a_streak_before_learning() -> None:
    assert fold([]) == NO_STREAK == Streak(0, 0, None, one_zone=True)


@pytest.mark.parametrize("zone", [PARIS, LOS_ANGELES])
def test_the_nights_when_clocks_change_are_days_like_others(zone: str) -> None:
    for first in ("2026-03-06", "2026-03-27", "2026-10-23", "2026-10-30"):
        start = date.fromisoformat(first)
        evenings = [at(f"{start + timedelta(days=n)} 23:59", zone) for n in range(5)]

        assert streak_of(*evenings).current == 5


# across time zones


def test_who_flies_east_keeps_every_day() -> None:
    streak = streak_of(at("2026-11-23 20:00", PARIS), at("2026-11-24 18:00", TOKYO), at("2026-11-25 06:00", TOKYO))

    assert streak.current == 3


def test_who_flies_east_overnight_does_not_miss_the_day_spent_in_the_air() -> None:
    assert streak_of(at("2026-11-23 08:00", PARIS), at("2026-11-25 07:00", TOKYO)).current == 2


def test_who_flies_west_counts_the_long_day_once() -> None:
    streak = streak_of(at("2026-11-23 18:00", TOKYO), at("2026-11-23 20:00", PARIS), at("2026-11-24 20:00", PARIS))

    assert streak.current == 2


def test_who_flies_west_does_not_lose_a_day_that_only_began_earlier_elsewhere() -> None:
    assert streak_of(at("2026-11-23 00:30", TOKYO), at("2026-11-24 23:50", PARIS)).current == 2


def test_crossing_the_date_line_and_coming_back_counts_each_day_lived() -> None:
    streak = streak_of(
        at("2026-11-23 20:00", LOS_ANGELES),
        at("2026-11-25 17:00", AUCKLAND),
        at("2026-11-25 20:00", LOS_ANGELES),
        at("2026-11-26 20:00", LOS_ANGELES),
    )

    assert streak.current == 4


def test_another_zone_at_the_same_instant_wins_no_day() -> None:
    evening = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)

    assert {learned(evening, zone).local_date.day for zone in ZONES} == {23, 24}
    assert streak_of(*((evening, zone) for zone in ZONES)).current == 1


def test_a_day_missed_everywhere_ends_the_streak_wherever_one_is() -> None:
    streak = streak_of(at("2026-11-22 20:00", PARIS), at("2026-11-23 20:00", PARIS), at("2026-11-26 08:00", TOKYO))

    assert (streak.current, streak.longest) == (1, 2)


def test_changing_zones_back_and_forth_around_midnight_does_not_add_up() -> None:
    learnings = []
    for week in range(6):
        monday = date(2026, 11, 23) + timedelta(days=3 * week)
        learnings += [
            at(f"{monday} 23:59", "UTC"),
            at(f"{monday + timedelta(days=1)} 00:01", "UTC"),
            at(f"{monday + timedelta(days=1)} 23:01", "Etc/GMT+1"),
            at(f"{monday + timedelta(days=2)} 00:01", "Etc/GMT+1"),
            at(f"{monday + timedelta(days=3)} 02:00", "UTC"),
        ]

    assert streak_of(*learnings).current == 19


def test_learning_at_both_ends_of_a_shuttle_loses_no_day() -> None:
    start = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    learnings = [(start + timedelta(hours=12 * n), ("UTC", "Etc/GMT+12")[n % 2]) for n in range(21)]

    assert streak_of(*learnings).current in (10, 11)


def test_a_moment_spent_in_another_zone_costs_no_day() -> None:
    evening, later = at("2026-11-23 20:00", LOS_ANGELES), at("2026-11-24 23:00", AUCKLAND)

    assert streak_of(evening, later).current == 2
    assert streak_of(evening, (evening[0], AUCKLAND), later).current == 2


@given(some_learnings)
@example([at("2026-11-23 00:30", TOKYO), at("2026-11-24 23:50", PARIS)])
@example([at("2026-11-23 08:00", PARIS), at("2026-11-25 07:00", TOKYO)])
def test_whoever_learns_by_the_end_of_the_next_day_by_any_calendar_finds_the_streak_alive(
    learnings: list[tuple[datetime, str]],
) -> None:
    for (one, zone), (other, other_zone) in pairwise(sorted(learnings)):
        days = [
            (other.astimezone(ZoneInfo(there)).date() - one.astimezone(ZoneInfo(here)).date()).days
            for here, there in ((zone, zone), (other_zone, other_zone), (zone, other_zone))
        ]

        assert flame(streak_of((one, zone)), other, other_zone).current == (1 if min(days) <= 1 else 0)


@given(some_learnings)
def test_a_streak_is_never_longer_than_the_calendar(learnings: list[tuple[datetime, str]]) -> None:
    first, last = min(learnings)[0], max(learnings)[0]
    in_a_zone = max((last.astimezone(ZoneInfo(z)).date() - first.astimezone(ZoneInfo(z)).date()).days for z in ZONES)

    assert streak_of(*learnings).longest <= 2 + in_a_zone


@given(some_learnings)
def test_learning_again_a_whole_day_after_the_last_day_counted_always_counts(
    learnings: list[tuple[datetime, str]],
) -> None:
    first = min(learnings)[0]
    daily = [(first + timedelta(days=n), zone) for n, (_, zone) in enumerate(learnings)]

    assert streak_of(*daily).current == len(daily)


def test_the_streak_knows_whether_it_ever_left_its_zone() -> None:
    assert streak_of(at("2026-11-23 20:00", PARIS), at("2026-11-24 20:00", PARIS)).one_zone
    assert not streak_of(at("2026-11-23 20:00", PARIS), at("2026-11-24 20:00", TOKYO)).one_zone


def test_a_day_in_another_zone_needs_all_days() -> None:
    streak = streak_of(at("2026-11-23 20:00", PARIS))
    [moved] = days_of([at("2026-11-24 20:00", TOKYO)])

    assert extended(streak, moved, is_new=True) is None


# what the student sees


@pytest.mark.parametrize(
    ("now", "current", "today_done", "alive_until"),
    [
        ("2026-11-24 20:00", 2, True, "2026-11-26 00:00"),
        ("2026-11-24 23:59", 2, True, "2026-11-26 00:00"),
        ("2026-11-25 00:00", 2, False, "2026-11-26 00:00"),
        ("2026-11-25 23:59", 2, False, "2026-11-26 00:00"),
        ("2026-11-26 00:00", 0, False, None),
        ("2026-12-26 00:00", 0, False, None),
    ],
)
def test_the_streak_is_alive_until_a_whole_local_day_was_missed(
    now: str, current: int, today_done: bool, alive_until: str | None
) -> None:
    streak = streak_of(at("2026-11-23 08:00", PARIS), at("2026-11-24 19:00", PARIS))

    seen = flame(streak, *at(now, PARIS))

    assert (seen.current, seen.longest, seen.today_done) == (current, 2, today_done)
    assert seen.alive_until == (alive_until and at(alive_until, PARIS)[0])


def test_after_a_flight_today_is_done_where_a_learning_would_add_no_day() -> None:
    streak = streak_of(at("2026-11-23 20:00", PARIS))

    assert flame(streak, *at("2026-11-24 05:00", TOKYO)).today_done
    assert not flame(streak, *at("2026-11-24 18:00", TOKYO)).today_done


def test_before_the_first_learning_there_is_no_flame() -> None:
    seen = flame(NO_STREAK, *at("2026-11-24 20:00", PARIS))

    assert (seen.current, seen.longest, seen.today_done, seen.alive_until) == (0, 0, False, None)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        (PARIS, "2026-03-28"),
        (PARIS, "2026-10-24"),
        ("America/Santiago", "2026-09-05"),
        ("Africa/Cairo", "2026-04-23"),
        ("America/Havana", "2026-10-31"),
        ("Asia/Beirut", "2026-03-28"),
    ],
)
def test_the_deadline_is_the_first_instant_of_the_next_day_also_when_clocks_change(zone: str, day: str) -> None:
    yesterday = date.fromisoformat(day)
    streak = streak_of(at(f"{yesterday} 12:00", zone))

    deadline = flame(streak, *at(f"{yesterday} 13:00", zone)).alive_until

    assert deadline is not None
    assert deadline.astimezone(ZoneInfo(zone)).date() == yesterday + timedelta(days=2)
    before = (deadline - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
    assert before == yesterday + timedelta(days=1)


@given(some_learnings, some_waits, st.sampled_from(ZONES))
def test_a_streak_shown_alive_goes_out_at_its_deadline_and_not_before(
    learnings: list[tuple[datetime, str]], wait: timedelta, zone: str
) -> None:
    streak = streak_of(*learnings)
    now = max(learnings)[0] + wait

    seen = flame(streak, now, zone)

    if seen.alive_until is None:
        assert seen.current == 0
    else:
        assert seen.current == streak.current
        assert flame(streak, seen.alive_until - timedelta(microseconds=1), zone).current == streak.current
        assert flame(streak, seen.alive_until, zone).current == 0


@given(some_learnings, some_waits, st.sampled_from(ZONES))
@example(
    [
        at("2026-11-01 04:40", "Etc/GMT+12"),
        at("2026-11-02 09:20", "UTC"),
        at("2026-11-03 00:20", "Etc/GMT-14"),
        at("2026-11-03 06:20", "UTC"),
    ],
    timedelta(hours=5),
    "Etc/GMT+12",
)
def test_learning_while_the_streak_is_shown_alive_keeps_it_and_afterwards_begins_anew(
    learnings: list[tuple[datetime, str]], wait: timedelta, zone: str
) -> None:
    streak = streak_of(*learnings)
    now = max(learnings)[0] + wait
    seen = flame(streak, now, zone)

    after = streak_of(*learnings, (now, zone))

    assert after.current in ({streak.current, streak.current + 1} if seen.alive_until else {1})


def test_learning_is_longer_by_a_day_or_begins_anew_but_not_twice_a_day() -> None:
    one = streak_of(at("2026-11-23 08:00", PARIS))
    again = streak_of(at("2026-11-23 08:00", PARIS), at("2026-11-23 22:00", PARIS))
    anew = streak_of(at("2026-11-23 08:00", PARIS), at("2026-11-25 08:00", PARIS))
    two = streak_of(at("2026-11-23 08:00", PARIS), at("2026-11-24 08:00", PARIS))

    assert is_longer(NO_STREAK, one)
    assert is_longer(one, two)
    assert is_longer(one, anew)
    assert not is_longer(one, again)
    assert not is_longer(two, one)


# what is told


def test_a_day_decided_before_bounds_the_instant_of_its_learning() -> None:
    just_after_midnight = at("2026-11-24 00:03", PARIS)[0]

    learning = learned(just_after_midnight, PARIS, on=date(2026, 11, 23))

    assert learning == Learning(at("2026-11-24 00:00", PARIS)[0] - timedelta(microseconds=1), date(2026, 11, 23), PARIS)
    assert learned(just_after_midnight, PARIS, on=date(2026, 11, 24)).at == just_after_midnight


@pytest.mark.parametrize(
    "name", ["", "Paris", "Europe", "../etc/passwd", "/etc/localtime", "Europe/Paris\0", "x" * 5000]
)
def test_what_is_no_time_zone_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnknownTimeZone):
        learned(datetime(2026, 11, 23, tzinfo=UTC), name)
