"""Whether a lesson was finished faster than it can be looked at."""

from datetime import datetime, timedelta

LOOKED_AT_FRACTION = 10
"""A lesson takes at least one part in so many of its duration to look at (product.md, XP and points)."""


def is_hasty(duration_seconds: int, opened_at: datetime | None, completed_at: datetime) -> bool:
    """Return whether less than a tenth of the lesson's duration passed since it was first opened.

    A lesson without a duration is never hasty; one that was never opened always is. The statement that finishes a
    lesson judges the same in SQL; a test holds it to this.
    """
    if duration_seconds <= 0:
        return False
    if opened_at is None:
        return True
    return completed_at - opened_at < timedelta(seconds=duration_seconds) / LOOKED_AT_FRACTION
