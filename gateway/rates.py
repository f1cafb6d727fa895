"""How often something may be tried: fixed windows, counted in PostgreSQL for all processes together."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from chassis.database import Database
from contracts.errors import TooManyRequests

_SPEND = text(
    "insert into rate_limits as kept (key, spent, ends_at) values (:key, 1, :ends_at) "
    "on conflict (key) do update set "
    "spent = case when kept.ends_at <= :now then 1 else kept.spent + 1 end, "
    "ends_at = case when kept.ends_at <= :now then excluded.ends_at else kept.ends_at end "
    "returning spent, ends_at"
)
_GIVE_BACK = text("update rate_limits set spent = spent - 1 where key = :key and ends_at > :now and spent > 0")


@dataclass(frozen=True)
class Limit:
    """So many times in so many seconds (at most 60, so that `Retry-After` is), under a name of its own."""

    name: str
    times: int
    seconds: int = 60


FAILED_LOGINS_OF_ACCOUNT = Limit("failed-login-account", 10)
FAILED_LOGINS_OF_ADDRESS = Limit("failed-login-address", 300)
REGISTRATIONS = Limit("registration", 100)
REFRESHES = Limit("refresh", 600)
MAILS_TO_ADDRESSEE = Limit("mail-addressee", 3)
MAILS_ASKED_FOR = Limit("mail-asked", 30)
MAILED_TOKENS_TRIED = Limit("mailed-token", 60)
IMAGES = Limit("image", 30)
REPORTS = Limit("report", 10)
STREAM_TICKETS = Limit("stream-ticket", 60)


class RateLimiter:
    """Counts what was spent of each limit by whom."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def spend(self, limit: Limit, who: str) -> None:
        """Count one more. Raises `TooManyRequests` with `retry_after` when the limit was spent before."""
        now = self._now()
        with self._database.single_statement() as unit_of_work:
            row = unit_of_work.connection.execute(
                _SPEND, {"key": _key(limit, who), "now": now, "ends_at": now + timedelta(seconds=limit.seconds)}
            ).one()
        if row.spent > limit.times:
            raise TooManyRequests(members={"retry_after": max(1, math.ceil((row.ends_at - now).total_seconds()))})

    def give_back(self, limit: Limit, who: str) -> None:
        """Take one back: what was counted beforehand turned out not to count."""
        with self._database.single_statement() as unit_of_work:
            unit_of_work.connection.execute(_GIVE_BACK, {"key": _key(limit, who), "now": self._now()})


def _key(limit: Limit, who: str) -> bytes:
    return hashlib.sha256(f"{limit.name}\n{who}".encode()).digest()
