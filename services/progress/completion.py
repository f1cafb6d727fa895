"""Finishing lessons and courses: the one hot statement, and the counter that says when a course is done."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, ColumnElement, DateTime, Integer, Row, Text, Uuid, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.context import current_trace
from chassis.database import Database, UnitOfWork
from contracts.errors import NotFound, Unavailable
from contracts.events.progress import CourseCompleted, LessonCompleted
from services.progress import queries
from services.progress.domain.outline import next_lesson, percent
from services.progress.domain.pace import LOOKED_AT_FRACTION
from services.progress.outlines import Outlines, courses_to_recount, recounted
from services.progress.queries import Standing
from services.progress.tables import enrollments

BATCH = 500
"""So many enrollments are locked at once where a whole course is counted."""

_FINISH = text(
    f"""
    with facts as (
        select c.course_id, c.status, c.sequence, c.lesson_ids, c.to_recount, l.kind, {queries.ACCESS} as access,
            exists (select from enrollments n where n.user_id = :user_id and n.course_id = c.course_id) as enrolled,
            l.duration_seconds > 0 and (o.opened_at is null or
                :now < o.opened_at + make_interval(secs => l.duration_seconds) / :looked_at_fraction) as hasty
        from lesson_copies l
        join course_copies c on c.course_id = l.course_id
        left join openings o on o.user_id = :user_id and o.lesson_id = l.lesson_id
        where l.lesson_id = :lesson_id
    ),
    completion as (
        insert into lesson_completions (user_id, course_id, lesson_id, completed_at, hasty)
        select :user_id, course_id, :lesson_id, :now, hasty from facts
        where access is not null and kind <> 'project' and enrolled
        on conflict (user_id, course_id, lesson_id) do update set hasty = lesson_completions.hasty
        returning completed_at, xmax = 0 as first_time
    ),
    enrollment as (
        update enrollments n set
            completed_lessons = n.completed_lessons + first_time::int,
            access = case when first_time then facts.access else n.access end,
            time_zone = case when first_time then :time_zone else n.time_zone end,
            pending_since = case
                when first_time and n.completed_at is null and (
                    n.completed_lessons + 1 >= cardinality(facts.lesson_ids) or n.counted_sequence > facts.sequence
                ) then :now
                else n.pending_since
            end
        from facts, completion
        where n.user_id = :user_id and n.course_id = facts.course_id
        returning n.completed_lessons, n.completed_at as course_completed_at, n.pending_since,
            facts.to_recount or n.counted_sequence > facts.sequence as miscounted
    ),
    told as (
        insert into outbox (id, type, partition_key, sequence, data, correlation_id, causation_id)
        select :event_id, :event_type, :partition_key, 0, json_build_object(
            'user_id', :user_id, 'course_id', course_id, 'lesson_id', :lesson_id, 'completed_at', :now,
            'time_zone', :time_zone, 'access', access, 'hasty', hasty
        ), :correlation_id, :causation_id
        from facts, completion where first_time
    )
    select facts.course_id, facts.status, facts.kind, facts.access, facts.enrolled,
        facts.lesson_ids::text[] as lesson_ids, array(
            select lc.lesson_id::text from lesson_completions lc
            where lc.user_id = :user_id and lc.course_id = facts.course_id
        ) as finished,
        completion.completed_at, completion.first_time, enrollment.*
    from facts left join completion on true left join enrollment on true
    """  # noqa: S608 (only the constant above)
).bindparams(
    bindparam("user_id", type_=Uuid),
    bindparam("lesson_id", type_=Uuid),
    bindparam("event_id", type_=Uuid),
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("role", type_=Text),
    bindparam("time_zone", type_=Text),
    bindparam("looked_at_fraction", LOOKED_AT_FRACTION, type_=Integer),
    bindparam("event_type", LessonCompleted.type, type_=Text),
    bindparam("partition_key", type_=Text),
    bindparam("correlation_id", type_=Text),
    bindparam("causation_id", type_=Text),
)
"""Finishes a lesson, counts it and tells of it, when it may be finished.

