"""Whether a mail is still to be sent, and when it is tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

DELAYS = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=4),
)
"""Between attempts; after the last one it is given up."""

AWAY = timedelta(seconds=30)
"""Until it is looked again whether those who know the address answer."""

UNKNOWN_AFTER = timedelta(minutes=10)
"""A mail that has been under way for so long lost its sender: nobody knows whether it went out."""

Reason = Literal["nobody", "unverified", "switched-off", "read", "stale"]


@dataclass(frozen=True)
class Letter:
    """What decides about a mail at the moment of sending; without `is_known` its reader is nobody any more."""

    is_known: bool
    email: str | None
    is_wanted: bool
    is_read: bool
    useless_after: datetime | None


def reason_to_drop(letter: Letter, now: datetime) -> Reason | None:
    """Why the mail is not to be sent at all; None when it is."""
    if not letter.is_known:
        return "nobody"
    if letter.email is None:
        return "unverified"
    if not letter.is_wanted:
        return "switched-off"
    if letter.is_read:
        return "read"
    if letter.useless_after is not None and letter.useless_after <= now:
        return "stale"
    return None


def next_attempt(attempts: int, now: datetime) -> datetime | None:
    """When a mail that was refused so often is tried again; None when it is given up."""
    return now + DELAYS[attempts - 1] if attempts <= len(DELAYS) else None
