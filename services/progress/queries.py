"""The reads of progress: one statement each, or two."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.engine import Connection

from contracts.errors import FieldError, Invalid
from contracts.events.base import Instant
from services.progress.domain.outline import next_lesson, percent

ACCESS = """
    case when c.instructor_id = :user_id then 'author' when :role = 'admin' then 'admin' else (
        select e.source from entitlements e where e.user_id = :user_id and e.course_id = c.course_id and e.live
        order by e.granted_at, e.entitlement_id limit 1
    ) end
"""
"""Why `:user_id`, asking as `:role`, may see course `c`, if at all; authors and admins as such, whatever they own."""

_HOW_FAR = """
    left join enrollments n on n.user_id = :user_id and n.course_id = c.course_id
    left join lateral (
        select array_agg(lc.lesson_id::text) as lessons, array_agg(lc.completed_at) as instants
        from lesson_completions lc where lc.user_id = :user_id and lc.course_id = c.course_id
    ) f on true
"""
"""What `:user_id` has finished of course `c`."""

_COURSE = text(
    f"""
    select c.status, {ACCESS} as access from course_copies c where c.course_id = :course_id
    """  # noqa: S608 (only the constant above)
)

_THOSE_WITH_ACCESS = text(
    """
    select e.user_id from entitlements e
    where e.course_id = :course_id and e.live and e.user_id = any(cast(:user_ids as uuid[]))
    union
    select c.instructor_id from course_copies c
    where c.course_id = :course_id and c.instructor_id = any(cast(:user_ids as uuid[]))
    """
)

_LESSON = text(
    f"""
    select c.course_id, c.status, l.duration_seconds, l.free_preview, {ACCESS} as access, exists (
        select from openings o where o.user_id = :user_id and o.lesson_id = l.lesson_id
    ) as opened
    from lesson_copies l join course_copies c on c.course_id = l.course_id
    where l.lesson_id = :lesson_id
    """  # noqa: S608
)

_PROGRESS = text(
    f"""
    select c.status, {ACCESS} as access, c.lesson_ids::text[] as lesson_ids, n.completed_at,
        f.lessons as finished, f.instants as finished_at, p.lessons as positioned, p.seconds as positions
    from course_copies c
    {_HOW_FAR}
    left join lateral (
        select array_agg(lp.lesson_id::text) as lessons, array_agg(lp.seconds) as seconds
        from positions lp where lp.user_id = :user_id and lp.course_id = c.course_id
    ) p on true
    where c.course_id = :course_id
    """  # noqa: S608
)

_STANDING = text(
    """
    select c.lesson_ids::text[] as lesson_ids, n.completed_at, array(
        select lc.lesson_id::text from lesson_completions lc
        where lc.user_id = :user_id and lc.course_id = c.course_id
    ) as finished
    from course_copies c left join enrollments n on n.user_id = :user_id and n.course_id = c.course_id
    where c.course_id = :course_id
    """
)

_LESSON_TITLE = text("select lesson_id, title, chapter_id from lesson_copies where lesson_id = :lesson_id")

_STANDINGS = text(
    f"""
    select c.course_id, n.completed_at, c.lesson_ids::text[] as lesson_ids, f.lessons, f.instants
    from course_copies c
    {_HOW_FAR}
    where c.course_id = any(:course_ids) and c.status <> 'deleted'
    """  # noqa: S608 (only the constant above)
)

_ENROLLMENTS = text(
    f"""
    select g.course_id, g.granted_at, g.source, n.completed_at,
        c.lesson_ids::text[] as lesson_ids, f.lessons, f.instants
    from (
        select distinct on (e.course_id) e.course_id, e.granted_at, e.source from entitlements e
        where e.user_id = :user_id and e.live order by e.course_id, e.granted_at, e.entitlement_id
    ) g
    join course_copies c on c.course_id = g.course_id and c.status <> 'deleted'
    {_HOW_FAR}
    where cast(:before_at as timestamptz) is null or (g.granted_at, g.course_id) < (:before_at, :before_id)
    order by g.granted_at desc, g.course_id desc limit :limit
    """  # noqa: S608
)


@dataclass(frozen=True)
class LessonProgress:
    """What a student did with a lesson; the position is in seconds from its start."""

    id: str
    completed_at: datetime | None
    position_seconds: float


@dataclass(frozen=True)
class CourseProgress:
    """How far a student is in a course; `completed_at` stays when lessons are added later."""

    course_id: UUID
    completed_lessons: int
    total_lessons: int
    percent: int
    lessons: list[LessonProgress]
    next_lesson_id: str | None
    completed_at: datetime | None


@dataclass(frozen=True)
class NextLesson:
    """A lesson to go to."""

    id: UUID
    title: str
    chapter_id: UUID


@dataclass(frozen=True)
class Standing:
    """Where a student stands in a course after a lesson; no next lesson when nothing else is left."""

    percent: int
    next_lesson_id: str | None
    course_completed: bool


@dataclass(frozen=True)
class CourseStanding:
    """How far a student is in a course."""

    course_id: UUID
    percent: int
    next_lesson_id: str | None
    completed_at: datetime | None


@dataclass(frozen=True)
class Enrollment:
    """A course that a student may see, since when and why."""

    course_id: UUID
    enrolled_at: datetime
    source: str
    percent: int
    next_lesson_id: str | None
    completed_at: datetime | None


@dataclass(frozen=True)
class EnrollmentPage:
    """A page of a student's courses, newest first."""

    items: list[Enrollment]
    next_cursor: str | None


@dataclass(frozen=True)
class CourseFacts:
    """What decides whether someone may know of a course."""

    status: str
    access: str | None


