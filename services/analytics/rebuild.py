"""Counting everything again: a second schema is filled from events that are sent again, and takes the first's place.

From the beginning of a rebuild live events are taken in by both schemas, so there is nothing to catch up with at its
end: events may arrive in any order and repetition.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import MetaData, except_, func, select, text, union_all
from sqlalchemy.engine import Connection

from chassis.database import Database, UnitOfWork
from contracts.errors import Conflict
from contracts.topology import ANALYTICS_REPLAY
from services.analytics import tables
from services.analytics.answers import RebuildState, Rebuilt
from services.analytics.projection import LIVE, SHADOW, Heard, hear, lock, use
from services.analytics.tables import projection, rebuilds

_RETIRED = "projection_retired"
_CLAIMS_AT_ONCE = 50_000
_COUNTS = (
    tables.sales_days,
    tables.ref_days,
    tables.ref_registrations,
    tables.lesson_days,
    tables.cohorts,
    tables.cohort_lessons,
    tables.cohort_durations,
    tables.student_days,
)

_FORGET_CLAIMS = text(
    "delete from inbox where ctid = any(array(select ctid from inbox where handler = :handler limit :number))"
)


def is_running(connection: Connection) -> bool:
    """Whether a rebuild is under way; asked by whoever holds the projection's lock, it stays so."""
    return connection.execute(select(rebuilds.c.started_at)).first() is not None


def replayed(unit_of_work: UnitOfWork, heard: Sequence[Heard]) -> None:
    """Take in events that were sent again; without a rebuild they are left over from one that was given up."""
    connection = unit_of_work.connection
    lock(connection)
    if is_running(connection):
        use(connection, SHADOW)
        hear(connection, heard)
        connection.execute(rebuilds.update().values(handled=rebuilds.c.handled + len(heard)))


def begin_rebuild(database: Database, at: datetime) -> None:
    """Begin anew, with nothing; a rebuild that was under way is thrown away."""
    _forget_claims(database)
    with database.unit_of_work() as unit_of_work:
        connection = unit_of_work.connection
        _give_up(connection)
        connection.exec_driver_sql(f"create schema {SHADOW}")
        use(connection, SHADOW)
        projection.create_all(connection, checkfirst=False)
        connection.execute(rebuilds.insert().values(started_at=at))


def abandon_rebuild(database: Database) -> None:
    """Throw away a rebuild that is under way; the projection stays as it is."""
    with database.unit_of_work() as unit_of_work:
        _give_up(unit_of_work.connection)
    _forget_claims(database)


def get_rebuild(connection: Connection) -> RebuildState:
    """How far the rebuild under way has come."""
    row = connection.execute(select(rebuilds)).first()
    return RebuildState("none") if row is None else RebuildState("running", row.handled, row.started_at)


def finish_rebuild(database: Database, events: int) -> Rebuilt:
    """Let what was counted again take the projection's place.

    Raises `Conflict` "no-rebuild" when none is under way, and "rebuild-unfinished" unless exactly so many events that
    were sent again have been handled.
    """
    with database.unit_of_work() as unit_of_work:
        # who plans the first reads knows nothing of tables just filled; locks none of them against writers
        _refuse_unfinished(unit_of_work.connection, events)
        use(unit_of_work.connection, SHADOW)
        for table in projection.tables:
            unit_of_work.connection.exec_driver_sql(f"analyze {table}")
    with database.unit_of_work() as unit_of_work:
        connection = unit_of_work.connection
        lock(connection)
        _refuse_unfinished(connection, events)
        rebuilt = Rebuilt(events, _rows(connection), _differing(connection))
        connection.exec_driver_sql(f"alter schema {LIVE} rename to {_RETIRED}")
        connection.exec_driver_sql(f"alter schema {SHADOW} rename to {LIVE}")
        connection.execute(rebuilds.delete())
    with database.unit_of_work() as unit_of_work:
        # by itself: who reads the old tables is waited for, and finds the new ones meanwhile
        unit_of_work.connection.exec_driver_sql(f"drop schema {_RETIRED} cascade")
    _forget_claims(database)
    return rebuilt


def _give_up(connection: Connection) -> None:
    lock(connection)
    for schema in (SHADOW, _RETIRED):
        connection.exec_driver_sql(f"drop schema if exists {schema} cascade")
    connection.execute(text("delete from inbox where handler = :handler"), {"handler": ANALYTICS_REPLAY.name})
    connection.execute(rebuilds.delete())


def _forget_claims(database: Database) -> None:
    # a few at a time: they are as many as events were ever told
    while True:
        with database.unit_of_work() as unit_of_work:
            given = {"handler": ANALYTICS_REPLAY.name, "number": _CLAIMS_AT_ONCE}
            if unit_of_work.connection.execute(_FORGET_CLAIMS, given).rowcount < _CLAIMS_AT_ONCE:
                return


def _refuse_unfinished(connection: Connection, events: int) -> None:
    row = connection.execute(select(rebuilds.c.handled)).first()
    if row is None:
        raise Conflict("no-rebuild")
    if row.handled != events:
        raise Conflict("rebuild-unfinished", members={"handled": row.handled, "events": events})


def _rows(connection: Connection) -> int:
    use(connection, SHADOW)
    return sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in _COUNTS)


def _differing(connection: Connection) -> int:
    differing = 0
    for table in _COUNTS:
        old, new = (select(table.to_metadata(MetaData(), schema=schema)) for schema in (LIVE, SHADOW))
        lost_or_new = union_all(except_(old, new), except_(new, old)).subquery()
        differing += connection.scalar(select(func.count()).select_from(lost_or_new)) or 0
    return differing
