"""The copy of catalog's courses, from their events."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from contracts.events.catalog import CourseChanged
from services.gamification.tables import course_copies
from services.gamification.unlocks import keep_others_out, plan_sweeps


def keep_courses(connection: Connection, heard: Iterable[tuple[CourseChanged, int]]) -> None:
    """Copy the newest state heard of each course; an older one than the copy's changes nothing.

    Of a bonus course that is published, it is planned to give it to those whose streaks are long enough already.
    """
    newest: dict[UUID, tuple[CourseChanged, int]] = {}
    for course, sequence in heard:
        if course.course_id not in newest or newest[course.course_id][1] < sequence:
            newest[course.course_id] = (course, sequence)
    if not newest:
        return
    opening = [course_id for course_id, (course, _) in newest.items() if course.unlock and course.status == "published"]
    if opening:
        keep_others_out(connection)
    statement = insert(course_copies).values(
        [
            {
                "course_id": course.course_id,
                "sequence": sequence,
                "status": course.status,
                "slug": course.slug,
                "title": course.title,
                "instructor_id": course.instructor_id,
                "unlock_streak_days": course.unlock.streak_days if course.unlock else None,
            }
            for _, (course, sequence) in sorted(newest.items())
        ]
    )
    changed = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["course_id"],
            set_={column.name: statement.excluded[column.name] for column in course_copies.columns},
            where=course_copies.c.sequence < statement.excluded.sequence,
        ).returning(course_copies.c.course_id)
    )
    plan_sweeps(connection, [course_id for course_id in changed.scalars() if course_id in opening])
