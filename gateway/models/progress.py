"""Progress, access and enrollments on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from gateway.models.catalog import CourseSummary, Url
from gateway.schemas import In, Line, Out

Reason = Literal["purchase", "free", "gift", "unlock", "author", "admin", "none"]
Source = Literal["purchase", "free", "gift", "unlock"]


class Position(In):
    """How far a student is in a lesson."""

    seconds: float = Field(ge=0, le=24 * 3600)


class Checkout(In):
    """A course to be taken; the addresses lie within the front end's origins."""

    success_url: Url | None = None
    cancel_url: Url | None = None
    withdrawal_waiver: bool = False
    ref: Annotated[Line, Field(min_length=1, max_length=100)] | None = None


class CheckoutOut(Out):
    """Where to pay; all null when nothing is to be paid and access is there at once."""

    order_id: UUID | None
    session_id: str | None
    checkout_url: str | None


class Access(Out):
    """Whether and why someone may see a course."""

    has_access: bool
    reason: Reason


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


class Enrollment(Out):
    """A course that someone holds, and how far they are in it."""

    course: CourseSummary
    enrolled_at: datetime
    source: Source
    percent: int = Field(ge=0, le=100)
    next_lesson_id: UUID | None
    completed_at: datetime | None


class Enrollments(Out):
    """A page of someone's courses."""

    items: list[Enrollment]
    next_cursor: str | None
