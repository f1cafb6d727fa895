"""The weeks that squads and students compete in: ISO weeks, Monday to Sunday, in the academy's time zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ALL_TIME = "all"
"""The period that never ends."""


class NoWeek(ValueError):
    """The text names no ISO week."""


def week_of(at: datetime, time_zone: str) -> str:
    """The week in which the instant lies, such as `2026-W47`; the year is the ISO week's own."""
    return _week(at.astimezone(ZoneInfo(time_zone)).date())


def begin_of(week: str, time_zone: str) -> datetime:
    """The first instant of the week. Raises `NoWeek`."""
    return datetime.combine(_monday(week), time.min, ZoneInfo(time_zone)).astimezone(UTC)


def end_of(week: str, time_zone: str) -> datetime:
    """The first instant after the week. Raises `NoWeek`."""
    return datetime.combine(_monday(week) + timedelta(weeks=1), time.min, ZoneInfo(time_zone)).astimezone(UTC)


def week_before(week: str) -> str:
    """The week before. Raises `NoWeek`."""
    return _week(_monday(week) - timedelta(weeks=1))


def weeks_around(first: datetime, last: datetime, time_zone: str) -> list[str]:
    """The weeks from the one before that of `first` to the one after that of `last`: in another time zone than this an
    instant may lie in one of those.
    """
    monday, end = (_monday(week_of(at, time_zone)) for at in (first, last))
    weeks = range(-1, (end - monday) // timedelta(weeks=1) + 2)
    return [_week(monday + timedelta(weeks=number)) for number in weeks]


def _week(day: date) -> str:
    year, number, _ = day.isocalendar()
    return f"{year:04}-W{number:02}"


def _monday(week: str) -> date:
    year, separator, number = week.partition("-W")
    if not (separator and len(year) == 4 and len(number) == 2 and (year + number).isdecimal() and week.isascii()):
        raise NoWeek(week)
    # so that the weeks before and after exist too
    if not 1 < int(year) < 9999:
        raise NoWeek(week)
    try:
        return date.fromisocalendar(int(year), int(number), 1)
    except ValueError as error:
        raise NoWeek(week) from error
