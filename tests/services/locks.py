"""Transactions that wait for one another."""

import time

from sqlalchemy import text

from chassis.database import Database

_WAITING = text(
    "select count(*) from pg_stat_activity "
    "where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0"
)


def wait_until_blocked(database: Database) -> None:
    """Return as soon as a statement on the database waits for a lock."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with database.single_statement() as unit_of_work:
            if unit_of_work.connection.scalar(_WAITING):
                return
    raise TimeoutError("nothing waits")
