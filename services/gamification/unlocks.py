"""Bonus courses: opened for good by a streak of so many days, whichever comes first, the streak or the course.

Students who reach a course's days are given it in the transaction of their learning; those who had reached them before
the course was published, or asked for less, by a sweep over all students, some at a time. So that neither misses the
other, a learning holds a lock that learnings share until it has committed, and a course's change one that excludes
them: what a learning did not see of the course, the sweep sees of the student.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.context import Trace, traced
from chassis.database import Database, UnitOfWork
from contracts.events.gamification import CourseUnlocked
from services.gamification.domain.streak import Streak
from services.gamification.tables import course_copies, students, unlock_sweeps

SWEPT_AT_ONCE = 500
SWEEPS_AT_A_TIME = 20

_LOCK = 0x756E6C6F636B
_SHARE = text("select pg_advisory_xact_lock_shared(:lock)")
_EXCLUDE = text("select pg_advisory_xact_lock(:lock)")

_UNLOCK = text(
    "insert into unlocked_courses (user_id, course_id, unlocked_at) "
    "select given.user_id, course_copies.course_id, given.reached_at from unnest("
    "cast(:user_ids as uuid[]), cast(:longest as integer[]), cast(:reached_at as timestamptz[])) "
    "as given (user_id, longest, reached_at) "
    "join course_copies on course_copies.status = 'published' and course_copies.unlock_streak_days <= given.longest "
    "and (cast(:course_id as uuid) is null or course_copies.course_id = :course_id) "
    # in one order everywhere, so that those who insert the same do not wait for one another in a circle
    "order by given.user_id, course_copies.course_id "
    "on conflict do nothing returning user_id, course_id, unlocked_at, "
    "(select unlock_streak_days from course_copies where course_copies.course_id = unlocked_courses.course_id)"
)


def unlock_reached(unit_of_work: UnitOfWork, longer: Mapping[UUID, Streak], causes: Mapping[UUID, Trace]) -> None:
    """Give students whose longest streak has just grown the published courses that it opens, each once."""
    if not longer:
        return
    unit_of_work.connection.execute(_SHARE, {"lock": _LOCK})
    reached = [(user_id, streak.longest, streak.last.at) for user_id, streak in longer.items() if streak.last]
    for row in _unlock(unit_of_work.connection, reached, None):
        with traced(causes[row.user_id]):
            _tell(unit_of_work, row)


def keep_others_out(connection: Connection) -> None:
    """Wait for the learnings under way, and let others wait until this transaction has committed its courses."""
    connection.execute(_EXCLUDE, {"lock": _LOCK})


def plan_sweeps(connection: Connection, course_ids: Sequence[UUID]) -> None:
    """Let all students be looked through, from the first, for those of these courses that open to them now."""
    if not course_ids:
        return
    planned = insert(unlock_sweeps).values([{"course_id": course_id} for course_id in sorted(course_ids)])
    connection.execute(planned.on_conflict_do_update(index_elements=["course_id"], set_={"after": None}))


def sweep(database: Database, now: datetime) -> None:
    """Look through some students for the courses that are planned; other processes may do so at the same time."""
    for _ in range(SWEEPS_AT_A_TIME):
        with database.unit_of_work() as unit_of_work:
            if not _sweep_some(unit_of_work, now):
                return


def _sweep_some(unit_of_work: UnitOfWork, now: datetime) -> bool:
    """Whether there was anything to do."""
    connection = unit_of_work.connection
    planned = connection.execute(
        select(unlock_sweeps, course_copies.c.status, course_copies.c.unlock_streak_days)
        .join(course_copies, course_copies.c.course_id == unlock_sweeps.c.course_id)
        .order_by(unlock_sweeps.c.course_id)
        .limit(1)
        .with_for_update(of=unlock_sweeps, skip_locked=True)
    ).first()
    if planned is None:
        return False
    found: list[tuple[UUID, int]] = []
    if planned.status == "published" and planned.unlock_streak_days is not None:
        found = _long_enough(connection, planned)
        for row in _unlock(connection, [(*one, now) for one in found], planned.course_id):
            _tell(unit_of_work, row)
    this = unlock_sweeps.c.course_id == planned.course_id
    if len(found) < SWEPT_AT_ONCE:
        connection.execute(delete(unlock_sweeps).where(this))
    else:
        connection.execute(update(unlock_sweeps).where(this).values(after=found[-1][0]))
    return True


def _long_enough(connection: Connection, planned: Row[Any]) -> list[tuple[UUID, int]]:
    statement = (
        select(students.c.user_id, students.c.streak_longest)
        .where(students.c.streak_longest >= planned.unlock_streak_days)
        .order_by(students.c.user_id)
        .limit(SWEPT_AT_ONCE)
    )
    if planned.after is not None:
        statement = statement.where(students.c.user_id > planned.after)
    return [(row.user_id, row.streak_longest) for row in connection.execute(statement)]


def _unlock(
    connection: Connection, reached: Sequence[tuple[UUID, int, datetime]], course_id: UUID | None
) -> Sequence[Row[Any]]:
    values = {
        "user_ids": [user_id for user_id, _, _ in reached],
        "longest": [longest for _, longest, _ in reached],
        "reached_at": [at for _, _, at in reached],
        "course_id": course_id,
    }
    return connection.execute(_UNLOCK, values).all()


def _tell(unit_of_work: UnitOfWork, row: Row[Any]) -> None:
    unit_of_work.tell(
        CourseUnlocked(
            user_id=row.user_id,
            course_id=row.course_id,
            streak_days=row.unlock_streak_days,
            unlocked_at=row.unlocked_at,
        )
    )
