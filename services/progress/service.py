"""Progress on the bus."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from chassis.clock import now
from chassis.database import UnitOfWork
from chassis.service import Delivery, Service, consumes, every, rpc
from contracts import topology
from contracts.errors import Forbidden
from contracts.events.accounts import Role
from contracts.events.base import Instant
from contracts.events.catalog import CourseChanged
from contracts.events.purchase import EntitlementChanged
from services.progress import completion, handlers, queries
from services.progress.entitlements import Entitlements, keep_entitlements
from services.progress.outlines import Outlines

SETTLE_SECONDS = 1


class ProgressService(Service):
    """Which student may learn what, and how far each has come."""

    name = "progress"

    @property
    def copies(self) -> handlers.Copies:
        """The copies of catalog's outlines and of purchase's entitlements."""
        return handlers.Copies(Outlines(self.database, self.rpc), Entitlements(self.database, self.rpc))

    @rpc
    def check_course_access(self, user_id: UUID, course_id: UUID, role: Role = "student") -> handlers.CourseAccess:
        """Whether and why someone may see a course that they may know of."""
        return handlers.check_course_access(self.database, self.copies, user_id, course_id, role)

    @rpc
    def get_those_with_access(
        self, course_id: UUID, user_ids: Annotated[tuple[UUID, ...], Meta(max_length=200)]
    ) -> dict[str, list[UUID]]:
        """Those of the people who may see a course, as our copies know: for suggestions, which may lack the newest."""
        with self.database.single_statement() as unit_of_work:
            return {"user_ids": queries.those_with_access(unit_of_work.connection, course_id, user_ids)}

    @rpc
    def open_lesson(self, user_id: UUID, lesson_id: UUID, role: Role = "student") -> handlers.OpenedLesson:
        """Let someone look at a lesson: the course it is in, and why they may."""
        return handlers.open_lesson(self.database, self.copies, user_id, lesson_id, role, now())

    @rpc
    def get_user_progress(self, user_id: UUID, course_id: UUID, role: Role = "student") -> queries.CourseProgress:
        """How far someone is in a course."""
        return handlers.get_user_progress(self.database, self.copies, user_id, course_id, role)

    @rpc
    def mark_lesson_as_completed(
        self, user_id: UUID, lesson_id: UUID, role: Role = "student", time_zone: str = "UTC"
    ) -> handlers.FinishedLesson:
        """Finish a lesson, once however often it is asked."""
        return handlers.mark_lesson_as_completed(self.database, self.copies, user_id, lesson_id, role, time_zone, now())

    @rpc
    def set_lesson_position(
        self, user_id: UUID, lesson_id: UUID, seconds: float, role: Role = "student", time_zone: str = "UTC"
    ) -> None:
        """Keep where someone is in a lesson, in seconds from its start."""
        handlers.set_lesson_position(self.database, self.copies, user_id, lesson_id, seconds, role, time_zone, now())

    @rpc
    def get_next_lesson(self, user_id: UUID, current_lesson_id: UUID, role: Role = "student") -> handlers.Route:
        """Where to go after a lesson; no lesson at the end of the course."""
        return handlers.get_next_lesson(self.database, self.copies, user_id, current_lesson_id, role)

    @rpc
    def get_user_enrollments(
        self, user_id: UUID, limit: Annotated[int, Meta(ge=1, le=100)] = 20, cursor: str | None = None
    ) -> queries.EnrollmentPage:
        """A page of the courses that someone owns, newest first."""
        with self.database.single_statement() as unit_of_work:
            return queries.enrollments(unit_of_work.connection, user_id, limit, cursor)

    @rpc
    def get_standings(
        self, user_id: UUID, course_ids: Annotated[tuple[UUID, ...], Meta(max_length=100)]
    ) -> dict[str, list[queries.CourseStanding]]:
        """How far someone is in each of the courses that our copy knows."""
        with self.database.single_statement() as unit_of_work:
            return {"items": queries.standings(unit_of_work.connection, user_id, course_ids)}

    @rpc
    def import_completion(
        self, user_id: UUID, lesson_id: UUID, completed_at: Instant, time_zone: str
    ) -> handlers.FinishedLesson:
        """Finish a lesson in the past; for demo data, so never in production."""
        if self.settings.environment == "production":
            raise Forbidden
        return handlers.import_completion(self.database, self.copies, user_id, lesson_id, completed_at, time_zone)

    @consumes(topology.PROGRESS_CATALOG)
    def on_catalog(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Courses changed: keep their newest outlines."""
        heard = [(delivery.event, delivery.envelope.sequence) for delivery in deliveries]
        handlers.keep_outlines(unit_of_work, [(event, n) for event, n in heard if isinstance(event, CourseChanged)])

    @consumes(topology.PROGRESS_ENTITLEMENTS)
    def on_entitlements(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Rights to courses changed: keep their newest states."""
        heard = [(delivery.event, delivery.envelope.sequence) for delivery in deliveries]
        keep_entitlements(
            unit_of_work.connection, [(event, n) for event, n in heard if isinstance(event, EntitlementChanged)]
        )

    @every(interval=SETTLE_SECONDS)
    def settle(self) -> None:
        """Recount what lost lessons, and confirm with catalog what seems completed."""
        completion.settle(self.database, self.copies.outlines, now())
