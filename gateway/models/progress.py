"""Progress on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from gateway.schemas import In, Out


class Position(In):
    """How far a student is in a lesson."""

    seconds: float = Field(ge=0, le=24 * 3600)


class LessonProgress(Out):
    """What a student did with a lesson."""

    id: UUID
    completed_at: datetime | None
    position_seconds: float


class CourseProgress(Out):
    """How far a student is in a course; `completed_at` stays when lessons are added later."""

    course_id: UUID
    completed_lessons: int
    total_lessons: int
    percent: int = Field(ge=0, le=100)
    lessons: list[LessonProgress]
    next_lesson_id: UUID | None
    completed_at: datetime | None


class Completion(Out):
    """A finished lesson; the same `completed_at` however often it is asked."""

    lesson_id: UUID
    course_id: UUID
    completed_at: datetime
    first_time: bool
    percent: int = Field(ge=0, le=100)
    next_lesson_id: UUID | None
    course_completed: bool


class NextLesson(Out):
    """A lesson to go to."""

    id: UUID
    title: str
    chapter_id: UUID


class Next(Out):
    """Where to go on; null at the end of the course."""

    lesson: NextLesson | None
    course_completed: bool
