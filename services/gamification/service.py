"""The ways into the game: calls from the gateway, events of learning."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from chassis.clock import now
from chassis.database import UnitOfWork
from chassis.service import Delivery, Service, consumes, rpc
from contracts import topology
from services.gamification import handlers, queries


class Gamification(Service):
    """The game."""

    name = "gamification"

    @rpc
    def get_game(self, user_id: UUID, time_zone: str = "UTC") -> queries.Game:
        """XP, level, points and streak, as of now in the student's present time zone."""
        with self.database.single_statement() as unit_of_work:
            return queries.game(unit_of_work.connection, user_id, time_zone, now())

    @rpc
    def get_ledger(
        self, user_id: UUID, limit: Annotated[int, Meta(ge=1, le=100)] = 20, cursor: str | None = None
    ) -> queries.LedgerPage:
        """What gave the student XP and points, newest first."""
        with self.database.single_statement() as unit_of_work:
            return queries.ledger_page(unit_of_work.connection, user_id, limit, cursor)

    @consumes(topology.GAMIFICATION_LEARNING)
    def on_learning(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Students finished lessons and courses, or studied."""
        handlers.students_learned(unit_of_work, [(delivery.envelope, delivery.event) for delivery in deliveries])
