"""The ways into the game: calls from the gateway, events of learning."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from chassis.clock import now
from chassis.database import UnitOfWork
from chassis.service import Delivery, Service, consumes, every, rpc
from contracts import topology
from contracts.events.accounts import Role, UserChanged
from contracts.events.catalog import CourseChanged, QuizChanged
from services.gamification.courses import keep_courses
from services.gamification.duels import Mode
from services.gamification.handlers import duels, learning
from services.gamification.handlers.duels import Wanted
from services.gamification.people import keep_people
from services.gamification.queries import standing
from services.gamification.queries.duels import ChallengeView, DuelPage, DuelView, QuestionView
from services.gamification.quizzes import Chapters, keep_quizzes

SETTLE_SECONDS = 2


class Gamification(Service):
    """The game."""

    name = "gamification"

    @property
    def chapters(self) -> Chapters:
        """The copies of catalog's chapters and quizzes."""
        return Chapters(self.database, self.rpc)

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
    def create_duel(
        self,
        user_id: UUID,
        chapter_id: UUID,
        mode: Mode,
        role: Role = "student",
        opponent_id: UUID | None = None,
        opponent_role: Role = "student",
    ) -> DuelView:
        """Challenge someone on a chapter's quiz, or make a challenge to be shared as a link."""
        wanted = Wanted(user_id, role, chapter_id, mode, opponent_id, opponent_role)
        return duels.create_duel(self.database, self.chapters, self.rpc, wanted, now())

    @rpc
    def get_opponents(self, user_id: UUID, chapter_id: UUID, role: Role = "student") -> dict[str, list[UUID]]:
        """Whom someone may want to challenge on a chapter."""
        return {"items": duels.get_opponents(self.database, self.chapters, self.rpc, user_id, role, chapter_id)}

    @rpc
    def decline_duel(self, user_id: UUID, duel_id: UUID) -> DuelView:
        """Let the rival decline a duel."""
        return duels.decline_duel(self.database, duel_id, user_id, now())

    @rpc
    def serve_question(self, user_id: UUID, duel_id: UUID, time_zone: str = "UTC") -> QuestionView:
        """Serve a player's next question, or the same while it waits for an answer."""
        return duels.serve_question(self.database, duel_id, user_id, time_zone, self.settings.academy_time_zone, now())

    @rpc
    def answer_question(
        self, user_id: UUID, duel_id: UUID, index: int, choice: int, time_zone: str = "UTC"
    ) -> duels.Verdict:
        """Take a player's answer to the question that was served."""
        return duels.answer_question(self.database, duel_id, user_id, time_zone, index, choice, now())

    @rpc
    def get_duel(self, user_id: UUID, duel_id: UUID) -> DuelView:
        """A duel as one of its players sees it."""
        return duels.get_duel(self.database, duel_id, user_id, now())

    @rpc
    def get_duels(
        self, user_id: UUID, limit: Annotated[int, Meta(ge=1, le=100)] = 20, cursor: str | None = None
    ) -> DuelPage:
        """A page of a player's duels, newest first."""
        return duels.get_duels(self.database, user_id, limit, cursor, now())

    @rpc
    def get_challenge(self, token: str) -> ChallengeView:
        """What everybody may see of a challenge."""
        return duels.get_challenge(self.database, self.chapters, token, now())

    @rpc
    def accept_challenge(self, user_id: UUID, token: str) -> duels.Accepted:
        """The duel of someone against a challenge."""
        return duels.accept_challenge(self.database, self.chapters, token, user_id, now())

    @consumes(topology.GAMIFICATION_CATALOG)
    def on_catalog(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Courses and quizzes changed: keep their newest states."""
        heard = [(delivery.event, delivery.envelope.sequence) for delivery in deliveries]
        keep_courses(unit_of_work.connection, [(event, n) for event, n in heard if isinstance(event, CourseChanged)])
        keep_quizzes(unit_of_work.connection, [(event, n) for event, n in heard if isinstance(event, QuizChanged)])

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

    @every(interval=SETTLE_SECONDS)
    def settle_duels(self) -> None:
        """End the runs and duels whose time is over."""
        duels.settle(self.database, now())
