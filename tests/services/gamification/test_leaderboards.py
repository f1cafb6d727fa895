"""Leaderboards on a real database: sums of the ledger, ranks, weeks and their squads, whatever the order."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from chassis.database import Database
from contracts.errors import Invalid
from contracts.events.gamification import SquadOfTheWeekChosen
from services.gamification import leaderboards
from services.gamification.domain.squads import CHOICE_DELAY
from services.gamification.domain.weeks import begin_of, end_of, week_of
from services.gamification.handlers import learning
from services.gamification.queries import leaderboards as queries
from services.gamification.queries import squads as squad_queries
from services.gamification.students import set_leaderboard_opt_out
from tests.conftest import DatabaseFactory
from tests.services.gamification.game import EVENING, Game, delivered, lesson_done
from tests.services.gamification.squads import ZONE, SquadGame

WEEK = week_of(EVENING, ZONE)
SUNDAY_NIGHT = end_of(WEEK, ZONE) - timedelta(minutes=5)


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

    def choose(self, now: datetime) -> None:
        """What the timer does every half minute."""
        with self.game.database.unit_of_work() as unit_of_work:
            leaderboards.choose_squad_of_the_week(unit_of_work, ZONE, now)

    def winner(self, week: str = WEEK) -> queries.WinningSquad | None:
        """The squad of a week, as everybody sees it."""
        with self.game.database.single_statement() as unit_of_work:
            return queries.squad_of_the_week(unit_of_work.connection, week, ZONE, EVENING).squad

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


@pytest.fixture(scope="module")
def whole(module_database_url_for: DatabaseFactory) -> Iterator[Boards]:
    database = Database(module_database_url_for("gamification"))
    yield Boards(database)
    database.close()


@pytest.fixture
def boards(whole: Boards) -> Boards:
    """Leaderboards with nobody on them."""
    whole.forget()
    return whole


def test_an_empty_leaderboard_is_empty(boards: Boards) -> None:
    assert boards.page(holder_id=uuid4()) == queries.Leaderboard((), None, queries.Standing(None, 0))


def test_students_are_ranked_by_xp_and_ties_go_to_who_got_there_first(boards: Boards) -> None:
    late, early, best = uuid4(), uuid4(), uuid4()
    boards.earn((late, EVENING + timedelta(minutes=2)), (early, EVENING + timedelta(minutes=1)))
    boards.earn((best, EVENING), (best, EVENING + timedelta(minutes=9)))

    places = boards.everyone()

    assert [(place.rank, place.id, place.score) for place in places] == [(1, best, 40), (2, early, 20), (3, late, 20)]
    boards.assert_ranks_hold()


def test_a_week_has_its_own_scores_and_all_time_has_all(boards: Boards, student: UUID) -> None:
    boards.earn((student, EVENING), (student, EVENING - timedelta(weeks=1)))

    assert boards.page(holder_id=student).me == queries.Standing(1, 20)
    assert boards.page(period="all", holder_id=student).me == queries.Standing(1, 40)


def test_xp_counts_for_the_squad_of_that_moment_and_stays_there(boards: Boards, student: UUID) -> None:
    first = boards.squads.make(student, at=EVENING)
    boards.earn((student, EVENING + timedelta(minutes=1)))
    boards.squads.join(uuid4(), first, EVENING)
    boards.squads.leave(student, EVENING + timedelta(minutes=10))
    second = boards.squads.make(student, at=EVENING + timedelta(minutes=20))

    boards.earn((student, EVENING + timedelta(minutes=9)), (student, EVENING + timedelta(minutes=10)))
    boards.earn((student, EVENING + timedelta(minutes=20)), (student, EVENING - timedelta(minutes=1)))

    assert {place.id: place.score for place in boards.everyone("squads")} == {first: 40, second: 20}
    assert boards.page(holder_id=student).me == queries.Standing(1, 100)


def test_official_squads_have_a_league_of_their_own(boards: Boards, student: UUID) -> None:
    official = boards.squads.make_official(uuid4())
    boards.squads.join(student, official)
    boards.earn((student, EVENING))

    assert boards.everyone("squads") == []
    assert [place.id for place in boards.everyone("official")] == [official]
    with boards.game.database.snapshot() as connection:
        leagues = [
            squad_queries.squad_leaderboard(connection, league, WEEK, 20, None, student).me
            for league in ("squads", "official")
        ]
    assert leagues == [None, queries.Standing(1, 20)]


def test_hidden_and_closed_squads_and_the_erased_are_not_listed(boards: Boards, student: UUID) -> None:
    hidden = boards.squads.make(captain := uuid4())
    boards.squads.make(student)
    boards.earn((captain, EVENING), (student, EVENING), (student, EVENING - timedelta(days=9)))
    boards.squads.hide(hidden)
    boards.squads.leave(student, EVENING + timedelta(minutes=1))
    boards.squads.erase(captain)

    assert boards.everyone("squads") == boards.everyone("squads", "all") == []
    assert [place.id for place in boards.everyone()] == [student]
    assert boards.page(holder_id=captain).me == queries.Standing(None, 20)
    boards.assert_ranks_hold()
    boards.squads.hide(hidden, hidden=False)
    boards.earn((captain, EVENING))
    assert [place.id for place in boards.everyone()] == [student]


def test_who_opts_out_is_not_listed_until_they_opt_in_again(boards: Boards, student: UUID) -> None:
    boards.earn((student, EVENING))

    boards.opt_out(student)
    assert boards.everyone() == []
    boards.earn((student, EVENING), (student, EVENING - timedelta(weeks=1)))
    assert boards.everyone("students", "all") == []
    boards.assert_ranks_hold()
    boards.opt_out(student, opt_out=False)

    assert [(place.id, place.score) for place in boards.everyone("students", "all")] == [(student, 60)]
    boards.assert_ranks_hold()


def test_a_week_that_is_none_and_a_cursor_that_is_none_are_refused(boards: Boards) -> None:
    with pytest.raises(Invalid) as refused:
        queries.period("2026-W60", ZONE, EVENING)
    assert refused.value.errors[0].pointer == "/week"
    with pytest.raises(Invalid), boards.game.database.snapshot() as connection:
        queries.leaderboard(connection, "students", WEEK, 20, "bm9uZQ==", None)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20 * 24 * 60), st.booleans()), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_ranks_are_those_of_a_plain_list_whatever_was_earned_in_whatever_order(
    boards: Boards, earned: list[tuple[int, int, bool]], random: Random
) -> None:
    boards.forget()
    students = [uuid4() for _ in range(6)]
    for captain in students[::3]:
        squad_id = boards.squads.make(captain, at=EVENING)
        for number, student in enumerate(students):
            if student not in students[::3] and number % 2 == students.index(captain) % 2:
                boards.squads.join(student, squad_id, EVENING + timedelta(days=number))

    for number, minutes, fold in earned:
        boards.earn((students[number], EVENING + timedelta(minutes=minutes)))
        if fold:
            boards.fold()
    if random.random() < 0.5:
        boards.squads.leave(students[0], EVENING + timedelta(days=2))
        boards.earn((students[0], EVENING + timedelta(days=3)))

    boards.assert_ranks_hold()
    boards.fold()
    boards.assert_ranks_hold()


def squad_of(boards: Boards, *members: UUID, verified: int) -> UUID:
    """A squad of these members, so many of them with a verified e-mail."""
    squad_id = boards.squads.make(members[0])
    for member in members[1:]:
        boards.squads.join(member, squad_id)
    for member in members[:verified]:
        boards.squads.know(member, at=EVENING)
    return squad_id


def test_the_squad_of_the_week_has_three_verified_members_who_earned(boards: Boards) -> None:
    crowd, honest = [uuid4() for _ in range(4)], [uuid4() for _ in range(3)]
    squad_of(boards, *crowd, verified=2)
    winner = squad_of(boards, *honest, verified=3)
    boards.earn(*((user_id, EVENING + timedelta(minutes=1)) for user_id in crowd * 3 + honest))
    over = end_of(WEEK, ZONE)

    boards.choose(over + CHOICE_DELAY - timedelta(seconds=1))
    assert boards.winner() is None
    for _ in range(2):
        boards.choose(over + CHOICE_DELAY)

    chosen = boards.winner()
    assert chosen is not None
    assert (chosen.id, chosen.score, chosen.members) == (winner, 60, 3)
    told = boards.squads.told(SquadOfTheWeekChosen, WEEK)
    assert [(event.squad_id, set(event.member_ids)) for event in told] == [(winner, set(honest))]
    for user_id in honest:
        badges = [(badge.code, badge.count, badge.earned_at) for badge in boards.game.of(user_id).badges]
        assert ("squad_of_the_week", 1, over) in badges


def test_an_email_verified_after_the_week_does_not_count_for_it(boards: Boards) -> None:
    members = [uuid4() for _ in range(3)]
    squad_of(boards, *members, verified=2)
    boards.squads.know(members[2], at=end_of(WEEK, ZONE))
    boards.earn(*((user_id, EVENING + timedelta(minutes=1)) for user_id in members))

    boards.choose(end_of(WEEK, ZONE) + CHOICE_DELAY)

    assert boards.winner() is None


def test_xp_that_arrives_after_the_choice_corrects_it(boards: Boards) -> None:
    first, second = [uuid4() for _ in range(3)], [uuid4() for _ in range(3)]
    early = squad_of(boards, *first, verified=3)
    late = squad_of(boards, *second, verified=3)
    minute = EVENING + timedelta(minutes=1)
    boards.earn(*((user_id, minute) for user_id in [*first, first[0], *second]))
    over = end_of(WEEK, ZONE) + CHOICE_DELAY
    boards.choose(over)
    chosen = boards.winner()
    assert chosen is not None
    assert chosen.id == early

    boards.earn((second[0], minute), (second[1], minute), now=over + timedelta(days=1))

    corrected = boards.winner()
    assert corrected is not None
    assert (corrected.id, corrected.score) == (late, 100)


def test_at_the_turn_of_the_week_under_load_every_xp_is_in_exactly_one_week(boards: Boards) -> None:
    turn = end_of(WEEK, ZONE)
    students = [uuid4() for _ in range(24)]
    captains = students[::8]
    for captain in captains:
        boards.squads.make(captain, at=EVENING)
    for number, student in enumerate(students):
        boards.squads.know(student, at=EVENING)
        if student not in captains:
            squad_id = boards.squads.game.of(captains[number // 8]).squad
            assert squad_id is not None
            boards.squads.join(student, squad_id.id)

    def learn(seed: int) -> Counter[str]:
        random = Random(seed)
        weeks: Counter[str] = Counter()
        for _ in range(25):
            lessons = [
                (random.choice(students), turn + timedelta(milliseconds=random.randint(-2000, 2000))) for _ in range(8)
            ]
            boards.earn(*lessons, now=turn + timedelta(seconds=2))
            weeks.update(week_of(at, ZONE) for _, at in lessons)
            if random.random() < 0.3:
                boards.fold()
                boards.choose(turn + CHOICE_DELAY)
        return weeks

    with ThreadPoolExecutor(8) as pool:
        counted = sum(pool.map(learn, range(8)), Counter())

    assert counted.total() == 1600
    for week, lessons in counted.items():
        assert sum(place.score for place in boards.everyone("students", week)) == 20 * lessons
        assert sum(place.score for place in boards.everyone("squads", week)) == 20 * lessons
    boards.assert_ranks_hold()
    chosen = boards.winner()
    assert chosen is not None
    assert chosen.id == boards.everyone("squads", WEEK)[0].id
    assert chosen.score == recount(boards, WEEK)[0][1]


def recount(boards: Boards, week: str) -> list[tuple[UUID, int]]:
    """The squads of a week with their scores, best first, counted from the ledger by Python."""
    statement = text("select squad_id, xp, at from ledger where squad_id is not null")
    scores: Counter[UUID] = Counter()
    reached: dict[UUID, datetime] = {}
    with boards.game.database.single_statement() as unit_of_work:
        for row in unit_of_work.connection.execute(statement):
            if begin_of(week, ZONE) <= row.at < end_of(week, ZONE):
                scores[row.squad_id] += row.xp
                reached[row.squad_id] = max(row.at, reached.get(row.squad_id, datetime.min.replace(tzinfo=UTC)))
    return sorted(scores.items(), key=lambda item: (-item[1], reached[item[0]], item[0]))
