"""Five minutes of advance make a day of study (product.md, la Flamme)."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

DAY_SECONDS = 300.0
"""So much advance on one local date makes it a day of study."""

REPORT_SECONDS = 120.0
"""One report counts at most so much: a longer silence is a pause, whatever the position says afterwards."""

POSITION_SECONDS = 86_400.0
"""The furthest position that can be reported: no lesson is longer than a day."""


def counted_advance(
    position: float, previous_position: float, reported_at: datetime, previous_report_at: datetime | None
) -> float:
    """Return how many seconds of advance a report counts for.

    `previous_position` is that of the same lesson (0 when there is none), `previous_report_at` the student's last
    report on any lesson: advance is never more than the server's time since then, so reporting wrongly, or on many
    lessons at once, gains nothing. A student's very first report counts 0.
    """
    if previous_report_at is None:
        return 0.0
    elapsed = (reported_at - previous_report_at).total_seconds()
    return max(0.0, min(position - previous_position, elapsed, REPORT_SECONDS))


def is_studied(seconds: float) -> bool:
    """Return whether so much counted advance makes a day of study."""
    return seconds >= DAY_SECONDS


def local_date(at: datetime, time_zone: str) -> date:
    """Return the date at an instant in an IANA time zone. Raises `ValueError` for what is no time zone."""
    try:
        zone = ZoneInfo(time_zone)
    except (OSError, KeyError) as error:
        raise ValueError(f"no time zone: {time_zone!r}") from error
    return at.astimezone(zone).date()
