"""The projection: facts as they are heard, in any order, and the counts that follow them."""

# ruff: noqa: S608 - statements are put together from names in this file

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection

from contracts.events.accounts import UserChanged, UserRegistered
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged
from contracts.events.progress import CourseCompleted, LessonCompleted
from contracts.events.purchase import EntitlementChanged, OrderChargedBack, OrderPaid, OrderRefunded
from services.analytics import counts
from services.analytics.domain.attribution import Registration, credited_ref
from services.analytics.domain.money import Chargeback, RefundTotal, movements

Heard = tuple[Event, int]
"""An event and its envelope's sequence."""

LIVE = "projection"
SHADOW = "projection_rebuild"
"""The schema that a rebuild fills."""

_LOCK = 7_402_119
_NOBODY_LEARNS = ("author", "admin")
"""Whose learning counts nowhere: they only look at the course."""

E = TypeVar("E", bound=Event)


def lock(connection: Connection) -> None:
    """Wait until no other transaction writes to the projection, and keep it so until this one ends."""
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def use(connection: Connection, schema: str) -> None:
    """Let the tables' names mean those of the schema until the transaction ends."""
    connection.exec_driver_sql(f"set local search_path to {schema}, public")


def hear(connection: Connection, heard: Iterable[Heard]) -> None:
    """Take in events, in any order and repetition; the transaction must hold `lock`."""
    by_type: defaultdict[type[Event], list[Heard]] = defaultdict(list)
    for event, sequence in heard:
        by_type[type(event)].append((event, sequence))
    _place(
        connection,
        _newest(UserChanged, by_type[UserChanged]),
        _newest(CourseChanged, by_type[CourseChanged]),
    )
    _keep_money(
        connection,
        _all(UserRegistered, by_type[UserRegistered]),
        _all(OrderPaid, by_type[OrderPaid]),
        _all(OrderRefunded, by_type[OrderRefunded]),
        _all(OrderChargedBack, by_type[OrderChargedBack]),
    )
    _keep_completions(connection, _learned(_all(LessonCompleted, by_type[LessonCompleted])))
    _keep_course_completions(connection, _learned(_all(CourseCompleted, by_type[CourseCompleted])))
    _keep_entitlements(connection, _newest(EntitlementChanged, by_type[EntitlementChanged]))


def _all(kind: type[E], heard: Sequence[Heard]) -> list[E]:
    return [event for event, _ in heard if isinstance(event, kind)]


def _newest(kind: type[E], heard: Sequence[Heard]) -> list[tuple[E, int]]:
    newest: dict[str, tuple[E, int]] = {}
    for event, sequence in heard:
        if isinstance(event, kind):
            known = newest.get(event.partition_key())
            if known is None or known[1] < sequence:
                newest[event.partition_key()] = event, sequence
    return list(newest.values())


L = TypeVar("L", LessonCompleted, CourseCompleted)


def _learned(events: Sequence[L]) -> list[L]:
    return [event for event in events if event.access not in _NOBODY_LEARNS]


# Who is where, and whose a course is

_KEEP_PEOPLE = text(
    "with before as (select user_id, time_zone from people where user_id = any(cast(:user_ids as uuid[]))), "
    "kept as (insert into people (user_id, sequence, time_zone) "
    "select given.user_id, given.sequence, coalesce(time_zones.name, 'UTC') "
    "from unnest(cast(:user_ids as uuid[]), cast(:sequences as bigint[]), cast(:time_zones as text[])) "
    "as given (user_id, sequence, time_zone) left join time_zones on time_zones.name = given.time_zone "
    "on conflict (user_id) do update set sequence = excluded.sequence, time_zone = excluded.time_zone "
    "where people.sequence < excluded.sequence returning user_id, time_zone) "
    "select kept.user_id, courses.course_id from kept left join before using (user_id) "
    "join courses on courses.instructor_id = kept.user_id "
    "where kept.time_zone <> coalesce(before.time_zone, 'UTC')"
)
_KEEP_COURSE = text(
    "with before as (select instructor_id from courses where course_id = :course_id), "
    "kept as (insert into courses "
    "(course_id, sequence, instructor_id, title, status, published, lesson_ids, lesson_titles) values "
    "(:course_id, :sequence, :instructor_id, :title, :status, :published, "
    "cast(:lesson_ids as uuid[]), cast(:lesson_titles as text[])) "
    "on conflict (course_id) do update set sequence = excluded.sequence, instructor_id = excluded.instructor_id, "
    "title = excluded.title, status = excluded.status, published = excluded.published, "
    "lesson_ids = excluded.lesson_ids, lesson_titles = excluded.lesson_titles "
    "where courses.sequence < excluded.sequence returning instructor_id) "
    "select kept.instructor_id as instructor_id, before.instructor_id as instructor_before "
    "from kept left join before on true where kept.instructor_id is distinct from before.instructor_id"
)