Order of locks: the completion, then the enrollment, as everywhere. The CTEs share one snapshot, but the two rows that
are written are read anew under their locks: so one of many simultaneous calls is the first, all see its `completed_at`,
and the counter is exact. What is stale is the outline: when the enrollment was counted against a newer one than this
snapshot saw, the course becomes pending, and is counted again where it is confirmed. Until a course that lost lessons
is recounted its counter includes them, and says nothing of the outline.
"""

_LOCK = text(
    """
    select user_id from enrollments where course_id = :course_id and user_id = any(:user_ids)
    order by user_id for update
    """
).bindparams(bindparam("course_id", type_=Uuid), bindparam("user_ids", type_=ARRAY(Uuid)))

_COUNT = text(
    """
    update enrollments n set
        completed_lessons = counted.finished,
        counted_sequence = counted.sequence,
        pending_since = case
            when n.completed_at is null and counted.lessons > 0 and counted.finished >= counted.lessons
            then coalesce(n.pending_since, :now)
        end
    from (
        select u.user_id, c.sequence, cardinality(c.lesson_ids) as lessons, (
            select count(*) from lesson_completions lc
            where lc.user_id = u.user_id and lc.course_id = c.course_id and lc.lesson_id = any(c.lesson_ids)
        ) as finished
        from course_copies c cross join unnest(:user_ids) as u (user_id)
        where c.course_id = :course_id
    ) counted
    where n.user_id = counted.user_id and n.course_id = :course_id
    returning n.user_id, n.access, n.time_zone, n.pending_since, counted.lessons
    """
).bindparams(
    bindparam("course_id", type_=Uuid),
    bindparam("user_ids", type_=ARRAY(Uuid)),
    bindparam("now", type_=DateTime(timezone=True)),
)


@dataclass(frozen=True)
class Finish:
    """What became of finishing a lesson. Nothing was written unless the student may finish it and `enrolled`.

    Without `standing` it is to be read anew: the counter cannot tell it, or seems to say that all is finished.
    """

    course_id: UUID
    status: str
    kind: str
    access: str | None
    enrolled: bool
    completed_at: datetime
    first_time: bool
    is_pending: bool
    standing: Standing | None


def enroll(connection: Connection, students: Iterable[tuple[UUID, UUID, datetime]]) -> None:
    """Make the rows of students in courses since then, where missing, in the order of their ids.

    A row is committed before the student's first lesson in the course is finished.
    """
    rows = [
        {"user_id": user_id, "course_id": course_id, "started_at": started_at}
        for user_id, course_id, started_at in sorted(students)
    ]
    if rows:
        connection.execute(insert(enrollments).values(rows).on_conflict_do_nothing())


def finish_lesson(
    database: Database, user_id: UUID, lesson_id: UUID, role: str, time_zone: str, now: datetime
) -> Finish | None:
    """Finish a lesson in one statement, event included; None when our copy does not know the lesson."""
    trace = current_trace()
    with database.single_statement() as unit_of_work:
        row = unit_of_work.connection.execute(
            _FINISH,
            {
                "user_id": user_id,
                "lesson_id": lesson_id,
                "role": role,
                "time_zone": time_zone,
                "now": now,
                "event_id": uuid4(),
                "partition_key": str(user_id),
                "correlation_id": trace.correlation_id,
                "causation_id": trace.event_id,
            },
        ).first()
        if row is not None and row.first_time:
            unit_of_work.told()
    if row is None:
        return None
    return Finish(
        course_id=row.course_id,
        status=row.status,
        kind=row.kind,
        access=row.access,
        enrolled=row.enrolled,
        completed_at=row.completed_at,
        first_time=row.first_time,
        is_pending=row.pending_since is not None,
        standing=_standing(row, str(lesson_id)),
    )


def _standing(row: Row[Any], lesson: str) -> Standing | None:
    total = len(row.lesson_ids)
    if row.completed_lessons is None or row.completed_lessons >= total or row.miscounted:
        return None
    return Standing(
        percent=percent(row.completed_lessons, total),
        next_lesson_id=next_lesson(row.lesson_ids, frozenset(row.finished), lesson),
        course_completed=row.course_completed_at is not None,
    )


def confirm_course(database: Database, outlines: Outlines, course_id: UUID, user_id: UUID, now: datetime) -> None:
    """Complete a pending course if the student finished all that catalog has in it by now.

    Raises `Unavailable` while catalog is silent; the course then stays pending.
    """
    outlines.refresh_course(course_id)
    with database.unit_of_work() as unit_of_work:
        _complete(unit_of_work, course_id, [user_id], now)


def _complete(unit_of_work: UnitOfWork, course_id: UUID, user_ids: Sequence[UUID], now: datetime) -> None:
    """Count anew; the course is completed for whoever has all its lessons and was not told so before."""
    done = [row for row in count(unit_of_work.connection, course_id, user_ids, now) if row.pending_since is not None]
    if not done:
        return
    unit_of_work.connection.execute(
        update(enrollments)
        .where(enrollments.c.course_id == course_id, enrollments.c.user_id.in_([row.user_id for row in done]))
        .values(completed_at=enrollments.c.pending_since, pending_since=None)
    )
    for row in done:
        unit_of_work.tell(
            CourseCompleted(
                user_id=row.user_id,
                course_id=course_id,
                completed_at=row.pending_since,
                time_zone=row.time_zone,
                access=row.access,
                lessons=row.lessons,
            )
        )


def count(connection: Connection, course_id: UUID, user_ids: Sequence[UUID], now: datetime) -> Sequence[Row[Any]]:
    """Count each student's lessons from scratch, under a lock taken before, so that all it waited for is seen."""
    connection.execute(_LOCK, {"course_id": course_id, "user_ids": list(user_ids)})
    return connection.execute(_COUNT, {"course_id": course_id, "user_ids": list(user_ids), "now": now}).all()


