"""Counts as a function of the facts: one definition each, used for a few facts, and for all of a course.

Whoever changes facts does so within `counted_anew`, which takes what they counted for out of the tables before the
change and puts what they count for in after it. Only one writer may be at work (`projection.lock`).
"""

# ruff: noqa: S608 - statements are put together from names in this file

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Table, TextClause, text
from sqlalchemy.engine import Connection

from services.analytics import tables

_COURSE = (
    "left join courses on courses.course_id = fact.course_id left join people on people.user_id = courses.instructor_id"
)
_JOINED_ON = "(fact.joined_at at time zone coalesce(people.time_zone, 'UTC'))::date as joined_on"
_MOVED_ON = "(movements.at at time zone coalesce(people.time_zone, 'UTC'))::date as day"
_MOVED = "sum(movements.sales)::integer as sales, sum(gross)::bigint as gross, sum(refunds)::bigint as refunds"

_OF_COURSES = "(select * from {facts} where course_id = any(cast(:course_ids as uuid[])))"
_OF_STUDENTS = (
    "(select {facts}.* from {facts} join unnest(cast(:course_ids as uuid[]), cast(:user_ids as uuid[])) "
    "as given (course_id, user_id) using (course_id, user_id))"
)
_OF_COMPLETIONS = (
    "(select {facts}.* from {facts} join unnest(cast(:course_ids as uuid[]), cast(:user_ids as uuid[]), "
    "cast(:lesson_ids as uuid[])) as given (course_id, user_id, lesson_id) using (course_id, user_id, lesson_id))"
)
_OF_ORDERS = "(select * from {facts} where order_id = any(cast(:order_ids as uuid[])))"
_OF_INSTRUCTORS = "courses.instructor_id = any(cast(:instructor_ids as uuid[]))"
_OF_INSTRUCTORS_STUDENTS = (
    "(courses.instructor_id, students.user_id) in ("
    "select theirs.instructor_id, given.user_id "
    "from unnest(cast(:course_ids as uuid[]), cast(:user_ids as uuid[])) as given (course_id, user_id) "
    "join courses as theirs using (course_id))"
)


@dataclass(frozen=True)
class Count:
    """How the rows of a table follow from `facts`; `query` leaves open, as `{of}`, which of them are counted."""

    table: Table
    facts: str
    query: str


@dataclass(frozen=True)
class Part:
    """A count of those facts that the parameters of `of` name; each fact at most once."""

    count: Count
    of: str
    add: TextClause = field(init=False)
    take: TextClause = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "add", text(_merge(self.count.table, self.query, "+")))
        object.__setattr__(self, "take", text(_merge(self.count.table, self.query, "-")))

    @property
    def query(self) -> str:
        """The select of the rows that these facts count for."""
        return self.count.query.format(of=self.of.format(facts=self.count.facts))


def _merge(table: Table, query: str, sign: str) -> str:
    keys = [column.name for column in table.primary_key]
    numbers = [column.name for column in table.c if column.name not in keys]
    return (
        f"merge into {table.name} as counted using ({query}) as part "
        f"on {' and '.join(f'counted.{name} = part.{name}' for name in keys)} "
        f"when matched and {' and '.join(f'counted.{name} {sign} part.{name} = 0' for name in numbers)} then delete "
        f"when matched then update set {', '.join(f'{name} = counted.{name} {sign} part.{name}' for name in numbers)} "
        f"when not matched then insert ({', '.join([*keys, *numbers])}) "
        f"values ({', '.join([*(f'part.{name}' for name in keys), *(f'0 {sign} part.{name}' for name in numbers)])})"
    )


