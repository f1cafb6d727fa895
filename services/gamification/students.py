"""A student's row: whoever changes anything of a student locks it first, and saves it at the end."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.engine import Connection

from services.gamification.domain.streak import Learning, Streak, next_look


@dataclass(frozen=True)
class Student:
    """What a student has; `points` can be spent, `points_held` lie in duels that are being played.

    At `look_at` something may have to be told of the streak. `lessons` counts those of the ledger.
    """

    xp: int
    points: int
    points_held: int
    streak: Streak
    look_at: datetime | None
    lessons: int


_LOCK = text(
    "insert into students (user_id) select unnest(cast(:user_ids as uuid[])) "
    "on conflict (user_id) do update set xp = students.xp "
    "returning user_id, xp, points, points_held, "
    "streak_current, streak_longest, streak_one_zone, learned_at, learned_on, learned_in, "
    "freezes, late_freezes, look_at, lessons"
)
_SAVE = text(
    "update students set xp = given.xp, points = given.points, points_held = given.points_held, "
    "streak_current = given.streak_current, streak_longest = given.streak_longest, "
    "streak_one_zone = given.streak_one_zone, "
    "learned_at = given.learned_at, learned_on = given.learned_on, learned_in = given.learned_in, "
    "freezes = given.freezes, late_freezes = cast(given.late_freezes as integer[]), look_at = given.look_at, "
    "lessons = given.lessons "
    "from unnest(cast(:user_ids as uuid[]), cast(:xp as bigint[]), cast(:points as bigint[]), "
    "cast(:points_held as bigint[]), "
    "cast(:current as integer[]), cast(:longest as integer[]), cast(:one_zone as boolean[]), "
    "cast(:learned_at as timestamptz[]), cast(:learned_on as date[]), cast(:learned_in as text[]), "
    "cast(:freezes as integer[]), cast(:late_freezes as text[]), cast(:look_at as timestamptz[]), "
    "cast(:lessons as integer[])) "
    "as given (user_id, xp, points, points_held, streak_current, streak_longest, streak_one_zone, "
    "learned_at, learned_on, learned_in, freezes, late_freezes, look_at, lessons) "
    "where students.user_id = given.user_id"
)


def lock(connection: Connection, user_ids: set[UUID]) -> dict[UUID, Student]:
    """Lock the students' rows until the transaction ends, in the order of their ids; one of whom nothing is known yet
    gets a row.
    """
    return {
        row.user_id: Student(row.xp, row.points, row.points_held, streak_of(row), row.look_at, row.lessons)
        for row in connection.execute(_LOCK, {"user_ids": sorted(user_ids)})
    }


_LOCK_KNOWN = text(
    "select from students where user_id = any(cast(:user_ids as uuid[])) order by user_id for no key update"
)


def lock_known(connection: Connection, user_ids: Collection[UUID]) -> None:
    """Lock the rows of those of them who have one, as `lock` does."""
    connection.execute(_LOCK_KNOWN, {"user_ids": sorted(user_ids)})


def streak_of(row: Row[Any]) -> Streak:
    """The streak in a student's row."""
    return Streak(
        row.streak_current,
        row.streak_longest,
        Learning(row.learned_at, row.learned_on, row.learned_in) if row.learned_at else None,
        row.streak_one_zone,
        row.freezes,
        tuple(row.late_freezes),
    )


def with_streak(student: Student, streak: Streak, time_zone: str | None) -> Student:
    """The student with another streak, to be looked at in time; in that time zone, or else where they last learned."""
    if streak.last is None:
        return replace(student, streak=streak, look_at=None)
    look_at = next_look(streak, streak.last.at, time_zone or streak.last.time_zone)
    return replace(student, streak=streak, look_at=look_at)


def save(connection: Connection, students: Mapping[UUID, Student]) -> None:
    """Write the rows of students that were locked in the same transaction."""
    last = [student.streak.last for student in students.values()]
    connection.execute(
        _SAVE,
        {
            "user_ids": list(students),
            "xp": [student.xp for student in students.values()],
            "points": [student.points for student in students.values()],
            "points_held": [student.points_held for student in students.values()],
            "current": [student.streak.current for student in students.values()],
            "longest": [student.streak.longest for student in students.values()],
            "one_zone": [student.streak.one_zone for student in students.values()],
            "learned_at": [learning and learning.at for learning in last],
            "learned_on": [learning and learning.local_date for learning in last],
            "learned_in": [learning and learning.time_zone for learning in last],
            "freezes": [student.streak.freezes for student in students.values()],
            # an array of arrays would have to be a rectangle
            "late_freezes": [f"{{{','.join(map(str, student.streak.late_freezes))}}}" for student in students.values()],
            "look_at": [student.look_at for student in students.values()],
            "lessons": [student.lessons for student in students.values()],
        },
    )


_OPT_OUT = text(
    "insert into students (user_id, leaderboard_opt_out) values (:user_id, :opt_out) "
    "on conflict (user_id) do update set leaderboard_opt_out = excluded.leaderboard_opt_out"
)


def set_leaderboard_opt_out(connection: Connection, user_id: UUID, *, opt_out: bool) -> None:
    """Let others see a student, who may be one of whom nothing is known yet, or not."""
    connection.execute(_OPT_OUT, {"user_id": user_id, "opt_out": opt_out})
