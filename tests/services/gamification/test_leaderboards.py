"""Leaderboards on a real database: sums of the ledger, ranks, weeks and their squads, whatever the order."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from contracts.envelope import Envelope
from contracts.errors import Invalid
from contracts.events.accounts import UserChanged
from services.gamification import leaderboards
from services.gamification.domain.weeks import week_of
from services.gamification.handlers import learning, people, squads
from services.gamification.queries import leaderboards as queries
from services.gamification.queries import squads as squad_queries
from tests.services.gamification.boards import WEEK, Boards
from tests.services.gamification.game import EVENING, delivered, lesson_done
from tests.services.gamification.squads import ZONE
from tests.services.locks import wait_until_blocked


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


def rank_rows(boards: Boards, table: str) -> int:
    """How many rows the counts have."""
    with boards.game.database.single_statement() as unit_of_work:
        return unit_of_work.connection.execute(text(f"select count(*) from {table}")).scalar_one()


def test_scores_that_nobody_has_any_more_are_not_kept(boards: Boards, student: UUID) -> None:
    for _ in range(30):
        boards.earn((student, EVENING))
        boards.fold()

    assert rank_rows(boards, "rank_totals") == rank_rows(boards, "rank_spans") == 2
    boards.assert_ranks_hold()


def test_a_rebuild_waits_until_changes_are_summed_up_so_that_nothing_counts_twice(boards: Boards) -> None:
    for lessons in range(1, 4):
        boards.earn(*[(uuid4(), EVENING)] * lessons)

    with ThreadPoolExecutor(1) as pool:
        with boards.game.database.unit_of_work() as unit_of_work:
            leaderboards.fold_changes(unit_of_work)
            rebuilt = pool.submit(boards.rebuild)
            wait_until_blocked(boards.game.database)
        rebuilt.result()

    boards.assert_ranks_hold()


def test_people_come_and_go_and_hide_while_their_squad_earns_without_a_pause(boards: Boards) -> None:
    official = boards.squads.make_official(uuid4())
    members = [uuid4() for _ in range(4)]
    for member in members:
        boards.squads.join(member, official)
    done = threading.Event()

    def learn(member: UUID) -> None:
        while not done.is_set():
            boards.earn((member, EVENING))

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(learn, member) for member in members]
        try:
            for _ in range(20):
                visitor = uuid4()
                boards.squads.join(visitor, official)
                boards.squads.leave(visitor)
                boards.squads.hide(official)
                boards.squads.hide(official, hidden=False)
        finally:
            done.set()
        for one in work:
            one.result()

    boards.squads.hide(official)
    assert boards.everyone("official") == []
    boards.squads.hide(official, hidden=False)
    boards.assert_ranks_hold()


def test_the_periods_are_all_weeks_from_the_first_xp_to_the_last_and_their_neighbours(
    boards: Boards, student: UUID
) -> None:
    assert leaderboards_periods(boards) == ["all"]
    boards.earn((student, EVENING), (student, EVENING - timedelta(weeks=2)))

    weeks = [week_of(EVENING + timedelta(weeks=number), ZONE) for number in range(-3, 2)]
    assert leaderboards_periods(boards) == [*weeks, "all"]


def leaderboards_periods(boards: Boards) -> list[str]:
    """The periods that can be rebuilt."""
    with boards.game.database.single_statement() as unit_of_work:
        return leaderboards.periods(unit_of_work.connection, ZONE)


def erasure(user_id: UUID) -> tuple[Envelope, UserChanged]:
    """The news that an account was erased."""
    event = UserChanged(
        user_id=user_id, role="student", status="erased", time_zone="UTC", locale="fr", email_verified=False
    )
    return delivered(event, sequence=2)[0], event


def test_people_are_erased_while_they_learn_without_a_deadlock(boards: Boards) -> None:
    for _ in range(6):
        members = [uuid4() for _ in range(8)]
        made = [boards.squads.make(member) for member in members[:2]]
        for number, member in enumerate(members[2:]):
            boards.squads.join(member, made[number % 2])
        erased = [erasure(member) for member in members]

        def learn(seed: int, members: Sequence[UUID] = members) -> None:
            random = Random(seed)
            for _ in range(10):
                boards.earn(*((random.choice(members), EVENING) for _ in range(4)))

        def erase(erased: Sequence[tuple[Envelope, UserChanged]] = erased) -> None:
            with boards.game.database.unit_of_work() as unit_of_work:
                people.people_changed(unit_of_work, erased, ZONE, EVENING)

        with ThreadPoolExecutor(4) as pool:
            work = [pool.submit(learn, seed) for seed in range(3)]
            work.append(pool.submit(erase))
            for one in work:
                one.result()

    assert boards.everyone() == []
    boards.assert_ranks_hold()


@pytest.mark.parametrize("what", ["learns", "joins"])
def test_who_is_erased_while_they_first_learn_or_join_is_on_no_board_and_in_no_squad(
    boards: Boards, student: UUID, what: str
) -> None:
    squad_id = boards.squads.make(captain := uuid4())

    with ThreadPoolExecutor(1) as pool:
        with boards.game.database.unit_of_work() as unit_of_work:
            if what == "joins":
                squads.join_squad(unit_of_work, student, squad_id, EVENING)
            else:
                lesson = delivered(lesson_done(student))
                learning.students_learned(unit_of_work, [lesson], ZONE, EVENING)
            erased = pool.submit(boards.squads.erase, student)
            wait_until_blocked(boards.game.database)
        erased.result()

    assert boards.everyone() == []
    assert boards.squads.of(squad_id).members == 1
    assert boards.squads.of(squad_id).captain_id == captain
    boards.assert_ranks_hold()


def test_a_squad_is_hidden_while_its_last_member_leaves(boards: Boards, student: UUID) -> None:
    squad_id = boards.squads.make(student)
    boards.earn((student, EVENING))

    with ThreadPoolExecutor(1) as pool:
        with boards.game.database.unit_of_work() as unit_of_work:
            connection = unit_of_work.connection
            connection.execute(text("select from squads where squad_id = :id for no key update"), {"id": squad_id})
            hidden = pool.submit(boards.squads.hide, squad_id)
            wait_until_blocked(boards.game.database)
            squads.leave_squad(unit_of_work, student, ZONE, EVENING + timedelta(minutes=1))
        hidden.result()

    assert boards.everyone("squads") == []
    boards.assert_ranks_hold()
