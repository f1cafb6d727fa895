"""The streak (la Flamme): consecutive local days of learning, wherever the student is.

A day is the student's own local date at that moment. Where the time zone changed between two learnings, the days gone
by have three answers: by the student's own dates, by the calendar of the zone left, and by that of the zone reached.

- The streak lives on if any of them says that no whole day was missed: a flight never costs a day.
- A learning is a new day if two of them say so: another zone at the same instant wins none.
- A streak is never longer than the calendar, by any of them, from its first day to its last: roundings cannot add up.

In one time zone the three are the same number, and all of this is the plain difference of dates.

A freeze saves a missed day: each whole day missed between two learnings uses one, the first day first, of those that
were bought before that day was over. The day that finds none puts the flame out; freezes used before it stay used. A
frozen day does not lengthen the streak. Nothing of this is ever settled: what a late learning changes is counted anew.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from zoneinfo import ZoneInfo


class UnknownTimeZone(ValueError):
    """The name is no IANA time zone."""


EVENING = time(19)
ALL_HEARD = timedelta(minutes=10)
"""So long after a day's end it is known what was learned in it, unless something is down."""

FREEZES_MAX = 2
"""So many freezes may be held when another is asked for, and no more bought; one given back may lift it above."""


@dataclass(frozen=True)
class Moment:
    """An instant of a student's, and the local date of the time zone (IANA) that it was for them."""

    at: datetime
    local_date: date
    time_zone: str


@dataclass(frozen=True)
class Learning(Moment):
    """That a student learned."""


@dataclass(frozen=True)
class Freeze(Moment):
    """That a student bought a streak freeze."""


@dataclass(frozen=True)
class LearningDay:
    """A local date on which a student learned, with the first and last instants known of it."""

    local_date: date
    time_zone: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Streak:
    """The streak as of the student's last learning, with the freezes bought since.

    `one_zone` says that all was in the same time zone. `freezes` are those that save any day to come; for each of
    `late_freezes`, bought when whole days were missed already, it is known how many: those it cannot save.
    """

    current: int
    longest: int
    last: Learning | None
    one_zone: bool
    freezes: int = 0
    late_freezes: tuple[int, ...] = ()


NO_STREAK = Streak(0, 0, None, one_zone=True)


@dataclass(frozen=True)
class Flame:
    """The streak as a student sees it at some instant.

    `alive_until` is the instant at which it goes out unless the student learns again: the end of today, or of tomorrow
    when today is done, and a day later for each freeze that will be used; None when there is none. `freezes` are those
    left now.
    """

    current: int
    longest: int
    today_done: bool
    alive_until: datetime | None
    freezes: int


@dataclass(frozen=True)
class Danger:
    """The last evening of a streak, which goes out at `dies_at` unless the student learns; it begins at `since`."""

    local_date: date
    since: datetime
    dies_at: datetime


@dataclass(frozen=True)
class _Run:
    length: int
    first: Learning
    counted: Learning
    last: Learning
    freezes: int
    frozen: tuple[date, ...] = ()


def learned(at: datetime, time_zone: str, on: date | None = None) -> Learning:
    """A learning at an instant; `on` is its local date where that was decided before, and then bounds the instant.

    Raises `UnknownTimeZone`.
    """
    if on is None:
        return Learning(at, _date_in(time_zone, at), time_zone)
    begin, end = end_of(on - timedelta(days=1), time_zone), end_of(on, time_zone)
    return Learning(min(max(at, begin), end - timedelta(microseconds=1)), on, time_zone)


def bought(at: datetime, time_zone: str) -> Freeze:
    """A freeze bought at an instant. Raises `UnknownTimeZone`."""
    return Freeze(at, _date_in(time_zone, at), time_zone)


def fold(days: Iterable[LearningDay], freezes: Iterable[Freeze] = ()) -> Streak:
    """The streak of a student who learned on these days and bought these freezes, given in any order."""
    days, freezes = list(days), list(freezes)
    runs, since = _runs(days, freezes)
    if not runs:
        return replace(NO_STREAK, freezes=len(since))
    run = runs[-1]
    missed = [_missed(run.last, freeze) for freeze in since]
    return Streak(
        run.length,
        max(run.length for run in runs),
        run.last,
        one_zone=len({day.time_zone for day in days} | {freeze.time_zone for freeze in freezes}) == 1,
        freezes=run.freezes + missed.count(0),
        late_freezes=tuple(sorted(n for n in missed if n)),
    )


