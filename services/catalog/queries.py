"""The catalog's reads: one statement per table, whatever the size of a course."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Column, ColumnElement, Row, Select, and_, exists, func, select, tuple_
from sqlalchemy.engine import Connection

from contracts import events
from contracts.errors import Forbidden, NotFound
from contracts.events.catalog import CourseChanged, Money, QuizChanged, Unlock
from services.catalog import formats
from services.catalog.answers import (
    Category,
    Chapter,
    ChapterLesson,
    ChapterState,
    Course,
    CoursePage,
    CourseState,
    CourseSummary,
    Lesson,
    Outline,
    OutlineChapter,
    OutlineLesson,
    Quiz,
    QuizQuestion,
)
from services.catalog.domain.access import Viewer, may_see_content, may_see_course
from services.catalog.domain.refusals import Refusal, check_number
from services.catalog.domain.seo import CourseFacts, course_seo
from services.catalog.domain.slugs import is_slug
from services.catalog.errors import refuse
from services.catalog.tables import categories, chapters, course_slugs, courses, lessons, quizzes, transcripts

LIMIT = (1, 100)
SEARCH_WORDS = 10
SEARCH_CHARACTERS = 200

_has_quiz = exists().where(quizzes.c.chapter_id == chapters.c.id).label("has_quiz")


def get_categories(connection: Connection) -> tuple[Category, ...]:
    """All categories by name."""
    published = and_(courses.c.category == categories.c.slug, courses.c.status == "published")
    rows = connection.execute(
        select(categories.c.slug, categories.c.name, func.count(courses.c.id))
        .select_from(categories.outerjoin(courses, published))
        .group_by(categories.c.slug)
        .order_by(categories.c.name)
    )
    return tuple(Category(*row) for row in rows)


def get_published_courses(
    connection: Connection,
    *,
    category: str | None = None,
    q: str | None = None,
    level: str | None = None,
    limit: int = 20,
    cursor: str | None = None,
) -> CoursePage:
    """The published courses, newest first. Raises `Invalid` for a bad limit or cursor."""
    wanted: list[ColumnElement[bool]] = [courses.c.status == "published"]
    if category is not None:
        if not is_slug(category):
            return CoursePage((), None)
        wanted.append(courses.c.category == category)
    if level is not None:
        wanted.append(courses.c.level == level)
    words = formats.searchable((q or "")[:SEARCH_CHARACTERS]).split()[:SEARCH_WORDS]
    wanted.extend(courses.c.search.contains(word, autoescape=True) for word in words)
    rows, next_cursor = _page(connection, select(*_SUMMARY), wanted, courses.c.published_at, limit, cursor)
    totals = _totals(connection, [row.id for row in rows])
    return CoursePage(tuple(CourseSummary(**_summary(row, totals)) for row in rows), next_cursor)


def get_instructor_courses(
    connection: Connection, instructor_id: UUID, *, limit: int = 20, cursor: str | None = None
) -> CoursePage:
    """All courses of an instructor, drafts included, newest first. Raises `Invalid` for a bad limit or cursor."""
    wanted = [courses.c.instructor_id == instructor_id, courses.c.status != "deleted"]
    rows, next_cursor = _page(connection, select(courses), wanted, courses.c.created_at, limit, cursor)
    totals = _totals(connection, [row.id for row in rows])
    return CoursePage(tuple(_course(row, totals) for row in rows), next_cursor)


def get_courses(connection: Connection, course_ids: Sequence[UUID]) -> tuple[CourseSummary, ...]:
    """Those of the courses that there are, each once and in any order, whatever their status unless it is deleted."""
    found: Select[Any] = (
        select(
            *_SUMMARY,
            func.count(lessons.c.id).label("number"),
            func.coalesce(func.sum(lessons.c.duration_seconds), 0).label("seconds"),
        )
        .select_from(courses.outerjoin(lessons, lessons.c.course_id == courses.c.id))
        .where(courses.c.id.in_(course_ids), courses.c.status != "deleted")
        .group_by(courses.c.id)
    )
    rows = connection.execute(found)
    return tuple(CourseSummary(**_summary(row, {row.id: (row.number, int(row.seconds))})) for row in rows)


def get_course(connection: Connection, course_id: UUID, viewer: Viewer) -> Course:
    """A course by its id. Raises `NotFound` also for what the viewer may not know."""
    row = _visible(connection, select(courses).where(courses.c.id == course_id), viewer)
    return _course(row, _totals(connection, [row.id]))


def get_course_by_slug(connection: Connection, slug: str, viewer: Viewer) -> Course:
    """A course by its slug or one that it had (`moved_to` is then set). Raises `NotFound` as `get_course`."""
    if not is_slug(slug):
        raise NotFound
    found = select(courses).join(course_slugs, course_slugs.c.course_id == courses.c.id)
    row = _visible(connection, found.where(course_slugs.c.slug == slug), viewer)
    return _course(row, _totals(connection, [row.id]), moved_to=None if row.slug == slug else row.slug)


def get_course_with_chapters(connection: Connection, course_id: UUID, viewer: Viewer) -> Outline:
    """The outline of a course. Raises `NotFound` as `get_course`."""
    _visible(connection, select(courses.c.id, *_SIGHT).where(courses.c.id == course_id), viewer)
    return Outline(course_id, _outline(connection, course_id))


def get_chapter(connection: Connection, chapter_id: UUID, viewer: Viewer) -> Chapter:
    """A chapter with its lessons; bodies only where the viewer may see them. Raises `NotFound` as `get_course`."""
    found = select(chapters, *_SIGHT, _has_quiz).join(courses, courses.c.id == chapters.c.course_id)
    row = _visible(connection, found.where(chapters.c.id == chapter_id), viewer)
    rows = connection.execute(
        select(lessons).where(lessons.c.chapter_id == chapter_id).order_by(lessons.c.position)
    ).all()
    return Chapter(
        id=row.id,
        course_id=row.course_id,
        status=row.status,
        title=row.title,
        position=row.position,
        has_quiz=row.has_quiz,
        lessons=tuple(
            _chapter_lesson(
                lesson, may_see_content(row.status, row.instructor_id, viewer, free_preview=lesson.free_preview)
            )
            for lesson in rows
        ),
    )


def get_lesson(connection: Connection, lesson_id: UUID, viewer: Viewer) -> Lesson:
    """A whole lesson. Raises `NotFound`, and `Forbidden("purchase-required")` when it is known but not to be seen."""
    row = _readable_lesson(connection, select(lessons, *_SIGHT), lesson_id, viewer)
    return Lesson(**_fields(Lesson, row))


def get_transcript(connection: Connection, lesson_id: UUID, viewer: Viewer) -> str:
    """A lesson's transcript as it was given. Raises as `get_lesson`, and `NotFound` when there is none."""
    found = select(lessons.c.free_preview, *_SIGHT, transcripts.c.vtt).outerjoin(
        transcripts, transcripts.c.lesson_id == lessons.c.id
    )
    vtt: str | None = _readable_lesson(connection, found, lesson_id, viewer).vtt
    if vtt is None:
        raise NotFound
    return vtt


