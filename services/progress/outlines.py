"""The copy of catalog's outlines: what is heard from its events, or asked of it before a refusal."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.database import Database
from chassis.rpc_client import Caller
from contracts.events.catalog import CourseChanged
from services.progress.tables import course_copies, lesson_copies

ANSWER_SECONDS = 1.0


class _Outline(msgspec.Struct, frozen=True):
    sequence: int
    course: CourseChanged


class Outlines:
    """Brings the copy up to catalog's current state. Never used inside a unit of work: it calls another service."""

    def __init__(self, database: Database, rpc: Caller) -> None:
        self._database = database
        self._rpc = rpc

    def refresh_course(self, course_id: UUID) -> None:
        """Ask catalog for a course. Raises `NotFound` when it has none, `Unavailable` when it is silent."""
        self._keep(self._rpc.call("catalog", "get_outline", deadline=ANSWER_SECONDS, course_id=course_id))

    def refresh_course_of(self, lesson_id: UUID) -> None:
        """Ask catalog for a lesson's course. Raises `NotFound` when it has none, `Unavailable` when it is silent."""
        self._keep(self._rpc.call("catalog", "get_outline", deadline=ANSWER_SECONDS, lesson_id=lesson_id))

    def _keep(self, answer: Any) -> None:
        outline = msgspec.convert(answer, _Outline)
        with self._database.unit_of_work() as unit_of_work:
            keep_outline(unit_of_work.connection, outline.course, outline.sequence)


def keep_outline(connection: Connection, course: CourseChanged, sequence: int) -> bool:
    """Copy a course's outline; whether it is newer than the copy, which else stays as it is.

    The course's row lock orders copies of the same course. A course that loses lessons is to be recounted.
    """
    lessons = {
        lesson.id: {
            "lesson_id": lesson.id,
            "course_id": course.course_id,
            "chapter_id": chapter.id,
            "title": lesson.title,
            "kind": lesson.kind,
            "duration_seconds": lesson.duration_seconds,
            "free_preview": lesson.free_preview,
        }
        for chapter in (course.chapters if course.status != "deleted" else ())
        for lesson in chapter.lessons
    }
    if not _keep_course(connection, course, sequence, list(lessons)):
        return False
    connection.execute(
        delete(lesson_copies).where(
            lesson_copies.c.course_id == course.course_id, lesson_copies.c.lesson_id.not_in(list(lessons))
        )
    )
    if lessons:
        statement = insert(lesson_copies)
        new = {
            name: statement.excluded[name]
            for name in ("chapter_id", "title", "kind", "duration_seconds", "free_preview")
        }
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["lesson_id"],
                set_=new,
                where=or_(*(lesson_copies.c[name].is_distinct_from(value) for name, value in new.items())),
            ),
            list(lessons.values()),
        )
    return True


def _keep_course(connection: Connection, course: CourseChanged, sequence: int, lesson_ids: list[UUID]) -> bool:
    statement = insert(course_copies).values(
        course_id=course.course_id,
        sequence=sequence,
        status=course.status,
        instructor_id=course.instructor_id,
        lesson_ids=lesson_ids,
    )
    new = {name: statement.excluded[name] for name in ("sequence", "status", "instructor_id", "lesson_ids")}
    kept = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["course_id"],
            set_=new
            | {
                "to_recount": or_(
                    course_copies.c.to_recount,
                    ~course_copies.c.lesson_ids.contained_by(statement.excluded.lesson_ids),
                )
            },
            where=course_copies.c.sequence < statement.excluded.sequence,
        ).returning(course_copies.c.course_id)
    )
    return kept.first() is not None


def courses_to_recount(connection: Connection) -> list[tuple[UUID, int]]:
    """Return the courses that lost lessons since their enrollments were counted, each with its sequence."""
    rows = connection.execute(
        select(course_copies.c.course_id, course_copies.c.sequence).where(course_copies.c.to_recount)
    )
    return [(row.course_id, row.sequence) for row in rows]


def recounted(connection: Connection, course_id: UUID, sequence: int) -> None:
    """Say that all enrollments were counted since the course's copy had this sequence; it may have a newer one."""
    connection.execute(
        update(course_copies)
        .where(course_copies.c.course_id == course_id, course_copies.c.sequence == sequence)
        .values(to_recount=False)
    )
