"""A catalog as its authors and readers meet it, without the bus."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import text
from sqlalchemy.engine import Connection

from chassis.database import Database, UnitOfWork
from contracts.errors import Invalid, ServiceError
from contracts.events import BY_TYPE
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged, QuizChanged
from services.catalog import handlers
from services.catalog.answers import Chapter, Course, Lesson
from services.catalog.commands import Question
from services.catalog.domain.access import Viewer
from services.catalog.domain.courses import CourseFields, LessonFields

P = ParamSpec("P")
T = TypeVar("T")

QUESTIONS = (Question("Que veut dire HTML ?", ("Un langage", "Un fruit"), 0),)
VTT = "WEBVTT\n\n00:01.000 --> 00:02.000\nBonjour\n\n00:03.000 --> 00:04.500\nOn commence\n"


@dataclass(frozen=True)
class Told:
    """An event in the outbox."""

    sequence: int
    event: Event


class Catalogue:
    """The use cases and reads, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.author_id = uuid4()
        self.author = Viewer(self.author_id, "instructor")

    def do(self, handler: Callable[Concatenate[UnitOfWork, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a use case answers, committed."""
        with self.database.unit_of_work() as unit_of_work:
            return handler(unit_of_work, *args, **kwargs)

    def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a read answers."""
        with self.database.single_statement() as unit_of_work:
            return query(unit_of_work.connection, *args, **kwargs)

    def course(self, author: Viewer | None = None, slug: str | None = None, **changes: Any) -> Course:
        """A new draft."""
        return self.do(handlers.create_course, author or self.author, course_fields(**changes), slug)

    def chapter(self, course: Course, title: str = "Un chapitre") -> Chapter:
        """A new chapter of the author's course."""
        return self.do(handlers.create_chapter, self.author, course.id, title)

    def lesson(self, chapter: Chapter, **changes: Any) -> Lesson:
        """A new lesson of the author's chapter."""
        return self.do(handlers.create_lesson, self.author, chapter.id, lesson_fields(**changes))

    def published(self, *, lessons: int = 1, **changes: Any) -> Course:
        """A published course with one chapter."""
        course = self.course(**changes)
        chapter = self.chapter(course)
        for number in range(lessons):
            self.lesson(chapter, title=f"Leçon {number + 1}")
        return self.do(handlers.publish_course, self.author, course.id)

    def told(self) -> list[Told]:
        """The events told so far, in their order."""
        with self.database.single_statement() as unit_of_work:
            rows = unit_of_work.connection.execute(
                text("select sequence, type, data::text as data from outbox order by position")
            ).all()
        return [Told(row.sequence, msgspec.json.decode(row.data, type=BY_TYPE[row.type])) for row in rows]

    def course_events(self, course_id: UUID) -> list[Told]:
        """What was told of a course."""
        return [
            told for told in self.told() if isinstance(told.event, CourseChanged) and told.event.course_id == course_id
        ]

    def quiz_events(self, chapter_id: UUID) -> list[Told]:
        """What was told of a chapter's quiz."""
        return [
            told for told in self.told() if isinstance(told.event, QuizChanged) and told.event.chapter_id == chapter_id
        ]

    def execute(self, statement: str, **parameters: Any) -> None:
        """Change the tables directly, as other parts of the academy will."""
        with self.database.unit_of_work() as unit_of_work:
            unit_of_work.connection.execute(text(statement), parameters)


def course_fields(**changes: Any) -> CourseFields:
    """A free course's fields, changed."""
    values: dict[str, Any] = {
        "title": "Ton premier site",
        "subtitle": "",
        "description": "",
        "category": "dev-web",
        "level": "beginner",
        "language": "fr",
        "cover_url": None,
        "price_amount": 0,
        "price_currency": "EUR",
        "unlock_streak_days": None,
        "practical": False,
    }
    return CourseFields(**(values | changes))


def lesson_fields(**changes: Any) -> LessonFields:
    """A text lesson's fields, changed."""
    values: dict[str, Any] = {
        "title": "Une leçon",
        "kind": "text",
        "body": "Le texte de la leçon.",
        "duration_seconds": 60,
        "free_preview": False,
        "project_brief": None,
    }
    return LessonFields(**(values | changes))


def refused(work: Callable[[], object]) -> list[tuple[str, str]]:
    """Pointer and code of each field that the work is refused for; empty when it is done."""
    try:
        work()
    except Invalid as error:
        return [(field.pointer, field.code) for field in error.errors]
    return []


def answer_of(work: Callable[[], object]) -> str:
    """The problem that the work ends in, `ok` when it ends well."""
    try:
        work()
    except ServiceError as error:
        return error.problem
    return "ok"


def at_once(works: Sequence[Callable[[], T]]) -> list[T | ServiceError]:
    """What each work answers when threads do all of them at the same time."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], T]) -> T | ServiceError:
        barrier.wait(10)
        try:
            return work()
        except ServiceError as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