def get_quiz(connection: Connection, chapter_id: UUID) -> Quiz:
    """A chapter's quiz with its answers. Raises `NotFound` when it has none."""
    row = connection.execute(select(quizzes).where(quizzes.c.chapter_id == chapter_id)).one_or_none()
    if row is None:
        raise NotFound
    questions = tuple(QuizQuestion(q["text"], tuple(q["choices"]), q["answer"]) for q in row.questions)
    return Quiz(row.chapter_id, row.time_limit_seconds, questions)


def get_outline(connection: Connection, *, course_id: UUID | None = None, lesson_id: UUID | None = None) -> CourseState:
    """The present state of a course, deleted or not, by its id or one of its lessons'. Raises `NotFound`."""
    found = select(courses)
    if course_id is not None:
        found = found.where(courses.c.id == course_id)
    else:
        found = found.join(lessons, lessons.c.course_id == courses.c.id).where(lessons.c.id == lesson_id)
    row = connection.execute(found).one_or_none()
    if row is None:
        raise NotFound
    return CourseState(row.version, course_changed(connection, row))


def get_chapter_state(connection: Connection, chapter_id: UUID) -> ChapterState:
    """The present state of a chapter's course and of its quiz, which has no questions when there is none.

    Raises `NotFound`.
    """
    row = connection.execute(
        select(courses).join(chapters, chapters.c.course_id == courses.c.id).where(chapters.c.id == chapter_id)
    ).one_or_none()
    if row is None:
        raise NotFound
    quiz = connection.execute(select(quizzes).where(quizzes.c.chapter_id == chapter_id)).one_or_none()
    questions = msgspec.convert(() if quiz is None else quiz.questions, tuple[events.catalog.QuizQuestion, ...])
    told = QuizChanged(
        chapter_id=chapter_id,
        course_id=row.id,
        time_limit_seconds=0 if quiz is None else quiz.time_limit_seconds,
        questions=questions,
    )
    # a quiz is told with the version that its course then has
    return ChapterState(row.version, course_changed(connection, row), told)