def _place(
    connection: Connection, people: Sequence[tuple[UserChanged, int]], courses: Sequence[tuple[CourseChanged, int]]
) -> None:
    moved_courses: set[UUID] = set()
    moved_instructors: set[UUID] = set()
    if people:
        given = {
            "user_ids": [person.user_id for person, _ in people],
            "sequences": [sequence for _, sequence in people],
            "time_zones": [person.time_zone for person, _ in people],
        }
        for row in connection.execute(_KEEP_PEOPLE, given):
            moved_courses.add(row.course_id)
            moved_instructors.add(row.user_id)
    for course, sequence in courses:
        for row in connection.execute(_KEEP_COURSE, _course_row(course, sequence)):
            moved_courses.add(course.course_id)
            moved_instructors |= {row.instructor_id, row.instructor_before} - {None}
    if moved_courses:
        counts.recount(connection, sorted(moved_courses), sorted(moved_instructors))


def _course_row(course: CourseChanged, sequence: int) -> dict[str, Any]:
    lessons = [lesson for chapter in course.chapters for lesson in chapter.lessons]
    return {
        "course_id": course.course_id,
        "sequence": sequence,
        "instructor_id": course.instructor_id,
        "title": course.title,
        "status": course.status,
        "published": course.published_at is not None,
        "lesson_ids": [lesson.id for lesson in lessons],
        "lesson_titles": [lesson.title for lesson in lessons],
    }


# Money and links

_KEEP_REGISTRATIONS = text(
    "insert into registrations (user_id, ref, registered_at) select * from unnest("
    "cast(:user_ids as uuid[]), cast(:refs as text[]), cast(:registered_at as timestamptz[])) "
    "on conflict (user_id) do nothing returning user_id"
)
_COUNT_REGISTRATIONS = text(
    "insert into ref_registrations as counted (ref, day, registrations) "
    "select ref, (registered_at at time zone 'UTC')::date, count(*) "
    "from registrations where user_id = any(cast(:user_ids as uuid[])) and ref is not null group by 1, 2 "
    "on conflict (ref, day) do update set registrations = counted.registrations + excluded.registrations"
)
_ORDERS_OF = text("select order_id from sales where user_id = any(cast(:user_ids as uuid[])) and ref is null")
_KEEP_SALES = text(
    "insert into sales (order_id, user_id, course_id, amount, currency, ref, placed_at, paid_at) select * from unnest("
    "cast(:order_ids as uuid[]), cast(:user_ids as uuid[]), cast(:course_ids as uuid[]), cast(:amounts as bigint[]), "
    "cast(:currencies as text[]), cast(:refs as text[]), "
    "cast(:placed_at as timestamptz[]), cast(:paid_at as timestamptz[])) "
    "on conflict (order_id) do nothing returning order_id"
)
_KEEP_REFUNDS = text(
    "insert into refunds (order_id, refunded, refunded_at) "
    "select order_id, refunded, min(refunded_at) from unnest("
    "cast(:order_ids as uuid[]), cast(:refunded as bigint[]), cast(:refunded_at as timestamptz[])) "
    "as given (order_id, refunded, refunded_at) group by 1, 2 "
    "on conflict (order_id, refunded) do update set refunded_at = excluded.refunded_at "
    "where excluded.refunded_at < refunds.refunded_at returning order_id"
)
_KEEP_CHARGEBACKS = text(
    "insert into chargebacks (dispute_id, order_id, amount, charged_back_at) select * from unnest("
    "cast(:dispute_ids as text[]), cast(:order_ids as uuid[]), cast(:amounts as bigint[]), "
    "cast(:charged_back_at as timestamptz[])) on conflict (dispute_id) do nothing returning order_id"
)


def _keep_money(
    connection: Connection,
    registered: Sequence[UserRegistered],
    paid: Sequence[OrderPaid],
    refunded: Sequence[OrderRefunded],
    charged_back: Sequence[OrderChargedBack],
) -> None:
    changed: set[UUID] = set()
    if registered:
        changed |= _keep_registrations(connection, registered)
    if paid:
        changed |= _keep_sales(connection, paid)
    if refunded:
        given = {
            "order_ids": [event.order_id for event in refunded],
            "refunded": [event.refunded.amount for event in refunded],
            "refunded_at": [event.refunded_at for event in refunded],
        }
        changed |= set(connection.scalars(_KEEP_REFUNDS, given))
    if charged_back:
        given = {
            "dispute_ids": [event.dispute_id for event in charged_back],
            "order_ids": [event.order_id for event in charged_back],
            "amounts": [event.amount.amount for event in charged_back],
            "charged_back_at": [event.charged_back_at for event in charged_back],
        }
        changed |= set(connection.scalars(_KEEP_CHARGEBACKS, given))
    if changed:
        with counts.counted_anew(connection, counts.OF_ORDERS, {"order_ids": sorted(changed)}):
            _move_money(connection, sorted(changed))


