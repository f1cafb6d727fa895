"""The copy of catalog's quizzes: what is heard from its events, or asked of it before a refusal."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.database import Database
from chassis.rpc_client import Caller
from contracts.errors import NotFound
from contracts.events.catalog import CourseChanged, QuizChanged, QuizQuestion
from services.gamification.courses import keep_courses
from services.gamification.tables import chapter_copies, course_copies, quiz_copies

ANSWER_SECONDS = 1.0


@dataclass(frozen=True)
class ChapterWithQuiz:
    """A chapter, the course that it is in, and its quiz, which may have no questions."""

    chapter_id: UUID
    title: str
    course_id: UUID
    course_slug: str
    course_title: str
    course_status: str
    time_limit_seconds: int
    questions: tuple[QuizQuestion, ...]


class _ChapterState(msgspec.Struct, frozen=True):
    sequence: int
    course: CourseChanged
    quiz: QuizChanged


class Chapters:
    """Chapters as our copies know them. Never used inside a unit of work: it may call catalog."""

    def __init__(self, database: Database, rpc: Caller) -> None:
        self._database = database
        self._rpc = rpc

    def with_quiz(self, chapter_id: UUID) -> ChapterWithQuiz | None:
        """The chapter, or None when there is none. That it is not there, or has no quiz, is as catalog says.

        Raises `Unavailable` when catalog is silent and our copies would say no.
        """
        found = self._find(chapter_id)
        if found is None or not found.questions:
            self._refresh(chapter_id)
            found = self._find(chapter_id)
        return found

    def published(self, chapter_id: UUID) -> ChapterWithQuiz | None:
        """The chapter if everybody may know of it; that they may not is as catalog says. Raises as `with_quiz`."""
        found = self._find(chapter_id)
        if found is None or found.course_status != "published":
            self._refresh(chapter_id)
            found = self._find(chapter_id)
        return found if found is not None and found.course_status == "published" else None

    def _find(self, chapter_id: UUID) -> ChapterWithQuiz | None:
        with self._database.single_statement() as unit_of_work:
            row = unit_of_work.connection.execute(_chapter(chapter_id)).one_or_none()
        if row is None:
            return None
        questions = msgspec.convert(row.questions or (), tuple[QuizQuestion, ...])
        return ChapterWithQuiz(
            row.chapter_id,
            row.chapter_title,
            row.course_id,
            row.slug,
            row.course_title,
            row.status,
            row.time_limit_seconds or 0,
            questions,
        )

    def _refresh(self, chapter_id: UUID) -> None:
        try:
            answer: Any = self._rpc.call("catalog", "get_chapter_state", deadline=ANSWER_SECONDS, chapter_id=chapter_id)
        except NotFound:
            return
        state = msgspec.convert(answer, _ChapterState)
        with self._database.unit_of_work() as unit_of_work:
            keep_courses(unit_of_work.connection, [(state.course, state.sequence)])
            keep_quizzes(unit_of_work.connection, [(state.quiz, state.sequence)])


def keep_quizzes(connection: Connection, heard: Iterable[tuple[QuizChanged, int]]) -> None:
    """Copy the newest state heard of each quiz, rows locked by their ids; an older one changes nothing."""
    newest: dict[UUID, tuple[QuizChanged, int]] = {}
    for quiz, sequence in heard:
        if quiz.chapter_id not in newest or newest[quiz.chapter_id][1] < sequence:
            newest[quiz.chapter_id] = (quiz, sequence)
    if not newest:
        return
    statement = insert(quiz_copies).values(
        [
            {
                "chapter_id": quiz.chapter_id,
                "sequence": sequence,
                "time_limit_seconds": quiz.time_limit_seconds,
                "questions": msgspec.to_builtins(quiz.questions),
            }
            for _, (quiz, sequence) in sorted(newest.items())
        ]
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["chapter_id"],
            set_={column.name: statement.excluded[column.name] for column in quiz_copies.columns},
            where=quiz_copies.c.sequence < statement.excluded.sequence,
        )
    )


def _chapter(chapter_id: UUID) -> Select[Any]:
    return (
        select(
            chapter_copies.c.chapter_id,
            chapter_copies.c.title.label("chapter_title"),
            course_copies.c.course_id,
            course_copies.c.slug,
            course_copies.c.title.label("course_title"),
            course_copies.c.status,
            quiz_copies.c.time_limit_seconds,
            quiz_copies.c.questions,
        )
        .join(course_copies, course_copies.c.course_id == chapter_copies.c.course_id)
        .outerjoin(quiz_copies, quiz_copies.c.chapter_id == chapter_copies.c.chapter_id)
        .where(chapter_copies.c.chapter_id == chapter_id)
    )