def course_changed(connection: Connection, row: Row[Any]) -> CourseChanged:
    """The event that tells the whole state of the course in this row, with its outline."""
    return CourseChanged(
        course_id=row.id,
        slug=row.slug or "",
        title=row.title,
        instructor_id=row.instructor_id,
        status=row.status,
        category=row.category,
        price=Money(row.price_amount, row.price_currency),
        practical=row.practical,
        unlock=_unlock(row),
        published_at=row.published_at,
        chapters=tuple(
            events.catalog.OutlineChapter(
                chapter.id,
                chapter.title,
                chapter.has_quiz,
                tuple(
                    events.catalog.OutlineLesson(
                        lesson.id, lesson.title, lesson.kind, lesson.duration_seconds, lesson.free_preview
                    )
                    for lesson in chapter.lessons
                ),
            )
            for chapter in _outline(connection, row.id)
        ),
    )


_SUMMARY = tuple(column for column in courses.c if column.name not in ("description", "excerpt", "search"))
_SIGHT = (courses.c.status, courses.c.instructor_id)


def _visible(connection: Connection, found: Select[Any], viewer: Viewer) -> Row[Any]:
    row = connection.execute(found).one_or_none()
    if row is None or not may_see_course(row.status, row.instructor_id, viewer):
        raise NotFound
    return row


def _readable_lesson(connection: Connection, found: Select[Any], lesson_id: UUID, viewer: Viewer) -> Row[Any]:
    found = found.join(courses, courses.c.id == lessons.c.course_id).where(lessons.c.id == lesson_id)
    row = _visible(connection, found, viewer)
    if not may_see_content(row.status, row.instructor_id, viewer, free_preview=row.free_preview):
        raise Forbidden("purchase-required")
    return row


def _outline(connection: Connection, course_id: UUID) -> tuple[OutlineChapter, ...]:
    """Chapters and lessons in one statement, so that they are of one moment."""
    rows = connection.execute(
        select(
            chapters.c.id.label("chapter_id"),
            chapters.c.title.label("chapter_title"),
            chapters.c.position.label("chapter_position"),
            _has_quiz,
            *(lessons.c[name] for name in OutlineLesson.__struct_fields__),
        )
        .select_from(chapters.outerjoin(lessons, lessons.c.chapter_id == chapters.c.id))
        .where(chapters.c.course_id == course_id)
        .order_by(chapters.c.position, lessons.c.position)
    ).all()
    return tuple(_outline_chapter(tuple(group)) for _, group in groupby(rows, key=lambda row: row.chapter_id))


