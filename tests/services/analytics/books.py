"""Analytics without a bus: events as others tell them, and what became of them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from chassis.database import Database
from chassis.outbox import inbox, outbox
from contracts.events.accounts import UserChanged, UserRegistered
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged, Money, OutlineChapter, OutlineLesson
from contracts.events.progress import CourseCompleted, LessonCompleted
from contracts.events.purchase import EntitlementChanged, OrderChargedBack, OrderPaid, OrderRefunded
from services.analytics import counts, handlers, queries
from services.analytics.answers import CoursePerformance, InstructorStats
from services.analytics.projection import LIVE, Heard, lock, use
from services.analytics.queries import Days
from services.analytics.tables import courses, projection, rebuilds, refs
from tests.services.tables import empty

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
EUR, USD = "EUR", "USD"
Dump = dict[str, list[tuple[str, ...]]]


def course_changed(instructor_id: UUID, course_id: UUID | None = None, **changes: Any) -> CourseChanged:
    """A published course of one chapter; `lessons` are ids."""
    lessons = [
        OutlineLesson(lesson_id, f"Pas {n}", "text", 60, False)
        for n, lesson_id in enumerate(changes.pop("lessons", ()), 1)
    ]
    values: dict[str, Any] = {
        "course_id": course_id or uuid4(),
        "slug": "un-cours",
        "title": "Un cours",
        "instructor_id": instructor_id,
        "status": "published",
        "category": "dev-web",
        "price": Money(4900, EUR),
        "practical": False,
        "published_at": MONDAY,
        "chapters": (OutlineChapter(uuid4(), "Un", False, tuple(lessons)),),
    }
    return CourseChanged(**(values | changes))


def lives_in(user_id: UUID, time_zone: str) -> UserChanged:
    """Someone in a time zone."""
    return UserChanged(
        user_id=user_id, role="instructor", status="active", time_zone=time_zone, locale="fr", email_verified=True
    )


def registered(user_id: UUID, ref: str | None = None, at: datetime = MONDAY) -> UserRegistered:
    """An account made, by a link if any."""
    return UserRegistered(user_id=user_id, role="student", registered_at=at, ref=ref)


def entitled(user_id: UUID, course_id: UUID, at: datetime = MONDAY, **changes: Any) -> EntitlementChanged:
    """A live right to a course."""
    values: dict[str, Any] = {
        "entitlement_id": uuid4(),
        "user_id": user_id,
        "course_id": course_id,
        "source": "purchase",
        "live": True,
        "granted_at": at,
    }
    return EntitlementChanged(**(values | changes))


def paid(user_id: UUID, course_id: UUID, at: datetime = MONDAY, **changes: Any) -> OrderPaid:
    """An order of 49 EUR, placed a minute before it was paid."""
    values: dict[str, Any] = {
        "order_id": uuid4(),
        "user_id": user_id,
        "course_id": course_id,
        "instructor_id": uuid4(),
        "price": Money(4900, EUR),
        "placed_at": at - timedelta(minutes=1),
        "paid_at": at,
    }
    return OrderPaid(**(values | changes))


def refunded(order: OrderPaid, total: int, at: datetime) -> OrderRefunded:
    """So much of the order had been given back by then."""
    return OrderRefunded(order_id=order.order_id, refunded=Money(total, order.price.currency), refunded_at=at)


def charged_back(order: OrderPaid, amount: int, at: datetime, dispute_id: str = "") -> OrderChargedBack:
    """A dispute was lost."""
    return OrderChargedBack(
        order_id=order.order_id,
        dispute_id=dispute_id or f"dp_{uuid4().hex}",
        amount=Money(amount, order.price.currency),
        charged_back_at=at,
    )


def lesson_done(
    user_id: UUID, course_id: UUID, lesson_id: UUID, at: datetime = MONDAY, access: Any = "purchase"
) -> LessonCompleted:
    """A lesson finished."""
    return LessonCompleted(
        user_id=user_id,
        course_id=course_id,
        lesson_id=lesson_id,
        completed_at=at,
        time_zone="UTC",
        access=access,
        hasty=False,
    )


def course_done(user_id: UUID, course_id: UUID, at: datetime = MONDAY, access: Any = "purchase") -> CourseCompleted:
    """A course finished."""
    return CourseCompleted(
        user_id=user_id, course_id=course_id, completed_at=at, time_zone="UTC", access=access, lessons=1
    )


class Books:
    """Analytics with its database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def hear(self, *events: Event) -> None:
        """Let these events arrive together, each the first of its kind."""
        self.receive([(event, 1) for event in events])

    def receive(self, heard: Sequence[Heard]) -> None:
        """Let these events arrive together, with their sequences."""
        with self.database.unit_of_work() as unit_of_work:
            handlers.told(unit_of_work, heard)

    def stats(self, instructor_id: UUID, *days: Any, now: datetime = MONDAY, currency: str = EUR) -> InstructorStats:
        """What the instructor sees on that Monday."""
        with self.database.snapshot() as connection:
            return queries.instructor_stats(connection, instructor_id, Days(*days), currency, now)

    def performance(self, course_id: UUID, *days: Any) -> CoursePerformance:
        """What the author sees of a course."""
        with self.database.snapshot() as connection:
            course = queries.course(connection, course_id)
            assert course is not None
            return queries.course_performance(connection, course, Days(*days), EUR)

    def recount(self) -> None:
        """Count everything from scratch."""
        with self.database.unit_of_work() as unit_of_work:
            connection = unit_of_work.connection
            lock(connection)
            use(connection, LIVE)
            known = connection.execute(select(courses.c.course_id, courses.c.instructor_id)).all()
            unknown = {
                row[0]
                for table in ("sales", "completions", "students")
                for row in connection.execute(select(projection.tables[table].c.course_id))
            }
            counts.recount(
                connection,
                sorted({row.course_id for row in known} | unknown),
                sorted({row.instructor_id for row in known}),
            )

    def dump(self, schema: str = LIVE) -> Dump:
        """Every row of every table of the projection."""
        found: Dump = {}
        with self.database.snapshot() as connection:
            for table in projection.tables.values():
                rows = connection.exec_driver_sql(f"select * from {schema}.{table.name}")
                found[table.name] = sorted(tuple(str(value) for value in row) for row in rows)
        return found

    def clear(self) -> None:
        """Forget everything."""
        with self.database.unit_of_work() as unit_of_work:
            use(unit_of_work.connection, LIVE)
            empty(unit_of_work.connection, [*projection.sorted_tables, refs, rebuilds, inbox, outbox])


def shuffled(events: Iterable[Any], random: Any) -> list[Any]:
    """The same in another order, some of them repeated."""
    all_of_them = list(events)
    jumbled = [*all_of_them, *random.sample(all_of_them, random.randint(0, len(all_of_them)))]
    random.shuffle(jumbled)
    return jumbled
