"""When a refresh token gives a new pair, and when its use again gives the thief away."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=30)
RETRY_WINDOW = timedelta(seconds=60)


@dataclass(frozen=True)
class RefreshToken:
    """What is known about a presented token and its family. `retry_key` marks the request that used it."""

    expires_at: datetime
    used_at: datetime | None
    retry_key: bytes | None
    revoked: bool


class Refresh(Enum):
    """What is to be done with a presented refresh token."""

    ROTATE = "rotate"
    REPEAT = "repeat"
    REVOKE = "revoke"
    REFUSE = "refuse"


def judge(token: RefreshToken, now: datetime, retry_key: bytes | None) -> Refresh:
    """What is to be done: a token is used once; the same request within a minute is a phone that lost the answer."""
    if token.revoked:
        return Refresh.REFUSE
    if token.used_at is not None:
        is_retry = retry_key is not None and retry_key == token.retry_key and now - token.used_at <= RETRY_WINDOW
        return Refresh.REPEAT if is_retry else Refresh.REVOKE
    return Refresh.REFUSE if now >= token.expires_at else Refresh.ROTATE
