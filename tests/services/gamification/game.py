"""The game without a bus: events as progress tells them, and what became of them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import Row, func, select, text

from chassis.database import Database
from contracts.envelope import Envelope
from contracts.events.accounts import UserChanged
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged, Unlock
from contracts.events.gamification import CourseUnlocked
from contracts.events.progress import CourseCompleted, DayStudied, LessonCompleted
from services.gamification import unlocks
from services.gamification.courses import keep_courses
from services.gamification.domain.weeks import week_of
from services.gamification.handlers import evenings, learning, people, shop
from services.gamification.history import histories
from services.gamification.queries import shop as shop_queries
from services.gamification.queries import standing
from services.gamification.students import streak_of
from services.gamification.tables import ledger, students, unlocked_courses
from tests.told import course_changed, envelope_of

T = TypeVar("T", bound=Event)
EVENING = datetime(2026, 11, 23, 19, tzinfo=UTC)
PARIS, TOKYO = "Europe/Paris", "Asia/Tokyo"


def lesson_done(user_id: UUID, **changes: Any) -> LessonCompleted:
    """A lesson finished on Monday evening in Paris, in a course that is free."""
    values: dict[str, Any] = {
        "user_id": user_id,
        "course_id": uuid4(),
        "lesson_id": uuid4(),
        "completed_at": EVENING,
        "time_zone": PARIS,
        "access": "free",
        "hasty": False,
    }
    return LessonCompleted(**(values | changes))


def course_done(user_id: UUID, **changes: Any) -> CourseCompleted:
    """A course finished on Monday evening in Paris."""
    values: dict[str, Any] = {
        "user_id": user_id,
        "course_id": uuid4(),
        "completed_at": EVENING,
        "time_zone": PARIS,
        "access": "free",
        "lessons": 3,
    }
    return CourseCompleted(**(values | changes))


def day_studied(user_id: UUID, at: datetime = EVENING, time_zone: str = PARIS) -> DayStudied:
    """Five minutes of advance."""
    return DayStudied(user_id=user_id, local_date=at.date(), time_zone=time_zone, studied_at=at)


def delivered(event: Event, *, sequence: int = 0, time: datetime | None = None) -> tuple[Envelope, Event]:
    """The event in an envelope of its own."""
    envelope = envelope_of(
        event, sequence=sequence, time=time or datetime.now(UTC), correlation_id=f"request-{uuid4()}"
    )
    return envelope, event


def bonus_course(**changes: Any) -> CourseChanged:
    """A published bonus course for a streak of three days."""
    values = {"slug": f"bonus-{uuid4().hex[:8]}", "title": "Le cours secret", "unlock": Unlock(3)}
    return course_changed(**(values | changes))


def about(user_id: UUID, history: Iterable[Event]) -> list[Event]:
    """The same history of another student."""
    return [msgspec.structs.replace(event, user_id=user_id) for event in history]


def batches(events: Sequence[Event], random: Random) -> Iterator[Sequence[Event]]:
    """The events cut into batches anywhere."""
    start = 0
    while start < len(events):
        end = start + random.randint(1, len(events))
        yield events[start:end]
        start = end


class Game:
    """The game with its database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def hear(self, *events: Event) -> list[Envelope]:
        """Let these events arrive together."""
        return self.receive([delivered(event) for event in events])

    def receive(self, facts: Sequence[tuple[Envelope, Event]]) -> list[Envelope]:
        """Let these deliveries arrive together."""
        with self.database.unit_of_work() as unit_of_work:
            learning.students_learned(unit_of_work, facts, "UTC", EVENING)
        return [envelope for envelope, _ in facts]

    def buy(
        self, user_id: UUID, now: datetime = EVENING, time_zone: str = PARIS, request_id: UUID | None = None
    ) -> shop.Purchased:
        """Let the student buy a streak freeze."""
        with self.database.unit_of_work() as unit_of_work:
            return shop.purchase_item(unit_of_work, user_id, "streak_freeze", request_id or uuid4(), time_zone, now)

    def move(self, user_id: UUID, time_zone: str, sequence: int = 1, now: datetime = EVENING) -> None:
        """Let accounts tell that the student is in that time zone now."""
        moved = UserChanged(
            user_id=user_id, role="student", status="active", time_zone=time_zone, locale="fr", email_verified=True
        )
        envelope = msgspec.structs.replace(delivered(moved)[0], sequence=sequence)
        with self.database.unit_of_work() as unit_of_work:
            people.people_changed(unit_of_work, [(envelope, moved)], "UTC", now)

    def look(self, now: datetime) -> None:
        """Let what is due be told of all flames."""
        evenings.look(self.database, now)

    def change(self, course: CourseChanged, sequence: int = 1) -> CourseChanged:
        """Let catalog tell a course's state."""
        with self.database.unit_of_work() as unit_of_work:
            keep_courses(unit_of_work.connection, [(course, sequence)])
        return course

    def sweep(self, now: datetime = EVENING) -> None:
        """Let those have bonus courses whose streaks are long enough already."""
        unlocks.sweep(self.database, now)

    def unlocked(self, user_id: UUID) -> list[UUID]:
        """The courses that were told to be unlocked for the student."""
        return [event.course_id for event in self.told(CourseUnlocked, user_id)]

    def unlocked_ever(self, user_id: UUID) -> int:
        """How many courses the student has unlocked."""
        statement = select(func.count()).where(unlocked_courses.c.user_id == user_id)
        with self.database.single_statement() as unit_of_work:
            return unit_of_work.connection.execute(statement).scalar_one()

    def enrich(self, user_id: UUID, lessons: int = 20, at: datetime = EVENING - timedelta(days=100)) -> None:
        """Give the student the points of so many lessons, all finished long ago."""
        self.hear(*(lesson_done(user_id, completed_at=at) for _ in range(lessons)))

    def shop(self, user_id: UUID, now: datetime = EVENING, time_zone: str = PARIS) -> shop_queries.Shop:
        """The shop as the student sees it."""
        with self.database.single_statement() as unit_of_work:
            return shop_queries.shop(unit_of_work.connection, user_id, time_zone, now)

    def assert_adds_up(self, *user_ids: UUID) -> None:
        """What the students' rows say is what the ledger, the learning days and the purchases come to."""
        statement = (
            select(
                students,
                func.coalesce(func.sum(ledger.c.xp), 0).label("earned_xp"),
                func.coalesce(func.sum(ledger.c.points), 0).label("earned_points"),
            )
            .outerjoin(ledger)
            .group_by(students.c.user_id)
            .where(students.c.user_id.in_(user_ids))
        )
        with self.database.snapshot() as connection:
            rows = connection.execute(statement).all()
            known = histories(connection, user_ids)
        assert {row.user_id for row in rows} == set(user_ids)
        for row in rows:
            assert (row.xp, row.points + row.points_held) == (row.earned_xp, row.earned_points)
            assert row.points >= 0
            assert streak_of(row) == known[row.user_id].streak()

    def of(self, user_id: UUID, now: datetime = EVENING, time_zone: str = PARIS) -> standing.Game:
        """What the student sees."""
        with self.database.single_statement() as unit_of_work:
            return standing.game(unit_of_work.connection, user_id, time_zone, week_of(now, "UTC"), now)

    def page(self, user_id: UUID, limit: int = 100, cursor: str | None = None) -> standing.LedgerPage:
        """A page of the student's ledger."""
        with self.database.single_statement() as unit_of_work:
            return standing.ledger_page(unit_of_work.connection, user_id, limit, cursor)

    def rows(self, user_id: UUID) -> list[tuple[str, UUID, int, int]]:
        """The student's ledger: kind, source, XP, points."""
        statement = select(ledger.c.kind, ledger.c.source_id, ledger.c.xp, ledger.c.points)
        with self.database.single_statement() as unit_of_work:
            found = unit_of_work.connection.execute(statement.where(ledger.c.user_id == user_id))
            return sorted((row.kind, row.source_id, row.xp, row.points) for row in found)

    def student(self, user_id: UUID) -> Row[Any] | None:
        """The student's row."""
        with self.database.single_statement() as unit_of_work:
            return unit_of_work.connection.execute(select(students).where(students.c.user_id == user_id)).one_or_none()

    def told(self, kind: type[T], user_id: UUID | str) -> list[T]:
        """The events of this type about the student, in the order they were told."""
        return [msgspec.json.decode(row.data, type=kind) for row in self.outbox(kind, user_id)]

    def outbox(self, kind: type[Event], user_id: UUID | str) -> Sequence[Row[Any]]:
        """The outbox rows of this type about the student."""
        statement = text(
            "select data::text as data, correlation_id, causation_id from outbox "
            "where type = :type and partition_key = :user_id order by position"
        )
        with self.database.single_statement() as unit_of_work:
            return unit_of_work.connection.execute(statement, {"type": kind.type, "user_id": str(user_id)}).all()