def frozen_dates(days: Iterable[LearningDay], freezes: Iterable[Freeze]) -> tuple[date, ...]:
    """The local dates that freezes saved in the run of days that ends with the last learning."""
    runs, _ = _runs(days, freezes)
    return runs[-1].frozen if runs else ()


def reached(days: Iterable[LearningDay], freezes: Iterable[Freeze], lengths: Collection[int]) -> dict[int, datetime]:
    """When the streak was first so many days long, for each of the lengths that it ever had."""
    first: dict[int, datetime] = {}
    for run in _runs(days, freezes)[0]:
        for length in lengths:
            if length <= run.length:
                first.setdefault(length, run.counted.at)
    return first


def extended(streak: Streak, day: LearningDay, *, is_new: bool) -> Streak | None:
    """The streak with one more day, or with a day that grew; None when only a fold of all that is known can tell."""
    latest = Learning(day.last_at, day.local_date, day.time_zone)
    if streak.last is None:
        return None if streak.freezes else Streak(1, 1, latest, one_zone=True)
    if not streak.one_zone or day.time_zone != streak.last.time_zone or streak.late_freezes:
        return None
    days = (day.local_date - streak.last.local_date).days
    if days < 0:
        return None if is_new else streak
    if days == 0:
        return replace(streak, last=latest)
    used = _used(streak, days - 1)
    current = streak.current + 1 if used == days - 1 else 1
    return Streak(current, max(current, streak.longest), latest, one_zone=True, freezes=streak.freezes - used)


def saved_dates(streak: Streak, at: datetime, time_zone: str) -> tuple[date, ...]:
    """The local dates since the last learning that freezes saved until then, where the flame is still alive."""
    if streak.last is None:
        return ()
    missed = _missed(streak.last, Moment(at, _date_in(time_zone, at), time_zone))
    return _dates_after(streak.last, missed) if _used(streak, missed) == missed else ()


def is_longer(before: Streak, after: Streak) -> bool:
    """Whether a day was added, to the same streak or as the first of another."""
    if before.last is None or after.last is None:
        return after.current > before.current
    missed = _missed(before.last, after.last)
    return after.current > before.current or _used(before, missed) < missed


def flame(streak: Streak, now: datetime, time_zone: str) -> Flame:
    """The streak as seen at `now` by the student, who is in that time zone. Raises `UnknownTimeZone`."""
    here = Moment(now, _date_in(time_zone, now), time_zone)
    if streak.last is None:
        return Flame(0, streak.longest, today_done=False, alive_until=None, freezes=streak.freezes)
    missed = _missed(streak.last, here)
    used = _used(streak, missed)
    left = streak.freezes + len(streak.late_freezes) - used
    if used < missed:
        return Flame(0, streak.longest, today_done=False, alive_until=None, freezes=left)
    today_done = median(_days_gone_by(streak.last, here)) < 1
    return Flame(streak.current, streak.longest, today_done, _goes_out_at(streak, streak.last, time_zone), left)


def danger(streak: Streak, time_zone: str) -> Danger | None:
    """The last evening, in that time zone, of a streak; None where there is none."""
    if streak.last is None:
        return None
    dies_at = _goes_out_at(streak, streak.last, time_zone)
    local_date = _date_in(time_zone, dies_at - timedelta(microseconds=1))
    since = _at(local_date, EVENING, time_zone)
    if since >= dies_at:
        local_date -= timedelta(days=1)
        since = _at(local_date, EVENING, time_zone)
    return Danger(local_date, since, dies_at)


def next_look(streak: Streak, after: datetime, time_zone: str) -> datetime | None:
    """The next instant at which it is known that a day was frozen, or the last evening begins, in that time zone."""
    last_evening = danger(streak, time_zone)
    if streak.last is None or last_evening is None:
        return None
    frozen = [_over_at(streak.last, n, time_zone) + ALL_HEARD for n in range(1, _most_used(streak) + 1)]
    return min((at for at in (*frozen, last_evening.since) if at > after), default=None)


