"""Which days an instructor is shown."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MAXIMUM_DAYS = 3_660


class TooLong(Exception):
    """The range ends more than `MAXIMUM_DAYS` days after it begins."""


def is_backwards(first: date | None, last: date | None) -> bool:
    """Return whether a range ends before it begins."""
    return first is not None and last is not None and last < first


def shown_days(first: date | None, last: date | None, today: date, active: tuple[date, date] | None) -> list[date]:
    """Return every day of a range; where an end is open, from the first day with anything, or until today.

    `active` are the first and the last day with anything in the range. Raises `TooLong`, but never for a range whose
    beginning is open: that one begins later if need be.
    """
    end = last or (max(today, active[1]) if active else today)
    if first is not None:
        if (end - first).days > MAXIMUM_DAYS:
            raise TooLong
        begin = first.toordinal()
    elif active:
        begin = max(active[0].toordinal(), end.toordinal() - MAXIMUM_DAYS)
    else:
        return []
    return [date.fromordinal(day) for day in range(begin, end.toordinal() + 1)]


@dataclass(frozen=True)
class Span:
    """A time between two local midnights: whole days in UTC (the last not included), and what is left beside them."""

    first_day: date
    end_day: date
    edges: tuple[tuple[datetime, datetime], ...]


def span(first: date | None, last: date | None, zone: ZoneInfo) -> Span:
    """Return the time from the beginning of the first to the end of the last local day; open ends reach all days."""
    start = datetime.combine(first, time.min, zone).astimezone(UTC) if first and first > _FIRST else None
    end = datetime.combine(last + timedelta(1), time.min, zone).astimezone(UTC) if last and last < _LAST else None
    first_day = date.min if start is None else (start - _MICROSECOND).date() + timedelta(1)
    end_day = date.max if end is None else end.date()
    if start is not None and end is not None and end_day < first_day:
        return Span(first_day, first_day, ((start, end),))
    edges = []
    if start is not None:
        edges.append((start, _midnight(first_day)))
    if end is not None:
        edges.append((_midnight(end_day), end))
    return Span(first_day, end_day, tuple((begin, until) for begin, until in edges if begin < until))


_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = date(2, 1, 1), date(9998, 1, 1)
"""Beyond these a moment may not exist in UTC, and nothing has happened."""


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
