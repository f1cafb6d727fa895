"""The copy of catalog's courses: what is heard from its events, or asked of it before a refusal."""

from collections.abc import Iterable
from uuid import UUID

import msgspec
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.database import Database
from chassis.rpc_client import Caller
from contracts.events.catalog import CourseChanged
from services.purchase.tables import course_copies

ANSWER_SECONDS = 1.0


class _CourseState(msgspec.Struct, frozen=True):
    sequence: int
    course: CourseChanged


class Courses:
    """Brings the copy up to catalog's current state. Never used inside a unit of work: it calls another service."""

    def __init__(self, database: Database, rpc: Caller) -> None:
        self._database = database
        self._rpc = rpc

    def refresh(self, course_id: UUID) -> None:
        """Ask catalog for a course. Raises `NotFound` when it has none, `Unavailable` when it is silent."""
        answer = self._rpc.call("catalog", "get_outline", deadline=ANSWER_SECONDS, course_id=course_id)
        state = msgspec.convert(answer, _CourseState)
        with self._database.single_statement() as unit_of_work:
            keep_courses(unit_of_work.connection, [(state.course, state.sequence)])


def keep_courses(connection: Connection, heard: Iterable[tuple[CourseChanged, int]]) -> None:
    """Copy the newest state heard of each course; an older one than the copy's changes nothing."""
    newest: dict[UUID, tuple[CourseChanged, int]] = {}
    for course, sequence in heard:
        if course.course_id not in newest or newest[course.course_id][1] < sequence:
            newest[course.course_id] = (course, sequence)
    if not newest:
        return
    statement = insert(course_copies).values(
        [
            {
                "course_id": course.course_id,
                "sequence": sequence,
                "status": course.status,
                "slug": course.slug,
                "title": course.title,
                "instructor_id": course.instructor_id,
                "price_amount": course.price.amount,
                "price_currency": course.price.currency,
                "unlock_streak_days": course.unlock.streak_days if course.unlock else None,
            }
            for _, (course, sequence) in sorted(newest.items())
        ]
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["course_id"],
            set_={column.name: statement.excluded[column.name] for column in course_copies.columns},
            where=course_copies.c.sequence < statement.excluded.sequence,
        )
    )