@dataclass(frozen=True)
class LessonFacts:
    """What decides whether someone may open a lesson or learn in it."""

    course_id: UUID
    status: str
    duration_seconds: int
    free_preview: bool
    access: str | None
    opened: bool


@dataclass(frozen=True)
class Progress:
    """A student's progress in a course, and what decides whether they may know of it."""

    status: str
    access: str | None
    answer: CourseProgress


def course_facts(connection: Connection, user_id: UUID, course_id: UUID, role: str) -> CourseFacts | None:
    """Return the facts on a course; None when our copy does not know it."""
    row = connection.execute(_COURSE, {"user_id": user_id, "course_id": course_id, "role": role}).first()
    return CourseFacts(*row) if row else None


def those_with_access(connection: Connection, course_id: UUID, user_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of the people who may see a course, as far as our copies know, in the order of their ids."""
    found = connection.scalars(_THOSE_WITH_ACCESS, {"course_id": course_id, "user_ids": list(user_ids)})
    return sorted(found)


def lesson_facts(connection: Connection, user_id: UUID, lesson_id: UUID, role: str) -> LessonFacts | None:
    """Return the facts on a lesson; None when our copy does not know it."""
    row = connection.execute(_LESSON, {"user_id": user_id, "lesson_id": lesson_id, "role": role}).first()
    return LessonFacts(*row) if row else None


def course_progress(connection: Connection, user_id: UUID, course_id: UUID, role: str) -> Progress | None:
    """Return how far a student is in a course; None when our copy does not know it."""
    row = connection.execute(_PROGRESS, {"user_id": user_id, "course_id": course_id, "role": role}).first()
    if row is None:
        return None
    finished = dict(zip(row.finished or (), row.finished_at or (), strict=True))
    positions = dict(zip(row.positioned or (), row.positions or (), strict=True))
    completed = sum(1 for lesson in row.lesson_ids if lesson in finished)
    answer = CourseProgress(
        course_id=course_id,
        completed_lessons=completed,
        total_lessons=len(row.lesson_ids),
        percent=percent(completed, len(row.lesson_ids)),
        lessons=[LessonProgress(id, finished.get(id), positions.get(id, 0.0)) for id in row.lesson_ids],
        next_lesson_id=_resume(row.lesson_ids, finished),
        completed_at=row.completed_at,
    )
    return Progress(row.status, row.access, answer)


def standing(connection: Connection, user_id: UUID, course_id: UUID, lesson_id: UUID) -> Standing:
    """Return where a student stands in a course that our copy knows, seen from one of its lessons."""
    row = connection.execute(_STANDING, {"user_id": user_id, "course_id": course_id}).one()
    finished = frozenset(row.finished)
    return Standing(
        percent=percent(sum(1 for lesson in row.lesson_ids if lesson in finished), len(row.lesson_ids)),
        next_lesson_id=next_lesson(row.lesson_ids, finished, str(lesson_id)),
        course_completed=row.completed_at is not None,
    )


def lesson_to_go_to(connection: Connection, lesson_id: UUID) -> NextLesson | None:
    """Return a lesson by its id; None when it has just gone."""
    row = connection.execute(_LESSON_TITLE, {"lesson_id": lesson_id}).first()
    return NextLesson(*row) if row else None


def enrollments(connection: Connection, user_id: UUID, limit: int, cursor: str | None) -> EnrollmentPage:
    """Return a page of the courses that a student may see by an entitlement, whatever became of the courses.

    Raises `Invalid` for a cursor that is none of ours.
    """
    before_at, before_id = _read_cursor(cursor) if cursor else (None, None)
    rows = connection.execute(
        _ENROLLMENTS, {"user_id": user_id, "before_at": before_at, "before_id": before_id, "limit": limit + 1}
    ).all()
    items = [_enrollment(row) for row in rows[:limit]]
    return EnrollmentPage(items, _cursor(items[-1]) if len(rows) > limit else None)


def standings(connection: Connection, user_id: UUID, course_ids: Sequence[UUID]) -> list[CourseStanding]:
    """Return how far someone is in each of the courses that our copy knows, in any order."""
    rows = connection.execute(_STANDINGS, {"user_id": user_id, "course_ids": list(course_ids)})
    return [_course_standing(row) for row in rows]


def _enrollment(row: Row[Any]) -> Enrollment:
    standing = _course_standing(row)
    return Enrollment(
        course_id=row.course_id,
        enrolled_at=row.granted_at,
        source=row.source,
        percent=standing.percent,
        next_lesson_id=standing.next_lesson_id,
        completed_at=standing.completed_at,
    )


def _course_standing(row: Row[Any]) -> CourseStanding:
    finished = dict(zip(row.lessons or (), row.instants or (), strict=True))
    completed = sum(1 for lesson in row.lesson_ids if lesson in finished)
    return CourseStanding(
        course_id=row.course_id,
        percent=percent(completed, len(row.lesson_ids)),
        next_lesson_id=_resume(row.lesson_ids, finished),
        completed_at=row.completed_at,
    )


def _resume(order: Sequence[str], finished: dict[str, datetime]) -> str | None:
    """Return where to go on: after the lesson finished last."""
    current = max((lesson for lesson in order if lesson in finished), key=finished.__getitem__, default=None)
    return next_lesson(order, finished, current)


def _cursor(last: Enrollment) -> str:
    return urlsafe_b64encode(msgspec.json.encode((last.enrolled_at, last.course_id))).decode()


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor.encode()), type=tuple[Instant, UUID])
    except ValueError as error:
        raise Invalid(errors=(FieldError("/cursor", "bad-cursor"),)) from error