SALES_DAYS = Count(
    tables.sales_days,
    "sales",
    f"select fact.course_id, {_MOVED_ON}, fact.currency, {_MOVED} "
    f"from {{of}} as fact join movements using (order_id) {_COURSE} group by 1, 2, 3",
)
REF_DAYS = Count(
    tables.ref_days,
    "sales",
    f"select courses.instructor_id, fact.credited_ref as ref, {_MOVED_ON}, fact.currency, {_MOVED} "
    f"from {{of}} as fact join movements using (order_id) {_COURSE} "
    "where courses.instructor_id is not null and fact.credited_ref is not null group by 1, 2, 3, 4",
)
LESSON_DAYS = Count(
    tables.lesson_days,
    "completions",
    "select fact.course_id, (fact.completed_at at time zone coalesce(people.time_zone, 'UTC'))::date as day, "
    f"count(*) as completed from {{of}} as fact {_COURSE} group by 1, 2",
)
COHORTS = Count(
    tables.cohorts,
    "students",
    f"select fact.course_id, {_JOINED_ON}, count(*) as students, count(course_completions.completed_at) as completed "
    f"from {{of}} as fact left join course_completions using (course_id, user_id) {_COURSE} group by 1, 2",
)
COHORT_LESSONS = Count(
    tables.cohort_lessons,
    "completions",
    f"select fact.course_id, fact.lesson_id, {_JOINED_ON}, count(*) as completed "
    "from (select course_id, lesson_id, students.joined_at "
    f"from {{of}} as finished join students using (course_id, user_id)) as fact {_COURSE} group by 1, 2, 3",
)
COHORT_DURATIONS = Count(
    tables.cohort_durations,
    "students",
    f"select fact.course_id, {_JOINED_ON}, "
    "greatest(0, floor(extract(epoch from course_completions.completed_at - fact.joined_at) / 86400))::integer "
    "as days, count(*) as completed "
    f"from {{of}} as fact join course_completions using (course_id, user_id) {_COURSE} group by 1, 2, 3",
)
STUDENT_DAYS = Count(
    tables.student_days,
    "students",
    f"select fact.instructor_id, {_JOINED_ON}, count(*) as students "
    "from (select courses.instructor_id, students.user_id, min(students.joined_at) as joined_at "
    "from courses join students using (course_id) where {of} group by 1, 2) as fact "
    "left join people on people.user_id = fact.instructor_id group by 1, 2",
)

OF_ORDERS = (Part(SALES_DAYS, _OF_ORDERS), Part(REF_DAYS, _OF_ORDERS))
"""What orders count for; takes `order_ids`."""
OF_COMPLETIONS = (Part(LESSON_DAYS, _OF_COMPLETIONS), Part(COHORT_LESSONS, _OF_COMPLETIONS))
"""What finished lessons count for; takes `course_ids`, `user_ids` and `lesson_ids`, side by side."""
OF_FINISHERS = (Part(COHORTS, _OF_STUDENTS), Part(COHORT_DURATIONS, _OF_STUDENTS))
"""What students count for by having completed a course; takes `course_ids` and `user_ids`, side by side."""
OF_STUDENTS = (*OF_FINISHERS, Part(COHORT_LESSONS, _OF_STUDENTS), Part(STUDENT_DAYS, _OF_INSTRUCTORS_STUDENTS))
"""What students count for by having joined; takes `course_ids` and `user_ids`, side by side."""

_OF_WHOLE_COURSES = tuple(
    Part(count, _OF_COURSES) for count in (SALES_DAYS, LESSON_DAYS, COHORTS, COHORT_LESSONS, COHORT_DURATIONS)
)
_OF_WHOLE_INSTRUCTORS = (
    Part(
        REF_DAYS,
        f"(select {{facts}}.* from {{facts}} join courses using (course_id) where {_OF_INSTRUCTORS})",
    ),
    Part(STUDENT_DAYS, _OF_INSTRUCTORS),
)


@contextmanager
def counted_anew(connection: Connection, parts: Sequence[Part], given: Mapping[str, Sequence[Any]]) -> Iterator[None]:
    """Let what the given facts count for follow the change that the block makes."""
    for part in parts:
        connection.execute(part.take, given)
    yield
    count(connection, parts, given)


def count(connection: Connection, parts: Sequence[Part], given: Mapping[str, Sequence[Any]]) -> None:
    """Count facts that are new."""
    for part in parts:
        connection.execute(part.add, given)


def recount(connection: Connection, course_ids: Sequence[UUID], instructor_ids: Sequence[UUID]) -> None:
    """Count all facts of these courses, and all that these instructors' courses have in common, from scratch."""
    for part in _OF_WHOLE_COURSES:
        _replace(connection, part, "course_id", {"course_ids": course_ids})
    for part in _OF_WHOLE_INSTRUCTORS:
        _replace(connection, part, "instructor_id", {"instructor_ids": instructor_ids})


def _replace(connection: Connection, part: Part, key: str, given: Mapping[str, Sequence[UUID]]) -> None:
    name = part.count.table.name
    connection.execute(text(f"delete from {name} where {key} = any(cast(:{key}s as uuid[]))"), given)
    columns = ", ".join(column.name for column in part.count.table.c)
    connection.execute(text(f"insert into {name} ({columns}) {part.query}"), given)