def settle(database: Database, outlines: Outlines, now: datetime) -> None:
    """Recount the courses that lost lessons, then confirm what is pending; ends early while catalog is silent."""
    with database.single_statement() as unit_of_work:
        courses = courses_to_recount(unit_of_work.connection)
    for course_id, sequence in courses:
        _recount(database, course_id, sequence, now)
    with database.single_statement() as unit_of_work:
        pending = unit_of_work.connection.scalars(
            select(enrollments.c.course_id)
            .where(enrollments.c.pending_since.is_not(None))
            .distinct()
            .order_by(enrollments.c.course_id)
        ).all()
    for course_id in pending:
        try:
            outlines.refresh_course(course_id)
        except Unavailable:
            return
        except NotFound:
            continue
        for user_ids in _batches(database, course_id, enrollments.c.pending_since.is_not(None)):
            with database.unit_of_work() as unit_of_work:
                _complete(unit_of_work, course_id, user_ids, now)


def _recount(database: Database, course_id: UUID, sequence: int, now: datetime) -> None:
    for user_ids in _batches(database, course_id):
        with database.unit_of_work() as unit_of_work:
            count(unit_of_work.connection, course_id, user_ids, now)
    with database.single_statement() as unit_of_work:
        recounted(unit_of_work.connection, course_id, sequence)


def _batches(database: Database, course_id: UUID, *conditions: ColumnElement[bool]) -> Iterator[Sequence[UUID]]:
    """Yield the students of a course, in the order of their ids."""
    after = UUID(int=0)
    while True:
        with database.single_statement() as unit_of_work:
            user_ids = unit_of_work.connection.scalars(
                select(enrollments.c.user_id)
                .where(enrollments.c.course_id == course_id, enrollments.c.user_id > after, *conditions)
                .order_by(enrollments.c.user_id)
                .limit(BATCH)
            ).all()
        if not user_ids:
            return
        yield user_ids
        after = user_ids[-1]
