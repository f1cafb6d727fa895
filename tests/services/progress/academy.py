"""Courses as catalog tells them, a catalog and a purchase that answer as they are told, and progress without a bus."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import text

from chassis.database import Database
from contracts.errors import NotFound, Unavailable
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged, OutlineChapter, OutlineLesson
from contracts.events.progress import CourseCompleted, DayStudied, LessonCompleted
from contracts.events.purchase import EntitlementChanged, Source
from services.progress import completion, handlers, queries
from services.progress.entitlements import Entitlements, keep_entitlements
from services.progress.outlines import Outlines
from tests.told import course_changed

T = TypeVar("T")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def lesson(title: str = "Une leçon", **changes: Any) -> OutlineLesson:
    values: dict[str, Any] = {
        "id": uuid4(),
        "title": title,
        "kind": "video",
        "duration_seconds": 0,
        "free_preview": False,
    }
    return OutlineLesson(**(values | changes))


def course(*lessons: OutlineLesson, **changes: Any) -> CourseChanged:
    """A published free course; two lessons a chapter."""
    return course_changed(**({"chapters": chapters(lessons)} | changes))


def chapters(lessons: Sequence[OutlineLesson]) -> tuple[OutlineChapter, ...]:
    return tuple(
        OutlineChapter(uuid4(), "Un chapitre", False, tuple(lessons[start : start + 2]))
        for start in range(0, len(lessons), 2)
    )


def with_lessons(changed: CourseChanged, *lessons: OutlineLesson) -> CourseChanged:
    return msgspec.structs.replace(changed, chapters=chapters(lessons))


def lessons_of(changed: CourseChanged) -> list[UUID]:
    return [one.id for chapter in changed.chapters for one in chapter.lessons]


class FakeCatalog:
    """Catalog as its RPC methods show it. `silent`: it does not answer."""

    def __init__(self) -> None:
        self.courses: dict[UUID, tuple[CourseChanged, int]] = {}
        self.silent = False
        self.calls: list[dict[str, Any]] = []
        self.before_answer: Callable[[], None] = lambda: None

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        assert (service, method, deadline) == ("catalog", "get_outline", 1.0)
        self.calls.append(arguments)
        self.before_answer()
        if self.silent:
            raise Unavailable
        for changed, sequence in list(self.courses.values()):
            if arguments.get("course_id") == changed.course_id or arguments.get("lesson_id") in lessons_of(changed):
                return msgspec.json.decode(msgspec.json.encode({"sequence": sequence, "course": changed}))
        raise NotFound


class FakePurchase:
    """Purchase as its RPC method shows it. `silent`: it does not answer."""

    def __init__(self) -> None:
        self.entitlements: dict[UUID, tuple[EntitlementChanged, int]] = {}
        self.silent = False
        self.calls: list[dict[str, Any]] = []

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        assert (service, method, deadline) == ("purchase", "check_course_access", 1.0)
        self.calls.append(arguments)
        if self.silent:
            raise Unavailable
        held = [
            {"sequence": sequence, "entitlement": one}
            for one, sequence in self.entitlements.values()
            if (one.user_id, one.course_id) == (arguments["user_id"], arguments["course_id"])
        ]
        return msgspec.json.decode(msgspec.json.encode({"has_access": True, "reason": "any", "entitlements": held}))


class Academy:
    """Progress with its database, and the catalog and the purchase beside it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.catalog = FakeCatalog()
        self.purchase = FakePurchase()
        self.outlines = Outlines(database, self.catalog)
        self.copies = handlers.Copies(self.outlines, Entitlements(database, self.purchase))
        self.now = NOON

    def publish(self, changed: CourseChanged, *, heard: bool = True) -> CourseChanged:
        """Let catalog have this course next; its event arrives unless `heard` says that it is still on its way."""
        sequence = self.catalog.courses.get(changed.course_id, (changed, 0))[1] + 1
        self.catalog.courses[changed.course_id] = (changed, sequence)
        if heard:
            self.hear((changed, sequence))
        return changed

    def hear(self, *events: tuple[CourseChanged, int]) -> None:
        with self.database.unit_of_work() as unit_of_work:
            handlers.keep_outlines(unit_of_work, events)

    def student_of(self, changed: CourseChanged) -> UUID:
        user_id = uuid4()
        self.enroll(user_id, changed)
        return user_id

    def enroll(self, user_id: UUID, changed: CourseChanged) -> UUID:
        return self.grant(user_id, changed, "free")

    def access(self, user_id: UUID, course_id: UUID, role: str = "student") -> handlers.CourseAccess:
        return handlers.check_course_access(self.database, self.copies, user_id, course_id, role)

    def open(self, user_id: UUID, lesson_id: UUID, role: str = "student") -> handlers.OpenedLesson:
        return handlers.open_lesson(self.database, self.copies, user_id, lesson_id, role, self.now)

    def complete(
        self, user_id: UUID, lesson_id: UUID, role: str = "student", at: datetime | None = None
    ) -> handlers.FinishedLesson:
        return handlers.mark_lesson_as_completed(
            self.database, self.copies, user_id, lesson_id, role, "Europe/Paris", at or self.now
        )

    def progress(self, user_id: UUID, changed: CourseChanged, role: str = "student") -> queries.CourseProgress:
        return handlers.get_user_progress(self.database, self.copies, user_id, changed.course_id, role)

    def next(self, user_id: UUID, lesson_id: UUID, role: str = "student") -> handlers.Route:
        return handlers.get_next_lesson(self.database, self.copies, user_id, lesson_id, role)

    def report(
        self, user_id: UUID, lesson_id: UUID, seconds: float, at: datetime | None = None, time_zone: str = "UTC"
    ) -> None:
        handlers.set_lesson_position(
            self.database, self.copies, user_id, lesson_id, seconds, "student", time_zone, at or self.now
        )

    def settle(self) -> None:
        completion.settle(self.database, self.outlines, self.now)

    def grant(
        self, user_id: UUID, changed: CourseChanged, source: Source, *, live: bool = True, heard: bool = True
    ) -> UUID:
        """Let purchase give someone a right; its event arrives unless `heard` says that it is still on its way."""
        granted = EntitlementChanged(
            entitlement_id=uuid4(),
            user_id=user_id,
            course_id=changed.course_id,
            source=source,
            live=live,
            granted_at=self.now,
            ended_at=None if live else self.now,
        )
        self.purchase.entitlements[granted.entitlement_id] = (granted, 1)
        if heard:
            self.hear_rights((granted, 1))
        return granted.entitlement_id

    def set_live(self, entitlement_id: UUID, live: bool, *, heard: bool = True) -> None:
        """Let purchase end a right, or let it live again."""
        known, sequence = self.purchase.entitlements[entitlement_id]
        changed = msgspec.structs.replace(known, live=live, ended_at=None if live else self.now)
        self.purchase.entitlements[entitlement_id] = (changed, sequence + 1)
        if heard:
            self.hear_rights((changed, sequence + 1))

    def hear_rights(self, *events: tuple[EntitlementChanged, int]) -> None:
        with self.database.unit_of_work() as unit_of_work:
            keep_entitlements(unit_of_work.connection, events)

    def execute(self, statement: str, **values: Any) -> Any:
        with self.database.unit_of_work() as unit_of_work:
            result = unit_of_work.connection.execute(text(statement), values)
            return result.all() if result.returns_rows else None

    def told(self, kind: type[T]) -> list[T]:
        """The events of this type in the outbox, as their consumers would read them."""
        assert issubclass(kind, Event)
        rows = self.execute("select data::text from outbox where type = :type order by position", type=kind.type)
        return [msgspec.json.decode(row.data, type=kind) for row in rows]

    def lessons_told(self) -> list[LessonCompleted]:
        return self.told(LessonCompleted)

    def courses_told(self) -> list[CourseCompleted]:
        return self.told(CourseCompleted)

    def days_told(self) -> list[DayStudied]:
        return self.told(DayStudied)

    def counter(self, user_id: UUID, changed: CourseChanged) -> int:
        rows = self.execute(
            "select completed_lessons from enrollments where user_id = :user_id and course_id = :course_id",
            user_id=user_id,
            course_id=changed.course_id,
        )
        return int(rows[0].completed_lessons)


def at_once(*actions: Callable[[], T]) -> list[T]:
    """Run the actions on a real thread each, released together; their results, or the first error."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], T]) -> T:
        barrier.wait(10)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))
