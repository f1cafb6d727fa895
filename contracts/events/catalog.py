"""Events of the catalog."""

from typing import ClassVar, Literal
from uuid import UUID

import msgspec

from contracts.events.base import Event, Instant

CourseStatus = Literal["draft", "published", "unpublished", "archived", "deleted"]
LessonKind = Literal["video", "text", "project"]


class Money(msgspec.Struct, frozen=True):
    """An amount in the smallest unit of an ISO 4217 currency."""

    amount: int
    currency: str


class Unlock(msgspec.Struct, frozen=True):
    """What opens a bonus course: a streak of so many days."""

    streak_days: int


class OutlineLesson(msgspec.Struct, frozen=True):
    """A lesson as others may know it, without its body."""

    id: UUID
    title: str
    kind: LessonKind
    duration_seconds: int
    free_preview: bool


class OutlineChapter(msgspec.Struct, frozen=True):
    """A chapter with its lessons in their order."""

    id: UUID
    title: str
    has_quiz: bool
    lessons: tuple[OutlineLesson, ...] = ()


class CourseChanged(Event, frozen=True):
    """The whole state of a course and its outline, chapters in their order; a copy ignores an older `sequence`.

    `status` "deleted" is a tombstone (only drafts are deleted). `published_at` is the first publication.
    """

    type: ClassVar[str] = "catalog.course_changed.v1"
    course_id: UUID
    slug: str
    title: str
    instructor_id: UUID
    status: CourseStatus
    category: str
    price: Money
    practical: bool
    unlock: Unlock | None = None
    published_at: Instant | None = None
    chapters: tuple[OutlineChapter, ...] = ()

    def partition_key(self) -> str:
        return str(self.course_id)


class QuizQuestion(msgspec.Struct, frozen=True):
    """A question; `answer` is the index of the right choice."""

    text: str
    choices: tuple[str, ...]
    answer: int


class QuizChanged(Event, frozen=True):
    """The whole state of a chapter's quiz; no questions means that it has none (any more)."""

    type: ClassVar[str] = "catalog.quiz_changed.v1"
    chapter_id: UUID
    course_id: UUID
    time_limit_seconds: int
    questions: tuple[QuizQuestion, ...] = ()

    def partition_key(self) -> str:
        return str(self.chapter_id)
