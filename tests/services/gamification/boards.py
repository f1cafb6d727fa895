"""Leaderboards without a bus: standings, ranks and the squads of the weeks."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from chassis.database import Database
from services.gamification import leaderboards, squads_of_the_week
from services.gamification.domain.weeks import begin_of, end_of, week_of
from services.gamification.handlers import learning
from services.gamification.queries import leaderboards as queries
from services.gamification.students import set_leaderboard_opt_out
from tests.services.gamification.game import EVENING, Game, delivered, lesson_done
from tests.services.gamification.squads import ZONE, SquadGame

WEEK = week_of(EVENING, ZONE)


class Boards:
    """Leaderboards with a game of their own: ranks are of everybody."""

    def __init__(self, database: Database) -> None:
        self.game = Game(database)
        self.squads = SquadGame(self.game)

    def forget(self) -> None:
        """Let the game begin anew."""
        with self.game.database.unit_of_work() as unit_of_work:
            unit_of_work.connection.execute(
                text(
                    "truncate students, people, ledger, learning_days, squads, memberships, standings, rank_totals, "
                    "rank_spans, rank_changes, squads_of_the_week, outbox cascade"
                )
            )

    def earn(self, *lessons: tuple[UUID, datetime], now: datetime | None = None) -> None:
        """Let students finish a lesson each."""
        facts = [delivered(lesson_done(user_id, completed_at=at)) for user_id, at in lessons]
        with self.game.database.unit_of_work() as unit_of_work:
            learning.students_learned(unit_of_work, facts, ZONE, now or max(at for _, at in lessons))

    def page(
        self, board: str = "students", period: str = WEEK, holder_id: UUID | None = None, limit: int = 100
    ) -> queries.Leaderboard:
        """The first page of a leaderboard."""
        with self.game.database.snapshot() as connection:
            return queries.leaderboard(connection, board, period, limit, None, holder_id)

    def everyone(self, board: str = "students", period: str = WEEK, limit: int = 3) -> list[queries.Place]:
        """The whole leaderboard, read page by page."""
        places: list[queries.Place] = []
        cursor = None
        while True:
            with self.game.database.snapshot() as connection:
                page = queries.leaderboard(connection, board, period, limit, cursor, None)
            places += page.items
            cursor = page.next_cursor
            if cursor is None:
                return places

    def opt_out(self, user_id: UUID, *, opt_out: bool = True) -> None:
        """Let a student leave the leaderboards, or come back."""
        with self.game.database.unit_of_work() as unit_of_work:
            set_leaderboard_opt_out(unit_of_work.connection, user_id, opt_out=opt_out)
            leaderboards.relist(unit_of_work.connection, user_id)

    def fold(self) -> None:
        """What the timer does every second."""
        with self.game.database.unit_of_work() as unit_of_work:
            leaderboards.fold_changes(unit_of_work)

    def choose(self, now: datetime, *, caught_up: bool = True) -> None:
        """What the timer does every half minute, twice: choose, then award and tell."""
        for _ in range(2):
            squads_of_the_week.look(self.game.database, ZONE, lambda: caught_up, now)

    def winner(self, week: str = WEEK) -> queries.WinningSquad | None:
        """The squad of a week, as everybody sees it."""
        with self.game.database.single_statement() as unit_of_work:
            return queries.squad_of_the_week(unit_of_work.connection, week, ZONE, EVENING).squad

    def earners(self, squad_id: UUID, week: str) -> set[UUID]:
        """Who earned for the squad in the week, by the ledger."""
        statement = text(
            "select user_id from ledger where squad_id = :squad_id and xp > 0 and at >= :begin and at < :end"
        )
        values = {"squad_id": squad_id, "begin": begin_of(week, ZONE), "end": end_of(week, ZONE)}
        with self.game.database.single_statement() as unit_of_work:
            return set(unit_of_work.connection.scalars(statement, values))

    def rebuild(self) -> None:
        """Count every period again."""
        with self.game.database.unit_of_work() as unit_of_work:
            for period in leaderboards.periods(unit_of_work.connection, ZONE):
                leaderboards.rebuild(unit_of_work.connection, period, ZONE)

    def rows(self) -> list[tuple[Any, ...]]:
        """All standings."""
        statement = text("select * from standings order by board, period, holder_id")
        with self.game.database.single_statement() as unit_of_work:
            return [tuple(row) for row in unit_of_work.connection.execute(statement)]

    def assert_ranks_hold(self) -> None:
        """Ranks, read from counts, are the places of a plain list; and a recount of the ledger finds the same."""
        for board in ("students", "squads", "official"):
            for period in {row[2] for row in self.rows()}:
                places = self.everyone(board, period)
                assert [place.rank for place in places] == list(range(1, len(places) + 1))
                for place in places:
                    me = self.page(board, period, place.id).me
                    assert me == queries.Standing(place.rank, place.score)
        before = self.rows()
        self.rebuild()
        assert self.rows() == before
