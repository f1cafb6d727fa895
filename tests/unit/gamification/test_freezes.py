"""Streak freezes: missed days that were paid for, whatever arrives when."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gamification.domain.streak import (
    NO_STREAK,
    Freeze,
    Learning,
    LearningDay,
    Streak,
    bought,
    danger,
    extended,
    flame,
    fold,
    frozen_dates,
    is_longer,
    learned,
    next_look,
    saved_dates,
)
from tests.unit.gamification.test_streak import (
    AUCKLAND,
    LOS_ANGELES,
    PARIS,
    TOKYO,
    ZONES,
    at,
    days_of,
    some_instants,
    some_learnings,
    some_waits,
)

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)

some_calendars = st.lists(some_instants, min_size=1, max_size=12)
some_purchases = st.lists(some_instants, max_size=8)
some_travelling_purchases = st.lists(st.tuples(some_instants, st.sampled_from(ZONES)), max_size=8)


def freezes_of(purchases: list[tuple[datetime, str]]) -> list[Freeze]:
    """The freezes that were bought so."""
    return [bought(instant, zone) for instant, zone in purchases]


# the rule as anybody would play it on a calendar, in one time zone


@dataclass
class Calendar:
    """What a student has at the end of some moment, counted day by day."""

    streak: int = 0
    longest: int = 0
    done: bool = False
    freezes: int = 0
    frozen: tuple[date, ...] = ()

    def lives(self, what: str) -> None:
        """A learning or a purchase."""
        if what == "buys":
            self.freezes += 1
        elif not self.done:
            self.streak, self.done = self.streak + 1, True
            self.longest = max(self.longest, self.streak)

    def sleeps(self, day: date) -> None:
        """The end of a day."""
        if self.streak and not self.done:
            if self.freezes:
                self.freezes -= 1
                self.frozen += (day,)
            else:
                self.streak = 0
        if not self.streak:
            self.frozen = ()
        self.done = False


def played(learnings: list[datetime], purchases: list[datetime], now: datetime, zone: str) -> Calendar:
    """The calendar of a student as of `now`."""
    events = sorted([(instant, "learns") for instant in learnings] + [(instant, "buys") for instant in purchases])
    here = ZoneInfo(zone)
    calendar = Calendar()
    day = min(instant for instant, _ in events).astimezone(here).date()
    while True:
        for instant, what in events:
            if instant.astimezone(here).date() == day and instant <= now:
                calendar.lives(what)
        if day == now.astimezone(here).date():
            return calendar
        calendar.sleeps(day)
        day += DAY


@given(some_calendars, some_purchases, some_instants, st.sampled_from(ZONES))
def test_in_one_zone_the_streak_and_its_freezes_are_those_of_the_calendar(
    learnings: list[datetime], purchases: list[datetime], wait: datetime, zone: str
) -> None:
    now = max([*learnings, *purchases]) + (wait - datetime(2026, 10, 15, tzinfo=UTC)) / 3
    days, freezes = days_of([(one, zone) for one in learnings]), freezes_of([(one, zone) for one in purchases])
    expected = played(learnings, purchases, now, zone)

    streak = fold(days, freezes)
    seen = flame(streak, now, zone)

    assert (seen.current, seen.longest, seen.freezes) == (expected.streak, expected.longest, expected.freezes)
    assert seen.today_done == expected.done
    if seen.current:
        assert frozen_dates(days, freezes) + saved_dates(streak, now, zone) == expected.frozen


@given(some_calendars, some_purchases, st.sampled_from(ZONES))
def test_in_one_zone_the_flame_goes_out_on_the_night_that_the_calendar_says(
    learnings: list[datetime], purchases: list[datetime], zone: str
) -> None:
    now = max([*learnings, *purchases])
    seen = flame(
        fold(days_of([(one, zone) for one in learnings]), freezes_of([(one, zone) for one in purchases])), now, zone
    )

    if seen.alive_until is None:
        assert played(learnings, purchases, now, zone).streak == 0
    else:
        assert played(learnings, purchases, seen.alive_until - MOMENT, zone).streak == seen.current
        assert played(learnings, purchases, seen.alive_until, zone).streak == 0


@settings(max_examples=200)
@given(
    some_calendars,
    some_purchases,
    st.sampled_from([PARIS, AUCKLAND]),
    st.sampled_from([PARIS, AUCKLAND, LOS_ANGELES]),
    st.randoms(use_true_random=False),
)
def test_the_quick_path_comes_to_the_same_in_any_order_of_arrival(
    learnings: list[datetime], purchases: list[datetime], zone: str, shop_zone: str, random: Random
) -> None:
    arrivals: list[tuple[str, datetime]] = [("learns", one) for one in learnings] + [("buys", one) for one in purchases]
    arrivals += random.sample(arrivals, random.randint(0, len(arrivals)))
    arrivals.sort(key=lambda arrival: arrival[1])
    for _ in range(random.randint(0, 4)):
        late = arrivals.pop(random.randrange(len(arrivals)))
        arrivals.insert(random.randint(0, len(arrivals)), late)

    known: set[datetime] = set()
    paid: set[datetime] = set()
    streak = NO_STREAK
    for what, instant in arrivals:
        if what == "buys":
            paid.add(instant)
            streak = fold(known_days(known, zone), freezes_of([(one, shop_zone) for one in paid]))
            continue
        before = {day.local_date: day for day in known_days(known, zone)}
        known.add(instant)
        [day] = [day for day in known_days(known, zone) if day.local_date == learned(instant, zone).local_date]
        quick = extended(streak, day, is_new=day.local_date not in before)
        whole = fold(known_days(known, zone), freezes_of([(one, shop_zone) for one in paid]))
        assert quick is None or quick == whole
        streak = whole


def known_days(instants: set[datetime], zone: str) -> list[LearningDay]:
    return days_of([(one, zone) for one in instants])


def test_without_purchases_since_the_quick_path_is_taken_and_spends_what_is_held() -> None:
    [monday] = days_of([at("2026-11-23 20:00", PARIS)])
    [thursday] = days_of([at("2026-11-26 20:00", PARIS)])
    streak = fold([monday], freezes_of([at("2026-11-23 21:00", PARIS), at("2026-11-24 21:00", PARIS)]))

    after = extended(streak, thursday, is_new=True)

    assert after is not None
    assert (after.current, after.freezes) == (2, 0)
    assert saved_dates(streak, *at("2026-11-26 20:00", PARIS)) == (date(2026, 11, 24), date(2026, 11, 25))
    assert is_longer(streak, after)


def test_what_was_bought_in_another_zone_can_depend_on_the_hour_of_a_day_so_all_is_folded() -> None:
    morning, evening = at("2026-11-23 10:00", PARIS), at("2026-11-23 20:00", PARIS)
    wednesday = at("2026-11-25 23:30", PARIS)
    freezes = freezes_of([at("2026-11-25 23:00", AUCKLAND)])
    before = fold(days_of([morning, wednesday]), freezes)
    [monday] = days_of([morning, evening])

    assert (before.current, fold(days_of([morning, evening, wednesday]), freezes).current) == (1, 2)
    assert extended(before, monday, is_new=False) is None


# what a student lives


def streak_with(learnings: list[str], purchases: list[str]) -> Streak:
    """The streak of a student in Paris."""
    return fold(days_of([at(one, PARIS) for one in learnings]), freezes_of([at(one, PARIS) for one in purchases]))


def test_a_missed_day_uses_a_freeze_and_the_flame_survives_without_growing() -> None:
    streak = streak_with(["2026-11-23 20:00", "2026-11-25 20:00"], ["2026-11-23 21:00"])

    assert (streak.current, streak.freezes) == (2, 0)


def test_two_freezes_save_two_days_and_a_third_puts_it_out_and_takes_them_with_it() -> None:
    purchases = ["2026-11-23 21:00", "2026-11-23 21:01"]

    assert streak_with(["2026-11-23 20:00", "2026-11-26 20:00"], purchases).current == 2
    out = streak_with(["2026-11-23 20:00", "2026-11-27 20:00"], purchases)
    assert (out.current, out.freezes) == (1, 0)


def test_a_freeze_bought_today_saves_today_but_never_yesterday() -> None:
    learned_on = ["2026-11-23 20:00", "2026-11-25 08:00"]

    assert streak_with(learned_on, ["2026-11-24 23:59"]).current == 2
    too_late = streak_with(learned_on, ["2026-11-25 00:00"])
    assert (too_late.current, too_late.freezes) == (1, 1)


def test_a_freeze_bought_on_a_frozen_day_saves_the_next() -> None:
    streak = streak_with(["2026-11-23 20:00"], ["2026-11-23 21:00", "2026-11-25 12:00"])

    assert streak.late_freezes == (1,)
    seen = flame(streak, *at("2026-11-25 13:00", PARIS))
    assert (seen.current, seen.freezes, seen.alive_until) == (1, 1, at("2026-11-27 00:00", PARIS)[0])


def test_without_a_flame_no_freeze_is_used() -> None:
    assert streak_with([], ["2026-11-02 12:00"]).freezes == 1
    streak = streak_with(["2026-11-01 12:00", "2026-11-20 12:00"], ["2026-11-05 12:00"])

    assert (streak.current, streak.freezes) == (1, 1)


def test_a_learning_that_arrives_late_for_a_frozen_day_gives_the_freeze_back_also_above_two() -> None:
    purchases = ["2026-11-23 21:00", "2026-11-23 21:01", "2026-11-25 20:00"]
    before = streak_with(["2026-11-23 20:00", "2026-11-25 19:00"], purchases)
    after = streak_with(["2026-11-23 20:00", "2026-11-24 22:00", "2026-11-25 19:00"], purchases)

    assert (before.current, before.freezes) == (2, 2)
    assert (after.current, after.freezes) == (3, 3)


def test_the_deadline_shown_includes_the_freezes_that_will_be_used() -> None:
    seen = flame(streak_with(["2026-11-23 20:00"], ["2026-11-23 21:00"]), *at("2026-11-24 12:00", PARIS))

    assert (seen.freezes, seen.today_done, seen.alive_until) == (1, False, at("2026-11-26 00:00", PARIS)[0])


# across time zones


@given(some_learnings, some_travelling_purchases, st.randoms(use_true_random=False))
def test_the_order_in_which_days_and_purchases_become_known_means_nothing(
    learnings: list[tuple[datetime, str]], purchases: list[tuple[datetime, str]], random: Random
) -> None:
    days, freezes = days_of(learnings), freezes_of(purchases)
    shuffled, paid = [*days, *days], list(freezes)
    random.shuffle(shuffled)
    random.shuffle(paid)

    assert fold(shuffled, paid) == fold(days, freezes)


@given(some_learnings, some_travelling_purchases, some_waits, st.sampled_from(ZONES))
def test_a_streak_with_freezes_goes_out_at_its_deadline_and_not_before(
    learnings: list[tuple[datetime, str]], purchases: list[tuple[datetime, str]], wait: timedelta, zone: str
) -> None:
    streak = fold(days_of(learnings), freezes_of(purchases))
    now = max([*learnings, *purchases])[0] + wait

    seen = flame(streak, now, zone)

    if seen.alive_until is None:
        assert seen.current == 0
    else:
        assert flame(streak, seen.alive_until - MOMENT, zone).current == streak.current
        assert flame(streak, seen.alive_until, zone).current == 0


@given(some_learnings, some_travelling_purchases, some_waits, st.sampled_from(ZONES))
def test_learning_while_it_is_shown_alive_keeps_it_with_what_freezes_were_shown(
    learnings: list[tuple[datetime, str]], purchases: list[tuple[datetime, str]], wait: timedelta, zone: str
) -> None:
    days, freezes = days_of(learnings), freezes_of(purchases)
    streak = fold(days, freezes)
    now = max([*learnings, *purchases])[0] + wait
    seen = flame(streak, now, zone)

    after = fold([*days, *days_of([(now, zone)])], freezes)

    assert after.current in ({streak.current, streak.current + 1} if seen.alive_until else {1})
    assert after.freezes + len(after.late_freezes) == seen.freezes


@given(some_learnings, some_travelling_purchases, st.sampled_from(ZONES), some_waits, some_waits)
def test_buying_a_freeze_never_costs_the_flame(
    learnings: list[tuple[datetime, str]],
    purchases: list[tuple[datetime, str]],
    zone: str,
    wait: timedelta,
    other_wait: timedelta,
) -> None:
    now = max([*learnings, *purchases])[0] + wait
    days, freezes = days_of(learnings), freezes_of(purchases)
    next_day = days_of([(now + other_wait, zone)])

    without, having = fold([*days, *next_day], freezes), fold([*days, *next_day], [*freezes, bought(now, zone)])

    assert having.longest >= without.longest
    assert having.current >= without.current


@given(some_learnings, some_travelling_purchases)
def test_a_streak_and_its_frozen_days_are_never_longer_than_the_calendar(
    learnings: list[tuple[datetime, str]], purchases: list[tuple[datetime, str]]
) -> None:
    days, freezes = days_of(learnings), freezes_of(purchases)
    first, last = min(learnings)[0], max(learnings)[0]
    in_a_zone = max((last.astimezone(ZoneInfo(z)).date() - first.astimezone(ZoneInfo(z)).date()).days for z in ZONES)

    assert fold(days, freezes).current + len(frozen_dates(days, freezes)) <= 2 + in_a_zone
    assert len(frozen_dates(days, freezes)) <= len(purchases)


@given(some_learnings, st.sampled_from(ZONES))
def test_with_freezes_enough_from_the_start_no_flame_goes_out(learnings: list[tuple[datetime, str]], zone: str) -> None:
    plenty = [bought(min(learnings)[0] - DAY, zone)] * 100

    streak = fold(days_of(learnings), plenty)

    assert streak.current == streak.longest


def test_frozen_days_are_no_room_for_days_won_by_changing_zones_back_and_forth() -> None:
    learnings = [at("2026-11-20 12:00", "UTC")]
    for week in range(6):
        monday = date(2026, 11, 23) + timedelta(days=3 * week)
        learnings += [
            at(f"{monday} 23:59", "UTC"),
            at(f"{monday + DAY} 00:01", "UTC"),
            at(f"{monday + DAY} 23:01", "Etc/GMT+1"),
            at(f"{monday + 2 * DAY} 00:01", "Etc/GMT+1"),
            at(f"{monday + 3 * DAY} 02:00", "UTC"),
        ]
    freezes = freezes_of([at("2026-11-20 13:00", "UTC"), at("2026-11-20 13:00", "UTC")])

    assert fold(days_of(learnings), freezes).current == 20


def test_a_day_that_was_saved_but_added_none_is_not_the_first_of_another_streak() -> None:
    monday, wednesday = (learned(*at(f"2026-11-{day} 20:00", PARIS)) for day in (23, 25))
    before = Streak(3, 3, monday, one_zone=False, freezes=1)

    assert not is_longer(before, Streak(3, 3, wednesday, one_zone=False))
    assert is_longer(replace(before, freezes=0), Streak(1, 3, wednesday, one_zone=False))


# the last evening


@given(some_learnings, some_travelling_purchases, st.sampled_from(ZONES))
def test_the_last_evening_is_one_in_which_today_is_not_done_and_no_freeze_is_left_for_it(
    learnings: list[tuple[datetime, str]], purchases: list[tuple[datetime, str]], zone: str
) -> None:
    streak = fold(days_of(learnings), freezes_of(purchases))

    last = danger(streak, zone)

    assert last is not None
    assert last.since < last.dies_at <= last.since + timedelta(hours=25)
    assert last.since.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == datetime.combine(
        last.local_date, datetime.min.time().replace(hour=19)
    )
    seen = flame(streak, last.dies_at - MOMENT, zone)
    assert (seen.current, seen.today_done) == (streak.current, False)
    assert flame(streak, last.since, zone).alive_until == last.dies_at
    assert streak.last is not None
    assert not flame(streak, max(last.since, streak.last.at), zone).today_done


@given(some_learnings, some_travelling_purchases, st.sampled_from(ZONES))
def test_looking_at_each_instant_that_was_named_misses_no_frozen_day_and_no_last_evening(
    learnings: list[tuple[datetime, str]], purchases: list[tuple[datetime, str]], zone: str
) -> None:
    streak = fold(days_of(learnings), freezes_of(purchases))
    assert isinstance(streak.last, Learning)
    last = danger(streak, zone)
    assert last is not None

    looks = []
    look = next_look(streak, streak.last.at, zone)
    while look is not None:
        looks.append(look)
        look = next_look(streak, look, zone)

    frozen = [saved_dates(streak, look, zone) for look in looks]
    assert last.since in looks or last.since <= streak.last.at
    assert sorted({len(dates) for dates in frozen} | {0}) == list(range(max(map(len, frozen), default=0) + 1))
    assert max(frozen, key=len, default=()) == saved_dates(streak, last.dies_at - MOMENT, zone)


def test_who_is_in_no_danger_is_not_looked_at() -> None:
    assert danger(NO_STREAK, PARIS) is None
    assert next_look(NO_STREAK, datetime(2026, 11, 23, tzinfo=UTC), PARIS) is None
    streak = streak_with(["2026-11-23 20:00"], [])
    assert next_look(streak, at("2026-11-24 19:00", PARIS)[0], PARIS) is None


@pytest.mark.parametrize(
    ("zone", "local_date", "since"),
    [
        (PARIS, date(2026, 11, 24), at("2026-11-24 19:00", PARIS)[0]),
        # what the calendar of Paris ends at midnight ends there on the afternoon before, or the morning after
        (LOS_ANGELES, date(2026, 11, 24), at("2026-11-24 19:00", LOS_ANGELES)[0]),
        (TOKYO, date(2026, 11, 25), at("2026-11-25 19:00", TOKYO)[0]),
    ],
)
def test_the_last_evening_is_that_of_where_the_student_is_now(zone: str, local_date: date, since: datetime) -> None:
    last = danger(streak_with(["2026-11-23 20:00"], []), zone)

    assert last is not None
    assert (last.local_date, last.since) == (local_date, since)
