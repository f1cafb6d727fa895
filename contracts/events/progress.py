"""Events of the students' progress."""

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from contracts.events.base import Event, Instant

Access = Literal["purchase", "free", "gift", "unlock", "author", "admin", "preview"]


class LessonCompleted(Event, frozen=True):
    """A student finished a lesson for the first time; told once per student and lesson.

    `access` is why the student may see the course (an author or admin is told as such, whatever they also own);
    `time_zone` is the student's (IANA) at that moment; `hasty` means faster than the lesson can be looked at.
    """

    type: ClassVar[str] = "progress.lesson_completed.v1"
    user_id: UUID
    course_id: UUID
    lesson_id: UUID
    completed_at: Instant
    time_zone: str
    access: Access
    hasty: bool

    def partition_key(self) -> str:
        return str(self.user_id)


class CourseCompleted(Event, frozen=True):
    """A student finished every lesson of a course; told once per student and course, whatever is added later."""

    type: ClassVar[str] = "progress.course_completed.v1"
    user_id: UUID
    course_id: UUID
    completed_at: Instant
    time_zone: str
    access: Access
    lessons: int

    def partition_key(self) -> str:
        return str(self.user_id)


class FreeEntitlementGranted(Event, frozen=True):
    """A right to a free course, from before purchase owned rights; told once, by the migration that gave them to it."""

    type: ClassVar[str] = "progress.free_entitlement_granted.v1"
    entitlement_id: UUID
    user_id: UUID
    course_id: UUID
    granted_at: Instant

    def partition_key(self) -> str:
        return str(self.entitlement_id)


class DayStudied(Event, frozen=True):
    """A student advanced at least five minutes in lessons on one local day; told once per student and local date."""

    type: ClassVar[str] = "progress.day_studied.v1"
    user_id: UUID
    local_date: date
    time_zone: str
    studied_at: Instant

    def partition_key(self) -> str:
        return str(self.user_id)
