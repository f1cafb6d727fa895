"""The ways into the game: calls from the gateway, events of learning."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from chassis.clock import now
from chassis.database import UnitOfWork
from chassis.service import Delivery, Service, consumes, every, rpc
from contracts import topology
from contracts.events.accounts import UserChanged
from contracts.events.catalog import CourseChanged
from services.gamification import badges
from services.gamification.courses import keep_courses
from services.gamification.handlers import learning
from services.gamification.people import keep_people
from services.gamification.queries import badges as badge_queries
from services.gamification.queries import standing
from services.gamification.students import set_leaderboard_opt_out

SWEEP_SECONDS = 60.0


class Gamification(Service):
    """The game."""

    name = "gamification"

    @rpc
    def get_game(self, user_id: UUID, time_zone: str = "UTC") -> standing.Game:
        """XP, level, points and streak, as of now in the student's present time zone."""
        with self.database.snapshot() as connection:
            return standing.game(connection, user_id, time_zone, now())

    @rpc
    def set_leaderboard_opt_out(
        self, user_id: UUID, leaderboard_opt_out: bool, time_zone: str = "UTC"
    ) -> standing.Game:
        """Keep a student off the leaderboards and without a public profile, or not; their game as it then is."""
        with self.database.unit_of_work() as unit_of_work:
            set_leaderboard_opt_out(unit_of_work.connection, user_id, opt_out=leaderboard_opt_out)
            return standing.game(unit_of_work.connection, user_id, time_zone, now())

    @rpc
    def get_student(self, user_id: UUID) -> badge_queries.Profile:
        """What everybody may see of a student."""
        with self.database.snapshot() as connection:
            return badge_queries.profile(connection, user_id)

    @rpc
    def get_ledger(
        self, user_id: UUID, limit: Annotated[int, Meta(ge=1, le=100)] = 20, cursor: str | None = None
    ) -> standing.LedgerPage:
        """What gave the student XP and points, newest first."""
        with self.database.single_statement() as unit_of_work:
            return standing.ledger_page(unit_of_work.connection, user_id, limit, cursor)

    @consumes(topology.GAMIFICATION_CATALOG)
    def on_catalog(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Courses changed: keep their newest states."""
        heard = [(delivery.event, delivery.envelope.sequence) for delivery in deliveries]
        keep_courses(unit_of_work.connection, [(event, n) for event, n in heard if isinstance(event, CourseChanged)])

    @consumes(topology.GAMIFICATION_PEOPLE)
    def on_people(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Accounts changed: keep their newest states."""
        heard = [(delivery.envelope, delivery.event) for delivery in deliveries]
        keep_people(
            unit_of_work.connection, [(envelope, event) for envelope, event in heard if isinstance(event, UserChanged)]
        )

    @consumes(topology.GAMIFICATION_LEARNING)
    def on_learning(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Students finished lessons and courses, or studied."""
        learning.students_learned(unit_of_work, [(delivery.envelope, delivery.event) for delivery in deliveries])

    @every(interval=SWEEP_SECONDS)
    def catch_up_on_badges(self) -> None:
        """Award what students earned before a badge was there."""
        while True:
            with self.database.unit_of_work() as unit_of_work:
                if badges.catch_up(unit_of_work) < badges.SWEPT_AT_ONCE:
                    break