def end_of(local_date: date, time_zone: str) -> datetime:
    """The instant at which a local date is over."""
    # where midnight does not exist, the clock's offset before the gap gives the very instant of the change
    return _at(local_date + timedelta(days=1), time.min, time_zone)


def _runs(days: Iterable[LearningDay], freezes: Iterable[Freeze]) -> tuple[list[_Run], list[Freeze]]:
    """The run of days as each learning left it, and the freezes bought since the last."""
    learnings = sorted({(at, day.local_date, day.time_zone) for day in days for at in (day.first_at, day.last_at)})
    waiting = sorted(freezes, key=lambda freeze: (freeze.at, freeze.local_date), reverse=True)
    runs: list[_Run] = []
    for learning in (Learning(*values) for values in learnings):
        since = []
        while waiting and waiting[-1].at <= learning.at:
            since.append(waiting.pop())
        runs.append(_next(runs[-1], learning, since) if runs else _Run(1, learning, learning, learning, len(since)))
    return runs, waiting


def _next(run: _Run, learning: Learning, since: Sequence[Freeze]) -> _Run:
    missed = _missed(run.last, learning)
    used = _first_days_saved(missed, run.freezes, [_missed(run.last, freeze) for freeze in since])
    freezes = run.freezes + len(since) - used
    if used < missed:
        return _Run(1, learning, learning, learning, freezes)
    if median(_days_gone_by(run.counted, learning)) < 1:
        return replace(run, last=learning, freezes=freezes)
    frozen = run.frozen + _dates_after(run.last, used)
    calendar = 1 + max(_days_gone_by(run.first, learning)) - len(frozen)
    length = max(run.length, min(run.length + 1, calendar))
    return _Run(length, run.first, learning, learning, freezes, frozen)


def _first_days_saved(missed: int, freezes: int, late_freezes: Sequence[int]) -> int:
    """How many of the first missed days a freeze saves, one each, until a day finds none.

    Each of `late_freezes` was bought when so many of the days were over.
    """
    saved = 0
    while saved < missed and saved < freezes + sum(over <= saved for over in late_freezes):
        saved += 1
    return saved


def _used(streak: Streak, missed: int) -> int:
    return _first_days_saved(missed, streak.freezes, streak.late_freezes)


def _most_used(streak: Streak) -> int:
    return _used(streak, streak.freezes + len(streak.late_freezes))


def _missed(last: Moment, later: Moment) -> int:
    """The whole days missed in between."""
    return max(0, min(_days_gone_by(last, later)) - 1)


def _dates_after(moment: Moment, number: int) -> tuple[date, ...]:
    return tuple(moment.local_date + timedelta(days=n) for n in range(1, number + 1))


def _goes_out_at(streak: Streak, last: Learning, time_zone: str) -> datetime:
    return _over_at(last, 1 + _most_used(streak), time_zone)


def _over_at(moment: Moment, days: int, time_zone: str) -> datetime:
    """The instant at which, for a student in that time zone, so many days after the moment's own are over by any
    calendar.
    """
    passed = timedelta(days=days)
    if time_zone == moment.time_zone:
        return end_of(moment.local_date + passed, time_zone)
    return max(
        end_of(moment.local_date + passed, time_zone),
        end_of(moment.local_date + passed, moment.time_zone),
        end_of(_date_of(moment, time_zone) + passed, time_zone),
    )


def _days_gone_by(earlier: Moment, later: Moment) -> tuple[int, int, int]:
    by_own_dates = (later.local_date - earlier.local_date).days
    if earlier.time_zone == later.time_zone:
        return by_own_dates, by_own_dates, by_own_dates
    return (
        by_own_dates,
        (_date_of(later, earlier.time_zone) - earlier.local_date).days,
        (later.local_date - _date_of(earlier, later.time_zone)).days,
    )


def _date_of(moment: Moment, time_zone: str) -> date:
    return moment.local_date if time_zone == moment.time_zone else _date_in(time_zone, moment.at)


def _date_in(time_zone: str, at: datetime) -> date:
    return at.astimezone(_zone(time_zone)).date()


def _at(local_date: date, local_time: time, time_zone: str) -> datetime:
    return datetime.combine(local_date, local_time, _zone(time_zone)).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownTimeZone(name) from error
