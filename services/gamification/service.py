"""The ways into the game: calls from the gateway, events of learning."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID, uuid4

from msgspec import Meta

from chassis.clock import now
from chassis.database import UnitOfWork
from chassis.service import Delivery, Service, consumes, every, rpc
from contracts import topology
from contracts.events.accounts import Role, UserChanged
from contracts.events.catalog import CourseChanged, QuizChanged
from services.gamification import badges, leaderboards, squads_of_the_week, unlocks
from services.gamification.courses import keep_courses
from services.gamification.domain.weeks import week_of
from services.gamification.duels import Mode
from services.gamification.handlers import duels, evenings, learning, people, shop, squads
from services.gamification.handlers.duels import Wanted
from services.gamification.queries import badges as badge_queries
from services.gamification.queries import duels as duel_queries
from services.gamification.queries import leaderboards as boards
from services.gamification.queries import shop as shop_queries
from services.gamification.queries import squads as squad_queries
from services.gamification.queries import standing
from services.gamification.queries.duels import ChallengeView, DuelPage, DuelView, QuestionView
from services.gamification.quizzes import Chapters, keep_quizzes
from services.gamification.students import set_leaderboard_opt_out

BADGE_SECONDS = 60
FOLD_SECONDS = 1
CHOICE_SECONDS = 30
UNLOCK_SECONDS = 1
LOOK_SECONDS = 5
SETTLE_SECONDS = 2
Limit = Annotated[int, Meta(ge=1, le=100)]


class Gamification(Service):
    """The game."""

    name = "gamification"

    @property
    def week(self) -> str:
        """The present week, in the academy's time zone."""
        return week_of(now(), self.settings.academy_time_zone)

    @property
    def chapters(self) -> Chapters:
        """The copies of catalog's chapters and quizzes."""
        return Chapters(self.database, self.rpc)

    @rpc
    def get_game(self, user_id: UUID, time_zone: str = "UTC") -> standing.Game:
        """XP, level, points and streak, as of now in the student's present time zone."""
        with self.database.snapshot() as connection:
            return standing.game(connection, user_id, time_zone, self.week, now())

    @rpc
    def set_leaderboard_opt_out(
        self, user_id: UUID, leaderboard_opt_out: bool, time_zone: str = "UTC"
    ) -> standing.Game:
        """Keep a student off the leaderboards and without a public profile, or not; their game as it then is."""
        with self.database.unit_of_work() as unit_of_work:
            set_leaderboard_opt_out(unit_of_work.connection, user_id, opt_out=leaderboard_opt_out)
            leaderboards.relist(unit_of_work.connection, user_id)
            return standing.game(unit_of_work.connection, user_id, time_zone, self.week, now())

    @rpc
    def get_student(self, user_id: UUID) -> badge_queries.Profile:
        """What everybody may see of a student."""
        with self.database.snapshot() as connection:
            return badge_queries.profile(connection, user_id, self.week)

    @rpc
    def get_ledger(self, user_id: UUID, limit: Limit = 20, cursor: str | None = None) -> standing.LedgerPage:
        """What gave the student XP and points, newest first."""
        with self.database.single_statement() as unit_of_work:
            return standing.ledger_page(unit_of_work.connection, user_id, limit, cursor)

    @rpc
    def create_squad(
        self, squad_id: UUID, user_id: UUID, role: Role, name: str, motto: str = "", official: bool = False
    ) -> squad_queries.Squad:
        """Make a squad, once for a `squad_id`; an official one, which nobody has joined, by instructors and admins."""
        with self.database.unit_of_work() as unit_of_work:
            if official:
                squads.create_official_squad(unit_of_work, squad_id, user_id, role, name, motto, now())
            else:
                squads.create_squad(unit_of_work, squad_id, user_id, name, motto, now())
            return squad_queries.get_own_squad(unit_of_work.connection, squad_id, self.week)

    @rpc
    def get_squad(self, squad_id: UUID) -> squad_queries.Squad:
        """A squad as everybody may see it."""
        with self.database.single_statement() as unit_of_work:
            return squad_queries.get_squad(unit_of_work.connection, squad_id, self.week)

    @rpc
    def list_squads(
        self, q: str | None = None, limit: Limit = 20, cursor: str | None = None
    ) -> squad_queries.SquadPage:
        """A page of the squads, by name."""
        with self.database.single_statement() as unit_of_work:
            return squad_queries.squad_page(unit_of_work.connection, q, self.week, limit, cursor)

    @rpc
    def get_squad_members(
        self, squad_id: UUID, limit: Limit = 20, cursor: str | None = None
    ) -> squad_queries.SquadMemberPage:
        """A page of a squad's members, the oldest first."""
        with self.database.snapshot() as connection:
            return squad_queries.member_page(connection, squad_id, limit, cursor)

    @rpc
    def update_squad(
        self, squad_id: UUID, user_id: UUID, role: Role, name: str | None = None, motto: str | None = None
    ) -> squad_queries.Squad:
        """Rename a squad or give it another motto."""
        with self.database.unit_of_work() as unit_of_work:
            squads.update_squad(unit_of_work, squad_id, user_id, role, name, motto)
            return squad_queries.get_own_squad(unit_of_work.connection, squad_id, self.week)

    @rpc
    def join_squad(self, user_id: UUID, squad_id: UUID) -> squad_queries.Squad:
        """Let a student into a squad."""
        with self.database.unit_of_work() as unit_of_work:
            squads.join_squad(unit_of_work, user_id, squad_id, now())
            return squad_queries.get_own_squad(unit_of_work.connection, squad_id, self.week)

    @rpc
    def leave_squad(self, user_id: UUID) -> None:
        """Let a student out of their squad, if they are in one."""
        with self.database.unit_of_work() as unit_of_work:
            squads.leave_squad(unit_of_work, user_id, self.settings.academy_time_zone, now())

    @rpc
    def kick_member(self, captain_id: UUID, squad_id: UUID, user_id: UUID) -> squad_queries.Squad:
        """Let a captain remove a member."""
        with self.database.unit_of_work() as unit_of_work:
            squads.kick_member(unit_of_work, captain_id, squad_id, user_id, self.settings.academy_time_zone, now())
            return squad_queries.get_own_squad(unit_of_work.connection, squad_id, self.week)

    @rpc
    def hand_over_captaincy(self, captain_id: UUID, squad_id: UUID, user_id: UUID) -> squad_queries.Squad:
        """Let a captain make another member the captain."""
        with self.database.unit_of_work() as unit_of_work:
            squads.hand_over_captaincy(unit_of_work, captain_id, squad_id, user_id, now())
            return squad_queries.get_own_squad(unit_of_work.connection, squad_id, self.week)

    @rpc
    def hide_squad(self, squad_id: UUID, hidden: bool) -> None:
        """Take a squad off every public page, or put it back; for admins."""
        with self.database.unit_of_work() as unit_of_work:
            squads.hide_squad(unit_of_work, squad_id, hidden=hidden)

    @rpc
    def get_squad_of_the_week(self, week: str | None = None) -> boards.SquadOfTheWeek:
        """The squad of a week, by default of the last that ended."""
        with self.database.single_statement() as unit_of_work:
            return boards.squad_of_the_week(unit_of_work.connection, week, self.settings.academy_time_zone, now())

    @rpc
    def get_student_leaderboard(
        self, week: str | None = None, limit: Limit = 20, cursor: str | None = None, user_id: UUID | None = None
    ) -> boards.Leaderboard:
        """A page of the students with the most XP in a week or of all time, and where the student stands."""
        period = boards.period(week, self.settings.academy_time_zone, now())
        with self.database.snapshot() as connection:
            return boards.leaderboard(connection, "students", period, limit, cursor, user_id)

    @rpc
    def get_squad_leaderboard(
        self,
        league: Literal["squads", "official"] = "squads",
        week: str | None = None,
        limit: Limit = 20,
        cursor: str | None = None,
        user_id: UUID | None = None,
    ) -> boards.Leaderboard:
        """A page of a league's squads with the most XP in a week or of all time, and where the student's stands."""
        period = boards.period(week, self.settings.academy_time_zone, now())
        with self.database.snapshot() as connection:
            return squad_queries.squad_leaderboard(connection, league, period, limit, cursor, user_id)

    @rpc
    def list_leaderboard_periods(self) -> dict[str, list[str]]:
        """The periods that leaderboards can be rebuilt of."""
        with self.database.single_statement() as unit_of_work:
            return {"items": leaderboards.periods(unit_of_work.connection, self.settings.academy_time_zone)}

    @rpc
    def rebuild_leaderboard(self, period: str) -> None:
        """Count the standings of a period again from the ledger."""
        boards.period(period, self.settings.academy_time_zone, now())
        with self.database.unit_of_work() as unit_of_work:
            leaderboards.rebuild(unit_of_work.connection, period, self.settings.academy_time_zone)

    @every(interval=FOLD_SECONDS)
    def fold_ranks(self) -> None:
        """Sum up what has changed in the numbers of those who share a score."""
        with self.database.unit_of_work() as unit_of_work:
            leaderboards.fold_changes(unit_of_work)

    @every(interval=CHOICE_SECONDS)
    def choose_squads_of_the_week(self) -> None:
        """Award and tell the squads of past weeks, and choose them where it was never done or something has changed."""
        squads_of_the_week.look(
            self.database,
            self.settings.academy_time_zone,
            lambda: self.events_waiting(topology.GAMIFICATION_LEARNING) == 0,
            now(),
        )

    @every(interval=BADGE_SECONDS)
    def catch_up_on_badges(self) -> None:
        """Award what students earned before a badge was there."""
        while True:
            with self.database.unit_of_work() as unit_of_work:
                if badges.catch_up(unit_of_work) < badges.SWEPT_AT_ONCE:
                    break

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

    @rpc
    def create_duel(
        self,
        user_id: UUID,
        chapter_id: UUID,
        mode: Mode,
        role: Role = "student",
        opponent_id: UUID | None = None,
        opponent_role: Role = "student",
        duel_id: UUID | None = None,
    ) -> DuelView:
        """Challenge someone on a chapter's quiz, or make a challenge to be shared as a link; once for a `duel_id`."""
        wanted = Wanted(user_id, role, chapter_id, mode, opponent_id, opponent_role, duel_id or uuid4())
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
        return duels.serve_question(self.database, duel_id, user_id, time_zone, self.settings.academy_time_zone, now)

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
    def get_challenger(self, duel_id: UUID) -> dict[str, UUID]:
        """Who made a duel: the one whose name it shows."""
        with self.database.single_statement() as unit_of_work:
            return {"user_id": duel_queries.challenger(unit_of_work.connection, duel_id)}

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
        changed = [(envelope, event) for envelope, event in heard if isinstance(event, UserChanged)]
        people.people_changed(unit_of_work, changed, self.settings.academy_time_zone, now())

    @every(interval=LOOK_SECONDS)
    def look(self) -> None:
        """Tell of flames that a freeze has saved, and of those that go out tonight."""
        evenings.look(self.database, now())

    @every(interval=UNLOCK_SECONDS)
    def sweep(self) -> None:
        """Give bonus courses to students who had reached them before they were published."""
        unlocks.sweep(self.database, now())

    @consumes(topology.GAMIFICATION_LEARNING)
    def on_learning(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Students finished lessons and courses, or studied."""
        facts = [(delivery.envelope, delivery.event) for delivery in deliveries]
        learning.students_learned(unit_of_work, facts, self.settings.academy_time_zone, now())

    @every(interval=SETTLE_SECONDS)
    def settle_duels(self) -> None:
        """End the runs and duels whose time is over."""
        duels.settle(self.database, now())
