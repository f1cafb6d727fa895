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
from services.gamification import unlocks
from services.gamification.courses import keep_courses
from services.gamification.handlers import evenings, learning, shop
from services.gamification.people import keep_people
from services.gamification.queries import shop as shop_queries
from services.gamification.queries import standing

LOOK_SECONDS = 5
SWEEP_SECONDS = 1


class Gamification(Service):
    """The game."""

    name = "gamification"

    @rpc
    def get_game(self, user_id: UUID, time_zone: str = "UTC") -> standing.Game:
        """XP, level, points and streak, as of now in the student's present time zone."""
        with self.database.single_statement() as unit_of_work:
            return standing.game(unit_of_work.connection, user_id, time_zone, now())

    @rpc
    def get_ledger(
        self, user_id: UUID, limit: Annotated[int, Meta(ge=1, le=100)] = 20, cursor: str | None = None
    ) -> standing.LedgerPage:
        """What gave the student XP and points, newest first."""
        with self.database.single_statement() as unit_of_work:
            return standing.ledger_page(unit_of_work.connection, user_id, limit, cursor)

    @rpc
    def get_shop(self, user_id: UUID, time_zone: str = "UTC") -> shop_queries.Shop:
        """What points buy, and what of it the student has in their present time zone."""
        with self.database.single_statement() as unit_of_work:
            return shop_queries.shop(unit_of_work.connection, user_id, time_zone, now())

    @rpc
    def purchase_item(self, user_id: UUID, item: str, request_id: UUID, time_zone: str = "UTC") -> shop.Purchased:
        """Sell a student one of an item, once for a request."""
        with self.database.unit_of_work() as unit_of_work:
            return shop.purchase_item(unit_of_work, user_id, item, request_id, time_zone, now())

    @consumes(topology.GAMIFICATION_CATALOG)
    def on_catalog(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Courses changed: keep their newest states."""
        heard = [(delivery.event, delivery.envelope.sequence) for delivery in deliveries]
        keep_courses(unit_of_work.connection, [(event, n) for event, n in heard if isinstance(event, CourseChanged)])

    @consumes(topology.GAMIFICATION_PEOPLE)
    def on_people(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Accounts changed: keep their newest states."""
        heard = [(delivery.envelope, delivery.event) for delivery in deliveries]
        people = [(envelope, event) for envelope, event in heard if isinstance(event, UserChanged)]
        keep_people(unit_of_work.connection, people)
        evenings.look_again(unit_of_work.connection, {event.user_id for _, event in people}, now())

    @every(interval=LOOK_SECONDS)
    def look(self) -> None:
        """Tell of flames that a freeze has saved, and of those that go out tonight."""
        evenings.look(self.database, now())

    @every(interval=SWEEP_SECONDS)
    def sweep(self) -> None:
        """Give bonus courses to students who had reached them before they were published."""
        unlocks.sweep(self.database, now())

    @consumes(topology.GAMIFICATION_LEARNING)
    def on_learning(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Students finished lessons and courses, or studied."""
        learning.students_learned(unit_of_work, [(delivery.envelope, delivery.event) for delivery in deliveries])
