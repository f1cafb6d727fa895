"""The copy of catalog's courses and of their chapters, from their events."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from contracts.events.catalog import CourseChanged
from services.gamification.tables import chapter_copies, course_copies
from services.gamification.unlocks import keep_others_out, plan_sweeps


def keep_courses(connection: Connection, heard: Iterable[tuple[CourseChanged, int]]) -> None:
    """Copy the newest state heard of each course; an older one than the copy's changes nothing.

    Of a bonus course that is published, or asks for fewer days than before, it is planned to give it to those whose
    streaks are long enough already. The course's row lock orders copies of the same course.
    """
    newest: dict[UUID, tuple[CourseChanged, int]] = {}
    for course, sequence in heard:
        if course.course_id not in newest or newest[course.course_id][1] < sequence:
            newest[course.course_id] = (course, sequence)
    if not newest:
        return
    opening = _opening(connection, newest)
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
    kept = connection.scalars(
        statement.on_conflict_do_update(
            index_elements=["course_id"],
            set_={column.name: statement.excluded[column.name] for column in course_copies.columns},
            where=course_copies.c.sequence < statement.excluded.sequence,
        ).returning(course_copies.c.course_id)
    ).all()
    plan_sweeps(connection, [course_id for course_id in kept if course_id in opening])
    if kept:
        _keep_chapters(connection, [newest[course_id][0] for course_id in sorted(kept)])


def _opening(connection: Connection, newest: Mapping[UUID, tuple[CourseChanged, int]]) -> list[UUID]:
    """The bonus courses that these states open to students to whom their copies are closed."""
    statement = select(course_copies).where(course_copies.c.course_id.in_(newest)).order_by(course_copies.c.course_id)
    rows = connection.execute(statement.with_for_update(key_share=True))
    asked = {row.course_id: row.unlock_streak_days for row in rows if row.status == "published"}
    opening = []
    for course_id, (course, _) in newest.items():
        if course.unlock and course.status == "published":
            days = asked.get(course_id)
            if days is None or course.unlock.streak_days < days:
                opening.append(course_id)
    return opening


def _keep_chapters(connection: Connection, courses: Sequence[CourseChanged]) -> None:
    rows = [
        {"chapter_id": chapter.id, "course_id": course.course_id, "title": chapter.title}
        for course in courses
        for chapter in course.chapters
    ]
    connection.execute(
        delete(chapter_copies).where(
            chapter_copies.c.course_id.in_([course.course_id for course in courses]),
            chapter_copies.c.chapter_id.not_in([row["chapter_id"] for row in rows]),
        )
    )
    if rows:
        statement = insert(chapter_copies).values(rows)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["chapter_id"],
                set_={"title": statement.excluded.title},
                where=chapter_copies.c.title != statement.excluded.title,
            )
        )
