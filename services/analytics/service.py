"""Analytics on the bus."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from chassis.clock import now
from chassis.database import UnitOfWork
from chassis.service import Delivery, Service, consumes, rpc
from contracts import topology
from contracts.events.accounts import Role
from services.analytics import answers, handlers, queries, rebuild
from services.analytics.domain.access import Viewer
from services.analytics.queries import Days

REPLAYED_AT_ONCE = 2
"""Messages sent again that one transaction takes: each is a batch of events itself."""


class Analytics(Service):
    """What instructors see of their courses' sales, students and links."""

    name = "analytics"

    @rpc
    def get_instructor_stats(
        self, instructor_id: UUID, from_date: date | None = None, to_date: date | None = None
    ) -> answers.InstructorStats:
        """An instructor's numbers, of all time or of a range of days in the instructor's time zone."""
        with self.database.snapshot() as connection:
            days = Days(from_date, to_date)
            return queries.instructor_stats(connection, instructor_id, days, self.settings.academy_currency, now())

    @rpc
    def get_course_performance(
        self,
        course_id: UUID,
        viewer_id: UUID | None = None,
        role: Role = "student",
        from_date: date | None = None,
        to_date: date | None = None,
    ) -> answers.CoursePerformance:
        """A course's numbers, for its author and admins; without a viewer it is another service that asks."""
        return handlers.get_course_performance(
            self.database,
            self.rpc,
            course_id,
            None if viewer_id is None else Viewer(viewer_id, role),
            Days(from_date, to_date),
            self.settings.academy_currency,
        )

    @rpc
    def create_ref(self, instructor_id: UUID, target: str) -> answers.MadeRef:
        """Make a link to be put under a video."""
        return handlers.create_ref(self.database, instructor_id, target, self.settings.front_url, now())

    @rpc
    def get_refs(
        self, instructor_id: UUID, limit: Annotated[int, Meta(ge=1, le=100)] = 20, cursor: str | None = None
    ) -> answers.RefPage:
        """A page of the links that an instructor made, newest first."""
        with self.database.single_statement() as unit_of_work:
            return queries.refs_page(unit_of_work.connection, instructor_id, self.settings.front_url, limit, cursor)

    @rpc
    def begin_rebuild(self) -> None:
        """Begin to count everything again, with nothing."""
        rebuild.begin_rebuild(self.database, now())

    @rpc
    def get_rebuild(self) -> answers.RebuildState:
        """How far the rebuild under way has come."""
        with self.database.single_statement() as unit_of_work:
            return rebuild.get_rebuild(unit_of_work.connection)

    @rpc
    def finish_rebuild(self, events: int) -> answers.Rebuilt:
        """Let what was counted again take the projection's place, once so many events have been handled."""
        return rebuild.finish_rebuild(self.database, events)

    @rpc
    def abandon_rebuild(self) -> None:
        """Throw away the rebuild under way."""
        rebuild.abandon_rebuild(self.database)

    @consumes(topology.ANALYTICS_EVENTS)
    def on_events(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Something happened that is counted."""
        handlers.told(unit_of_work, [(delivery.event, delivery.envelope.sequence) for delivery in deliveries])

    @consumes(topology.ANALYTICS_REPLAY, batch=REPLAYED_AT_ONCE)
    def on_replay(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """What happened is told again, for a rebuild."""
        rebuild.replayed(unit_of_work, [(delivery.event, delivery.envelope.sequence) for delivery in deliveries])
