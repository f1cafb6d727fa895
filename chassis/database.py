"""One engine per process, and the unit of work: one transaction, with the events that it tells."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from chassis.context import seconds_left
from chassis.outbox import outbox_row, record
from contracts.errors import Unavailable
from contracts.events.base import Event

_AWAY = ("08", "57P", "53")
_LOCKED_OUT = "55P03"
_TOO_SLOW = ("57014", _LOCKED_OUT)


class UnitOfWork:
    """A transaction on `connection`, and the events that become known with it."""

    def __init__(self, connection: Connection, *, may_tell: bool = True) -> None:
        self.connection = connection
        self._may_tell = may_tell
        self._rows: list[dict[str, Any]] = []
        self._told = False

    def tell(self, event: Event, *, sequence: int = 0) -> None:
        """Let the event be published if, and only if, this unit of work commits.

        `sequence` is the aggregate's version, given under its row lock; 0 for facts that commute. Raises `RuntimeError`
        where each statement commits by itself: the change could be kept and its event lost.
        """
        if not self._may_tell:
            raise RuntimeError("an event is told in the transaction of its change")
        self._rows.append(outbox_row(event, sequence))

    def told(self) -> None:
        """Say that a statement of this unit of work wrote to the outbox by itself."""
        self._told = True

    def record_events(self) -> bool:
        """Write what was told to the outbox; whether there is anything for the relay."""
        if self._rows:
            record(self.connection, self._rows)
            self._rows = []
            self._told = True
        return self._told


class Database:
    """A service's own database. `on_told` is called after each commit that left events in the outbox.

    A statement that takes longer than `statement_seconds` is ended by the database, and so is one that waits for a lock
    longer than `lock_seconds`. Within a call, a transaction that has not come to its end by the deadline changes
    nothing: the caller has been told that it failed, and may ask again.
    """

    def __init__(
        self, url: str, *, pool_size: int = 8, statement_seconds: float = 15.0, lock_seconds: float = 10.0
    ) -> None:
        self.url = url
        self._statement_seconds = statement_seconds
        self.on_told: Callable[[], None] = lambda: None
        self.engine = create_engine(
            url,
            # what nearly every call does is one statement; `_transaction` begins the others
            isolation_level="AUTOCOMMIT",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=2.0,
            # errors are logged: never with the addresses, digests and texts that a statement carries
            hide_parameters=True,
            connect_args={
                "connect_timeout": 3,
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                # keepalives say nothing while a statement on its way is not acknowledged
                "tcp_user_timeout": 20_000,
                "options": f"-c timezone=UTC -c statement_timeout={statement_seconds * 1000:.0f} "
                f"-c lock_timeout={lock_seconds * 1000:.0f} -c idle_in_transaction_session_timeout=30000",
            },
        )
        self._read_committed = self.engine.execution_options(isolation_level="READ COMMITTED")
        self._snapshot = self.engine.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def unit_of_work(self) -> Iterator[UnitOfWork]:
        """A transaction that commits when the block ends well and rolls back when it raises.

        Raises `Unavailable`, and rolls back, when the deadline of the call being served has passed.
        """
        with self._transaction(self._read_committed, "begin") as connection:
            unit_of_work = UnitOfWork(connection)
            yield unit_of_work
            told = unit_of_work.record_events()
        if told:
            self.on_told()

    @contextmanager
    def single_statement(self) -> Iterator[UnitOfWork]:
        """For work that is one statement (a read, or a hot change that writes the outbox itself): commits with it."""
        # may end after a call's deadline: limiting it takes a round trip, and such changes may be made twice
        with self.engine.connect() as connection:
            unit_of_work = UnitOfWork(connection, may_tell=False)
            yield unit_of_work
            told = unit_of_work.record_events()
        if told:
            self.on_told()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """For several reads that must be of one instant. Raises `Unavailable` as `unit_of_work` does."""
        with self._transaction(self._snapshot, "begin isolation level repeatable read") as connection:
            yield connection

    @contextmanager
    def _transaction(self, engine: Engine, begin: str) -> Iterator[Connection]:
        if seconds_left() == math.inf:
            with engine.begin() as connection:
                yield connection
            return
        with self.engine.begin() as connection:
            # one round trip, as "begin" alone takes; 0 would mean no limit
            milliseconds = max(1, int(1000 * min(_time_left(), self._statement_seconds)))
            connection.exec_driver_sql(f"{begin}; set local statement_timeout = {milliseconds}")
            yield connection
            _time_left()

    def ping(self) -> None:
        """Raise when the database does not answer."""
        with self.single_statement() as unit_of_work:
            unit_of_work.connection.exec_driver_sql("select 1")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _time_left() -> float:
    """The seconds left until the deadline in force. Raises `Unavailable` when it has passed."""
    left = seconds_left()
    if left <= 0:
        raise Unavailable(members={"retry_after": 2})
    return left


def is_database_away(error: BaseException) -> bool:
    """Whether the error says that the database cannot be reached or has no room, rather than that the work is wrong."""
    if isinstance(error, PoolTimeoutError):
        return True
    original = _original(error)
    if not isinstance(original, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    if original.sqlstate is not None:
        return original.sqlstate.startswith(_AWAY)
    # psycopg also says so of a statement that it could not send, too many parameters for instance: that is wrong work
    return not isinstance(error, DBAPIError) or error.statement is None or error.connection_invalidated


def is_database_slow(error: BaseException) -> bool:
    """Whether the error says that a statement or its lock took longer than it may."""
    original = _original(error)
    return isinstance(original, psycopg.Error) and original.sqlstate in _TOO_SLOW


def is_locked_out(error: BaseException) -> bool:
    """Whether the error says that others hold for long what is wanted, rather than that the work is wrong."""
    original = _original(error)
    return isinstance(original, psycopg.Error) and original.sqlstate == _LOCKED_OUT


def _original(error: BaseException) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error