def _keep_registrations(connection: Connection, registered: Sequence[UserRegistered]) -> set[UUID]:
    given = {
        "user_ids": [event.user_id for event in registered],
        "refs": [event.ref or None for event in registered],
        "registered_at": [event.registered_at for event in registered],
    }
    fresh = {"user_ids": connection.scalars(_KEEP_REGISTRATIONS, given).all()}
    connection.execute(_COUNT_REGISTRATIONS, fresh)
    return set(connection.scalars(_ORDERS_OF, fresh))


def _keep_sales(connection: Connection, paid: Sequence[OrderPaid]) -> set[UUID]:
    given = {
        "order_ids": [event.order_id for event in paid],
        "user_ids": [event.user_id for event in paid],
        "course_ids": [event.course_id for event in paid],
        "amounts": [event.price.amount for event in paid],
        "currencies": [event.price.currency for event in paid],
        "refs": [event.ref or None for event in paid],
        "placed_at": [event.placed_at for event in paid],
        "paid_at": [event.paid_at for event in paid],
    }
    return set(connection.scalars(_KEEP_SALES, given))


_SALES = text(
    "select order_id, amount, sales.ref, placed_at, paid_at, registrations.ref as registered_ref, registered_at "
    "from sales left join registrations using (user_id) where order_id = any(cast(:order_ids as uuid[]))"
)
_REFUNDS = text("select order_id, refunded, refunded_at from refunds where order_id = any(cast(:order_ids as uuid[]))")
_CHARGEBACKS = text(
    "select order_id, amount, charged_back_at from chargebacks where order_id = any(cast(:order_ids as uuid[]))"
)
_CREDIT = text(
    "update sales set credited_ref = given.ref from unnest(cast(:order_ids as uuid[]), cast(:refs as text[])) "
    "as given (order_id, ref) where sales.order_id = given.order_id and sales.credited_ref is distinct from given.ref"
)
_FORGET_MOVEMENTS = text("delete from movements where order_id = any(cast(:order_ids as uuid[]))")
_KEEP_MOVEMENTS = text(
    "insert into movements (order_id, at, sales, gross, refunds) select * from unnest(cast(:order_ids as uuid[]), "
    "cast(:at as timestamptz[]), cast(:sales as integer[]), cast(:gross as bigint[]), cast(:refunds as bigint[]))"
)


def _move_money(connection: Connection, order_ids: Sequence[UUID]) -> None:
    """Work out anew what these orders add to the figures, and to whose; those not heard of yet add nothing."""
    given = {"order_ids": order_ids}
    totals: defaultdict[UUID, list[RefundTotal]] = defaultdict(list)
    for row in connection.execute(_REFUNDS, given):
        totals[row.order_id].append(RefundTotal(row.refunded, row.refunded_at))
    lost: defaultdict[UUID, list[Chargeback]] = defaultdict(list)
    for row in connection.execute(_CHARGEBACKS, given):
        lost[row.order_id].append(Chargeback(row.amount, row.charged_back_at))
    credited, moved = {}, []
    for row in connection.execute(_SALES, given):
        registration = Registration(row.registered_ref, row.registered_at) if row.registered_at else None
        credited[row.order_id] = credited_ref(row.ref, row.placed_at, registration)
        worked_out = movements(row.amount, row.paid_at, totals[row.order_id], lost[row.order_id])
        moved += [(row.order_id, movement) for movement in worked_out]
    connection.execute(_CREDIT, {"order_ids": list(credited), "refs": list(credited.values())})
    connection.execute(_FORGET_MOVEMENTS, given)
    connection.execute(
        _KEEP_MOVEMENTS,
        {
            "order_ids": [order_id for order_id, _ in moved],
            "at": [movement.at for _, movement in moved],
            "sales": [movement.sales for _, movement in moved],
            "gross": [movement.gross for _, movement in moved],
            "refunds": [movement.refunds for _, movement in moved],
        },
    )


# Learning

