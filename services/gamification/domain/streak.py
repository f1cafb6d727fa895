"""The streak (la Flamme): consecutive local days of learning, wherever the student is.

A day is the student's own local date at that moment. Where the time zone changed between two learnings, the days gone
by have three answers: by the student's own dates, by the calendar of the zone left, and by that of the zone reached.

- The streak lives on if any of them says that no whole day was missed: a flight never costs a day.
- A learning is a new day if two of them say so: another zone at the same instant wins none.
- A streak is never longer than the calendar, by any of them, from its first day to its last: roundings cannot add up.

In one time zone the three are the same number, and all of this is the plain difference of dates.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from zoneinfo import ZoneInfo


class UnknownTimeZone(ValueError):
    """The name is no IANA time zone."""


@dataclass(frozen=True)
class Learning:
    """That a student learned: when, and on which local date of which time zone (IANA)."""

    at: datetime
    local_date: date
    time_zone: str


@dataclass(frozen=True)
class LearningDay:
    """A local date on which a student learned, with the first and last instants known of it."""

    local_date: date
    time_zone: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Streak:
    """The streak as of the student's last learning; `one_zone` says that all learning was in the same time zone."""

    current: int
    longest: int
    last: Learning | None
    one_zone: bool


NO_STREAK = Streak(0, 0, None, one_zone=True)


@dataclass(frozen=True)
class Flame:
    """The streak as a student sees it at some instant.

    `alive_until` is the instant at which it goes out unless the student learns again: the end of today, or of tomorrow
    when today is done; None when there is none.
    """

    current: int
    longest: int
    today_done: bool
    alive_until: datetime | None


@dataclass(frozen=True)
class _Run:
    length: int
    first: Learning
    counted: Learning
    last: Learning


def learned(at: datetime, time_zone: str, on: date | None = None) -> Learning:
    """A learning at an instant; `on` is its local date where that was decided before, and then bounds the instant.

    Raises `UnknownTimeZone`.
    """
    if on is None:
        return Learning(at, _date_in(time_zone, at), time_zone)
    begin, end = _end_of(on - timedelta(days=1), time_zone), _end_of(on, time_zone)
    return Learning(min(max(at, begin), end - timedelta(microseconds=1)), on, time_zone)


def fold(days: Iterable[LearningDay]) -> Streak:
    """The streak of a student who learned on these days, given in any order."""
    learnings = _learnings(days)
    run: _Run | None = None
    longest = 0
    for run in _runs(learnings):
        longest = max(longest, run.length)
    if run is None:
        return NO_STREAK
    return Streak(run.length, longest, run.last, one_zone=len({learning.time_zone for learning in learnings}) == 1)


def reached(days: Iterable[LearningDay], lengths: Collection[int]) -> dict[int, datetime]:
    """When the streak was first so many days long, for each of the lengths that it ever had."""
    first: dict[int, datetime] = {}
    for run in _runs(_learnings(days)):
        for length in lengths:
            if length <= run.length:
                first.setdefault(length, run.counted.at)
    return first


def extended(streak: Streak, day: LearningDay, *, is_new: bool) -> Streak | None:
    """The streak with one more day, or with a day that grew; None when only a fold of all days can tell."""
    latest = Learning(day.last_at, day.local_date, day.time_zone)
    if streak.last is None:
        return Streak(1, 1, latest, one_zone=True)
    if not streak.one_zone or day.time_zone != streak.last.time_zone:
        return None
    days = (day.local_date - streak.last.local_date).days
    if days < 0:
        return None if is_new else streak
    if days == 0:
        return replace(streak, last=latest)
    current = streak.current + 1 if days == 1 else 1
    return Streak(current, max(current, streak.longest), latest, one_zone=True)


def is_longer(before: Streak, after: Streak) -> bool:
    """Whether a day was added, to the same streak or as the first of another."""
    if before.last is None or after.last is None:
        return after.current > before.current
    return after.current > before.current or min(_days_gone_by(before.last, after.last)) > 1


def flame(streak: Streak, now: datetime, time_zone: str) -> Flame:
    """The streak as seen at `now` by the student, who is in that time zone. Raises `UnknownTimeZone`."""
    here = Learning(now, _date_in(time_zone, now), time_zone)
    if streak.last is None:
        return Flame(0, streak.longest, today_done=False, alive_until=None)
    days = _days_gone_by(streak.last, here)
    if min(days) > 1:
        return Flame(0, streak.longest, today_done=False, alive_until=None)
    tomorrow = timedelta(days=1)
    alive_until = max(
        _end_of(streak.last.local_date + tomorrow, time_zone),
        _end_of(streak.last.local_date + tomorrow, streak.last.time_zone),
        _end_of(_date_of(streak.last, time_zone) + tomorrow, time_zone),
    )
    return Flame(streak.current, streak.longest, today_done=median(days) < 1, alive_until=alive_until)


def _learnings(days: Iterable[LearningDay]) -> list[Learning]:
    found = {(at, day.local_date, day.time_zone) for day in days for at in (day.first_at, day.last_at)}
    return [Learning(*values) for values in sorted(found)]


def _runs(learnings: Iterable[Learning]) -> Iterator[_Run]:
    run = None
    for learning in learnings:
        run = _next(run, learning)
        yield run


def _next(run: _Run | None, learning: Learning) -> _Run:
    if run is None or min(_days_gone_by(run.last, learning)) > 1:
        return _Run(1, learning, learning, learning)
    if median(_days_gone_by(run.counted, learning)) < 1:
        return replace(run, last=learning)
    calendar = 1 + max(_days_gone_by(run.first, learning))
    return _Run(max(run.length, min(run.length + 1, calendar)), run.first, learning, learning)


def _days_gone_by(earlier: Learning, later: Learning) -> tuple[int, int, int]:
    by_own_dates = (later.local_date - earlier.local_date).days
    if earlier.time_zone == later.time_zone:
        return by_own_dates, by_own_dates, by_own_dates
    return (
        by_own_dates,
        (_date_of(later, earlier.time_zone) - earlier.local_date).days,
        (later.local_date - _date_of(earlier, later.time_zone)).days,
    )


def _date_of(learning: Learning, time_zone: str) -> date:
    return learning.local_date if time_zone == learning.time_zone else _date_in(time_zone, learning.at)


def _date_in(time_zone: str, at: datetime) -> date:
    return at.astimezone(_zone(time_zone)).date()


def _end_of(local_date: date, time_zone: str) -> datetime:
    # where midnight does not exist, the clock's offset before the gap gives the very instant of the change
    return datetime.combine(local_date + timedelta(days=1), time.min, _zone(time_zone)).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownTimeZone(name) from error