def _outline_chapter(rows: Sequence[Row[Any]]) -> OutlineChapter:
    first = rows[0]
    return OutlineChapter(
        id=first.chapter_id,
        title=first.chapter_title,
        position=first.chapter_position,
        has_quiz=first.has_quiz,
        lessons=tuple(OutlineLesson(**_fields(OutlineLesson, row)) for row in rows if row.id is not None),
    )


def _chapter_lesson(row: Row[Any], readable: bool) -> ChapterLesson:
    hidden = {} if readable else {"body": None, "video_id": None}
    return ChapterLesson(**_fields(ChapterLesson, row) | hidden)


def _fields(kind: type[msgspec.Struct], row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in kind.__struct_fields__}


def _totals(connection: Connection, course_ids: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Of each course that has lessons: their number and the sum of their seconds."""
    rows = connection.execute(
        select(lessons.c.course_id, func.count(), func.sum(lessons.c.duration_seconds))
        .where(lessons.c.course_id.in_(course_ids))
        .group_by(lessons.c.course_id)
    )
    return {course_id: (number, int(seconds)) for course_id, number, seconds in rows}


def _unlock(row: Row[Any]) -> Unlock | None:
    return None if row.unlock_streak_days is None else Unlock(row.unlock_streak_days)


def _summary(row: Row[Any], totals: dict[UUID, tuple[int, int]]) -> dict[str, Any]:
    number, seconds = totals.get(row.id, (0, 0))
    return {
        "id": row.id,
        "slug": row.slug,
        "title": row.title,
        "subtitle": row.subtitle,
        "category": row.category,
        "level": row.level,
        "language": row.language,
        "cover_url": row.cover_url,
        "price": Money(row.price_amount, row.price_currency),
        "instructor_id": row.instructor_id,
        "lessons": number,
        "duration_seconds": seconds,
        "published_at": row.published_at,
        "status": row.status,
        "practical": row.practical,
        "unlock": _unlock(row),
    }


def _course(row: Row[Any], totals: dict[UUID, tuple[int, int]], moved_to: str | None = None) -> Course:
    summary = _summary(row, totals)
    facts = CourseFacts(
        slug=row.slug,
        title=row.title,
        description=row.subtitle or row.excerpt,
        language=row.language,
        level=row.level,
        cover_url=row.cover_url,
        price=formats.decimal_amount(row.price_amount, row.price_currency),
        currency=row.price_currency,
        is_free=row.price_amount == 0,
        is_bonus=row.unlock_streak_days is not None,
        duration_seconds=summary["duration_seconds"],
    )
    return Course(**summary, description=row.description, seo=course_seo(facts), moved_to=moved_to)


def _page(
    connection: Connection,
    found: Select[Any],
    wanted: list[ColumnElement[bool]],
    newest_by: Column[datetime],
    limit: int,
    cursor: str | None,
) -> tuple[Sequence[Row[Any]], str | None]:
    """A page of courses after the cursor, newest first, and the cursor of the next page."""
    refuse(*check_number("/limit", limit, *LIMIT))
    if cursor is not None:
        wanted = [*wanted, tuple_(newest_by, courses.c.id) < tuple_(*_read_cursor(cursor))]
    rows = connection.execute(
        found.where(*wanted).order_by(newest_by.desc(), courses.c.id.desc()).limit(limit + 1)
    ).all()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], _write_cursor(getattr(last, newest_by.name), last.id)


def _write_cursor(at: datetime, course_id: UUID) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), str(course_id)]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """What `_write_cursor` wrote. Raises `Invalid` for anything else."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        at_text, id_text = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        at, course_id = datetime.fromisoformat(at_text), UUID(id_text)
        if at.utcoffset() is None:
            raise ValueError(at_text)
    except (binascii.Error, ValueError, TypeError, AttributeError, RecursionError):
        refuse(Refusal("/cursor", "bad-cursor"))
        raise
    return at, course_id
