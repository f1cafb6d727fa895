"""Squads without a bus: the use cases, each in a transaction of its own."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from contracts.events.accounts import UserChanged
from contracts.events.base import Event
from services.gamification.domain.weeks import week_of
from services.gamification.handlers import people, squads
from services.gamification.queries import badges as badge_queries
from services.gamification.queries import squads as queries
from tests.services.gamification.game import EVENING, Game, delivered

T = TypeVar("T", bound=Event)
ZONE = "UTC"


class SquadGame:
    """The squads of a game."""

    def __init__(self, game: Game) -> None:
        self.game = game

    def make(
        self,
        user_id: UUID,
        name: str | None = None,
        *,
        motto: str = "",
        squad_id: UUID | None = None,
        at: datetime = EVENING,
    ) -> UUID:
        """Let a student make a squad; return its id."""
        made = squad_id or uuid4()
        with self.game.database.unit_of_work() as unit_of_work:
            squads.create_squad(unit_of_work, made, user_id, name or f"Escouade {made.hex[:8]}", motto, at)
        return made

    def make_official(self, user_id: UUID, *, role: str = "instructor") -> UUID:
        """Let someone make an official squad; return its id."""
        made = uuid4()
        with self.game.database.unit_of_work() as unit_of_work:
            squads.create_official_squad(unit_of_work, made, user_id, role, f"Team {made.hex[:8]}", "", EVENING)
        return made

    def join(self, user_id: UUID, squad_id: UUID, at: datetime = EVENING) -> None:
        """Let a student join."""
        with self.game.database.unit_of_work() as unit_of_work:
            squads.join_squad(unit_of_work, user_id, squad_id, at)

    def leave(self, user_id: UUID, at: datetime = EVENING) -> None:
        """Let a student leave."""
        with self.game.database.unit_of_work() as unit_of_work:
            squads.leave_squad(unit_of_work, user_id, ZONE, at)

    def kick(self, captain_id: UUID, squad_id: UUID, user_id: UUID) -> None:
        """Let a captain remove a member."""
        with self.game.database.unit_of_work() as unit_of_work:
            squads.kick_member(unit_of_work, captain_id, squad_id, user_id, ZONE, EVENING)

    def hand_over(self, captain_id: UUID, squad_id: UUID, user_id: UUID) -> None:
        """Let a captain hand over."""
        with self.game.database.unit_of_work() as unit_of_work:
            squads.hand_over_captaincy(unit_of_work, captain_id, squad_id, user_id, EVENING)

    def update(
        self, squad_id: UUID, user_id: UUID, *, role: str = "student", name: str | None = None, motto: str | None = None
    ) -> None:
        """Rename a squad."""
        with self.game.database.unit_of_work() as unit_of_work:
            squads.update_squad(unit_of_work, squad_id, user_id, role, name, motto)

    def hide(self, squad_id: UUID, *, hidden: bool = True) -> None:
        """Hide a squad."""
        with self.game.database.unit_of_work() as unit_of_work:
            squads.hide_squad(unit_of_work, squad_id, hidden=hidden)

    def know(
        self,
        user_id: UUID,
        *,
        sequence: int = 1,
        at: datetime | None = None,
        now: datetime = EVENING,
        **changes: Any,
    ) -> None:
        """Let the state of an account be heard now; `at` is when it was told."""
        values: dict[str, Any] = {
            "user_id": user_id,
            "role": "student",
            "status": "active",
            "time_zone": "Europe/Paris",
            "locale": "fr",
            "email_verified": True,
        }
        envelope, event = delivered(UserChanged(**(values | changes)), sequence=sequence, time=at)
        assert isinstance(event, UserChanged)
        with self.game.database.unit_of_work() as unit_of_work:
            people.people_changed(unit_of_work, [(envelope, event)], ZONE, now)

    def erase(self, user_id: UUID) -> None:
        """Let it be heard that an account was erased."""
        self.know(user_id, sequence=2, status="erased")

    def of(self, squad_id: UUID) -> queries.Squad:
        """The squad as everybody sees it."""
        with self.game.database.single_statement() as unit_of_work:
            return queries.get_squad(unit_of_work.connection, squad_id, week_of(EVENING, ZONE))

    def profile(self, user_id: UUID) -> badge_queries.Profile:
        """A student as everybody sees them."""
        with self.game.database.snapshot() as connection:
            return badge_queries.profile(connection, user_id, week_of(EVENING, ZONE))

    def member_ids(self, squad_id: UUID, limit: int = 100) -> list[UUID]:
        """Who is in the squad, the oldest member first."""
        with self.game.database.snapshot() as connection:
            return [member.id for member in queries.member_page(connection, squad_id, limit, None).items]

    def found(self, q: str, limit: int = 20) -> list[UUID]:
        """The ids of all squads that are found, read page by page."""
        found: list[UUID] = []
        cursor = None
        while True:
            with self.game.database.single_statement() as unit_of_work:
                page = queries.squad_page(unit_of_work.connection, q, "2026-W48", limit, cursor)
            found += [squad.id for squad in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return found

    def told(self, kind: type[T], key: UUID | str) -> list[T]:
        """The events of this type with this partition key."""
        return self.game.told(kind, key)
