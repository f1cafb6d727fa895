"""What happens in analytics: events arrive, instructors make links."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.database import Database, UnitOfWork
from chassis.rpc_client import Caller
from contracts.errors import FieldError, Forbidden, Invalid, NotFound
from contracts.events.catalog import CourseChanged
from services.analytics import queries, rebuild
from services.analytics.answers import CoursePerformance, MadeRef
from services.analytics.domain.access import Refusal, Viewer, refusal_to_read
from services.analytics.domain.refs import MAXIMUM_CHARACTERS, is_target, new_ref
from services.analytics.projection import LIVE, SHADOW, Heard, hear, lock, use
from services.analytics.queries import Course, Days
from services.analytics.tables import refs

ANSWER_SECONDS = 1.0
"""How long catalog is waited for."""


class _Outline(msgspec.Struct, frozen=True):
    course: CourseChanged


def told(unit_of_work: UnitOfWork, heard: Sequence[Heard]) -> None:
    """Take in events as they are told, also into the rebuild under way, if any."""
    connection = unit_of_work.connection
    lock(connection)
    for schema in (LIVE, SHADOW) if rebuild.is_running(connection) else (LIVE,):
        use(connection, schema)
        hear(connection, heard)


def create_ref(database: Database, instructor_id: UUID, target: str, front_url: str, at: datetime) -> MadeRef:
    """Make a link. Raises `Invalid` when the target is no path within the front end."""
    if not is_target(target):
        raise Invalid(errors=(FieldError("/target", "bad-target", {"maximum": MAXIMUM_CHARACTERS}),))
    while True:
        row = {"ref": new_ref(), "instructor_id": instructor_id, "target": target, "created_at": at}
        with database.single_statement() as unit_of_work:
            kept = unit_of_work.connection.execute(
                insert(refs).values(row).on_conflict_do_nothing().returning(refs)
            ).first()
        if kept is not None:
            return queries.made_ref(kept, front_url)


def get_course_performance(
    database: Database, rpc: Caller, course_id: UUID, viewer: Viewer | None, days: Days, academy_currency: str
) -> CoursePerformance:
    """A course's numbers in a range of days.

    Raises `NotFound` for a course that the viewer may not know of, `Forbidden` for one of somebody else, `Invalid` for
    a range that ends before it begins, and `Unavailable` when only catalog could know the course but is silent.
    """
    with database.snapshot() as connection:
        course = queries.course(connection, course_id)
        if course is not None:
            return _performance(connection, course, viewer, days, academy_currency)
    course = _course_of_catalog(rpc, course_id)
    with database.snapshot() as connection:
        return _performance(connection, course, viewer, days, academy_currency)


def _performance(
    connection: Connection, course: Course, viewer: Viewer | None, days: Days, academy_currency: str
) -> CoursePerformance:
    refusal = refusal_to_read(viewer, course.instructor_id, course.status)
    if refusal is Refusal.NOT_THERE:
        raise NotFound
    if refusal is Refusal.NOT_YOURS:
        raise Forbidden
    return queries.course_performance(connection, course, days, academy_currency)


def _course_of_catalog(rpc: Caller, course_id: UUID) -> Course:
    answer = rpc.call("catalog", "get_outline", deadline=ANSWER_SECONDS, course_id=course_id)
    return queries.course_as_told(msgspec.convert(answer, _Outline).course)
