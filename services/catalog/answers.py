"""What the catalog answers."""

from datetime import datetime
from uuid import UUID

import msgspec

from contracts.events.catalog import CourseChanged, CourseStatus, LessonKind, Money, QuizChanged, Unlock
from services.catalog.domain.seo import Seo


class Category(msgspec.Struct, frozen=True):
    """A category; `courses` counts the published ones."""

    slug: str
    name: str
    courses: int = 0


class CourseSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A course in a list; `lessons` is their number, `duration_seconds` their sum."""

    id: UUID
    slug: str
    title: str
    subtitle: str
    category: str
    level: str
    language: str
    cover_url: str | None
    price: Money
    instructor_id: UUID
    lessons: int
    duration_seconds: int
    published_at: datetime | None
    status: CourseStatus
    practical: bool
    unlock: Unlock | None


class Course(CourseSummary, frozen=True, kw_only=True):
    """A whole course; `moved_to` is its present slug when it was asked for by an old one."""

    description: str
    seo: Seo
    moved_to: str | None = None


class CoursePage(msgspec.Struct, frozen=True):
    """A page of a list of courses."""

    items: tuple[CourseSummary, ...]
    next_cursor: str | None


class OutlineLesson(msgspec.Struct, frozen=True, kw_only=True):
    """A lesson in an outline; positions begin at 1."""

    id: UUID
    title: str
    position: int
    kind: LessonKind
    duration_seconds: int
    free_preview: bool


class OutlineChapter(msgspec.Struct, frozen=True, kw_only=True):
    """A chapter in an outline."""

    id: UUID
    title: str
    position: int
    has_quiz: bool
    lessons: tuple[OutlineLesson, ...]


class Outline(msgspec.Struct, frozen=True):
    """A course's chapters and lessons in their order."""

    course_id: UUID
    chapters: tuple[OutlineChapter, ...]


class ChapterLesson(OutlineLesson, frozen=True, kw_only=True):
    """A lesson in its chapter; `body` and `video_id` are null for those who may not see them."""

    body: str | None
    video_id: UUID | None


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """A chapter with its lessons; `status` is its course's."""

    id: UUID
    course_id: UUID
    status: CourseStatus
    title: str
    position: int
    has_quiz: bool
    lessons: tuple[ChapterLesson, ...]


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """A whole lesson."""

    id: UUID
    chapter_id: UUID
    course_id: UUID
    title: str
    kind: LessonKind
    body: str
    video_id: UUID | None
    duration_seconds: int
    free_preview: bool
    project_brief: str | None


class QuizQuestion(msgspec.Struct, frozen=True):
    """A question; `answer` is the index of the right choice."""

    text: str
    choices: tuple[str, ...]
    answer: int


class Quiz(msgspec.Struct, frozen=True):
    """A chapter's quiz, with its answers: for authors only. The time limit is per question."""

    chapter_id: UUID
    time_limit_seconds: int
    questions: tuple[QuizQuestion, ...]


class CourseState(msgspec.Struct, frozen=True):
    """A course as `catalog.course_changed.v1` tells it, and the sequence of that event."""

    sequence: int
    course: CourseChanged


class ChapterState(msgspec.Struct, frozen=True):
    """A chapter's course and quiz as their events tell them, and the sequence that both may be copied with."""

    sequence: int
    course: CourseChanged
    quiz: QuizChanged