_KEEP_COMPLETIONS = text(
    "insert into completions (course_id, user_id, lesson_id, completed_at) select * from unnest("
    "cast(:course_ids as uuid[]), cast(:user_ids as uuid[]), cast(:lesson_ids as uuid[]), "
    "cast(:completed_at as timestamptz[])) on conflict do nothing returning course_id, user_id, lesson_id"
)
_UNKNOWN_COURSE_COMPLETIONS = text(
    "select course_id, user_id from unnest(cast(:course_ids as uuid[]), cast(:user_ids as uuid[])) "
    "as given (course_id, user_id) "
    "where not exists (select from course_completions as known "
    "where (known.course_id, known.user_id) = (given.course_id, given.user_id))"
)
_KEEP_COURSE_COMPLETIONS = text(
    "insert into course_completions (course_id, user_id, completed_at) select * from unnest("
    "cast(:course_ids as uuid[]), cast(:user_ids as uuid[]), cast(:completed_at as timestamptz[])) "
    "on conflict do nothing"
)


def _keep_completions(connection: Connection, completed: Sequence[LessonCompleted]) -> None:
    if not completed:
        return
    given = {
        "course_ids": [event.course_id for event in completed],
        "user_ids": [event.user_id for event in completed],
        "lesson_ids": [event.lesson_id for event in completed],
        "completed_at": [event.completed_at for event in completed],
    }
    fresh = connection.execute(_KEEP_COMPLETIONS, given).all()
    keys = {
        "course_ids": [row.course_id for row in fresh],
        "user_ids": [row.user_id for row in fresh],
        "lesson_ids": [row.lesson_id for row in fresh],
    }
    counts.count(connection, counts.OF_COMPLETIONS, keys)


def _keep_course_completions(connection: Connection, completed: Sequence[CourseCompleted]) -> None:
    if not completed:
        return
    given = {
        "course_ids": [event.course_id for event in completed],
        "user_ids": [event.user_id for event in completed],
        "completed_at": [event.completed_at for event in completed],
    }
    unknown = {(row.course_id, row.user_id) for row in connection.execute(_UNKNOWN_COURSE_COMPLETIONS, given)}
    with counts.counted_anew(connection, counts.OF_FINISHERS, _side_by_side(unknown)):
        connection.execute(_KEEP_COURSE_COMPLETIONS, given)


_KEEP_ENTITLEMENTS = text(
    "insert into entitlements (entitlement_id, sequence, user_id, course_id, live, granted_at) select * from unnest("
    "cast(:entitlement_ids as uuid[]), cast(:sequences as bigint[]), cast(:user_ids as uuid[]), "
    "cast(:course_ids as uuid[]), cast(:live as boolean[]), cast(:granted_at as timestamptz[])) "
    "on conflict (entitlement_id) do update "
    "set sequence = excluded.sequence, live = excluded.live, granted_at = excluded.granted_at "
    "where entitlements.sequence < excluded.sequence returning course_id, user_id"
)
_JOINED = (
    "unnest(cast(:course_ids as uuid[]), cast(:user_ids as uuid[])) as given (course_id, user_id) "
    "cross join lateral (select min(granted_at) as joined_at from entitlements as mine "
    "where (mine.course_id, mine.user_id) = (given.course_id, given.user_id) and live) as rights"
)
_CHANGED_STUDENTS = text(
    f"select course_id, user_id from {_JOINED} left join students using (course_id, user_id) "
    "where students.joined_at is distinct from rights.joined_at"
)
_FORGET_STUDENTS = text(
    "delete from students using unnest(cast(:course_ids as uuid[]), cast(:user_ids as uuid[])) "
    "as given (course_id, user_id) "
    "where (students.course_id, students.user_id) = (given.course_id, given.user_id)"
)
_KEEP_STUDENTS = text(
    "insert into students (course_id, user_id, joined_at) "
    f"select course_id, user_id, rights.joined_at from {_JOINED} where rights.joined_at is not null"
)


def _keep_entitlements(connection: Connection, changed: Sequence[tuple[EntitlementChanged, int]]) -> None:
    if not changed:
        return
    given = {
        "entitlement_ids": [right.entitlement_id for right, _ in changed],
        "sequences": [sequence for _, sequence in changed],
        "user_ids": [right.user_id for right, _ in changed],
        "course_ids": [right.course_id for right, _ in changed],
        "live": [right.live for right, _ in changed],
        "granted_at": [right.granted_at for right, _ in changed],
    }
    touched = {(row.course_id, row.user_id) for row in connection.execute(_KEEP_ENTITLEMENTS, given)}
    rows = connection.execute(_CHANGED_STUDENTS, _side_by_side(touched))
    students = _side_by_side({(row.course_id, row.user_id) for row in rows})
    with counts.counted_anew(connection, counts.OF_STUDENTS, students):
        connection.execute(_FORGET_STUDENTS, students)
        connection.execute(_KEEP_STUDENTS, students)


def _side_by_side(students: Iterable[tuple[UUID, UUID]]) -> dict[str, list[UUID]]:
    in_order = sorted(students)
    return {
        "course_ids": [course_id for course_id, _ in in_order],
        "user_ids": [user_id for _, user_id in in_order],
    }
