"""The streak (la Flamme): consecutive local days of learning, wherever the student is.

A day is the student's own local date at that moment. Between two learnings in different time zones the days gone by are
counted in both zones and the smaller number holds: a flight never costs a day, and another zone at the same instant
wins none. Over a whole streak such roundings cannot add up: it is never longer than the calendar from its first day
to its last. In one time zone all of this is the plain difference of dates.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
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
    learnings = sorted({(at, day.local_date, day.time_zone) for day in days for at in (day.first_at, day.last_at)})
    run: _Run | None = None
    longest = 0
    for learning in (Learning(*values) for values in learnings):
        run = _next(run, learning)
        longest = max(longest, run.length)
    if run is None:
        return NO_STREAK
    return Streak(run.length, longest, run.last, one_zone=len({time_zone for _, _, time_zone in learnings}) == 1)


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
    return after.current > before.current or _days_between(before.last, after.last) > 1


def flame(streak: Streak, now: datetime, time_zone: str) -> Flame:
    """The streak as seen at `now` by the student, who is in that time zone. Raises `UnknownTimeZone`."""
    here = Learning(now, _date_in(time_zone, now), time_zone)
    if streak.last is None:
        return Flame(0, streak.longest, today_done=False, alive_until=None)
    days = _days_between(streak.last, here)
    if days > 1:
        return Flame(0, streak.longest, today_done=False, alive_until=None)
    alive_until = max(
        _end_of(_date_in(zone, streak.last.at) + timedelta(days=1), zone) for zone in (time_zone, streak.last.time_zone)
    )
    return Flame(streak.current, streak.longest, today_done=days <= 0, alive_until=alive_until)


def _next(run: _Run | None, learning: Learning) -> _Run:
    if run is None or _days_between(run.last, learning) > 1:
        return _Run(1, learning, learning, learning)
    days = _days_between(run.counted, learning)
    if days < 1:
        return replace(run, last=learning)
    length = min(run.length + days, _calendar_days(run.first, learning))
    return _Run(max(length, run.length), run.first, learning, learning)


def _days_between(earlier: Learning, later: Learning) -> int:
    return min((_date_of(later, zone) - _date_of(earlier, zone)).days for zone in {earlier.time_zone, later.time_zone})


def _calendar_days(first: Learning, last: Learning) -> int:
    in_their_zones = ((_date_of(last, zone) - _date_of(first, zone)).days for zone in (first.time_zone, last.time_zone))
    return 1 + max((last.local_date - first.local_date).days, *in_their_zones)


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
