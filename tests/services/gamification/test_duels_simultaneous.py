"""Duels by many hands at the same moment: nothing is served, scored, held or won twice, and every wallet adds up."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.engine import Connection

from contracts.errors import Conflict, ServiceError
from services.gamification.duels import lock as lock_duel
from services.gamification.handlers.duels import Accepted, Verdict
from services.gamification.queries.duels import DuelView, QuestionView
from services.gamification.students import lock as lock_students
from tests.services.gamification.arena import HANDS, LIMIT, Arena, at_once
from tests.services.gamification.game import lesson_done
from tests.services.locks import wait_until_blocked


def test_many_who_ask_for_the_same_player_are_served_one_question(arena: Arena) -> None:
    awa, ber = arena.player(), arena.player()
    duel = arena.challenge(awa, ber)
    for index in range(3):
        served = at_once(*[partial(arena.ask, duel, awa)] * HANDS)
        assert {(question.index, question.deadline) for question in served} == {(index, served[0].deadline)}
        arena.answer(duel, awa, index, 0)


def test_of_many_answers_to_a_question_one_counts(arena: Arena) -> None:
    awa, ber = arena.player(), arena.player()
    duel = arena.challenge(awa, ber)
    arena.ask(duel, awa)

    verdicts = at_once(*[partial(arena.answer, duel, awa, 0, number % 3) for number in range(HANDS)])

    taken = [verdict for verdict in verdicts if isinstance(verdict, Verdict)]
    assert len(taken) == 1
    others = [verdict for verdict in verdicts if verdict is not taken[0]]
    assert {(type(other), other.problem) for other in others} == {(Conflict, "already-answered")}
    assert {other.members["correct"] for other in others} == {taken[0].correct}


def test_a_questions_time_does_not_run_while_others_hold_the_duel_or_the_player(arena: Arena) -> None:
    awa, ber = arena.player(), arena.player()
    duel = arena.challenge(awa, ber)
    holds: list[Callable[[Connection], object]] = [
        lambda connection: lock_duel(connection, duel.id),
        lambda connection: lock_students(connection, {awa}),
    ]

    for hold, player in zip(holds, (ber, awa), strict=True):
        with ThreadPoolExecutor(1) as pool:
            with arena.database.unit_of_work() as unit_of_work:
                hold(unit_of_work.connection)
                asked = pool.submit(arena.ask, duel, player)
                wait_until_blocked(arena.database)
                arena.wait(LIMIT - 1)
            assert asked.result().remaining_ms == LIMIT * 1000


def test_the_timer_settles_others_while_one_player_is_held(arena: Arena) -> None:
    awa, ber, ines = arena.player(), arena.player(), arena.player()
    held, free = arena.challenge(awa, ber), arena.challenge(ines, ber)
    for duel, player in ((held, awa), (free, ines)):
        arena.ask(duel, player)
    arena.wait(hours=73)

    with arena.database.unit_of_work() as unit_of_work:
        lock_students(unit_of_work.connection, {awa})
        arena.settle()
        assert [event.state for event in arena.told(free)] == ["open", "playing", "void"]
    arena.settle()

    assert [event.state for event in arena.told(held)] == ["open", "playing", "void"]


def test_answers_and_questions_at_once_leave_a_run_in_order(arena: Arena) -> None:
    awa, ber = arena.player(), arena.player()
    duel = arena.challenge(awa, ber)
    arena.ask(duel, awa)
    answers = [partial(arena.answer, duel, awa, index, index) for index in (0, 1)]

    found = at_once(*[partial(arena.ask, duel, awa)] * 10, *answers * 10)

    assert {one.index for one in found if isinstance(one, QuestionView)} <= {0, 1, 2}
    assert sum(isinstance(one, Verdict) for one in found) in (1, 2)
    with arena.database.single_statement() as unit_of_work:
        rows = unit_of_work.connection.execute(
            text("select question, choice from duel_answers where duel_id = :id order by question"), {"id": duel.id}
        ).all()
    assert [tuple(row) for row in rows] == [(0, 0), (1, 1)][: len(rows)]


def test_both_who_start_at_once_lay_down_their_stake_once(arena: Arena) -> None:
    for _ in range(5):
        awa, ber = arena.player(), arena.player()
        duel = arena.challenge(awa, ber)

        at_once(*[partial(arena.ask, duel, user_id) for user_id in (awa, ber)] * 8)

        assert (arena.wallet(awa), arena.wallet(ber)) == ((50, 50), (50, 50))
        assert [event.state for event in arena.told(duel)] == ["open", "playing"]


def test_both_who_finish_at_once_and_the_timer_move_the_stake_once(arena: Arena) -> None:
    for _ in range(5):
        awa, ber = arena.player(), arena.player()
        duel = arena.challenge(awa, ber)
        for user_id in (awa, ber):
            for index in range(2):
                arena.ask(duel, user_id)
                arena.answer(duel, user_id, index, index)
            arena.ask(duel, user_id)

        at_once(
            *[partial(arena.answer, duel, awa, 2, 2), partial(arena.answer, duel, ber, 2, 0)] * 6,
            *[arena.settle] * 4,
            *[partial(arena.see, duel, awa)] * 4,
        )

        assert (arena.wallet(awa), arena.wallet(ber)) == ((150, 0), (50, 0))
        assert [event.state for event in arena.told(duel)] == ["open", "playing", "finished"]
        assert Counter(row[0] for row in arena.game.rows(ber)) == {"lesson": 5, "duel_lost": 1}
        arena.assert_books_balance(awa, ber)


def test_many_timers_and_readers_end_each_duel_once(arena: Arena) -> None:
    players = [arena.player() for _ in range(8)]
    duels = []
    for one, other in pairwise(players):
        duel = arena.challenge(one, other)
        arena.ask(duel, one)
        arena.answer(duel, one, 0, 0)
        arena.ask(duel, other)
        duels.append(duel)
    arena.wait(hours=1)

    at_once(*[arena.settle] * 8, *[partial(arena.see, duel, duel.players[0].id) for duel in duels])

    for duel in duels:
        assert [event.state for event in arena.told(duel)] == ["open", "playing", "finished"]
    arena.assert_books_balance(*players)


def test_a_challenge_accepted_by_many_hands_of_one_is_one_duel(arena: Arena) -> None:
    token, ber = arena.shared(arena.player()), arena.player()

    accepted = at_once(*[partial(arena.accept, token, ber)] * HANDS)

    assert all(isinstance(one, Accepted) for one in accepted), accepted
    assert [one.created for one in accepted].count(True) == 1
    assert len({one.duel.id for one in accepted}) == 1


def test_one_player_begins_one_run_on_a_quiz_however_many_duels_are_open(arena: Arena) -> None:
    awa, chapter_id = arena.player(), arena.chapter()
    duels = [arena.challenge(awa, arena.player(), chapter_id) for _ in range(HANDS)]

    found = at_once(*[partial(arena.ask, duel, awa) for duel in duels])

    assert sum(isinstance(one, QuestionView) for one in found) == 1
    assert {one.problem for one in found if isinstance(one, Conflict)} == {"quiz-in-play"}


def test_limits_of_the_week_hold_when_all_start_at_once(arena: Arena) -> None:
    star = arena.player(2000)
    rivals = [arena.player(60) for _ in range(16)]
    duels = [arena.challenge(star, rival) for rival in rivals]
    for duel in duels:
        arena.ask(duel, star)

    at_once(*[partial(arena.ask, duel, rival) for duel, rival in zip(duels, rivals, strict=True)])

    assert arena.wallet(star) == (1500, 500)
    arena.assert_books_balance(star, *rivals)


@pytest.mark.parametrize("seed", range(2))
def test_32_hands_duel_learn_and_buy_on_the_same_wallets_and_every_point_is_accounted_for(
    arena: Arena, seed: int
) -> None:
    random = Random(seed)
    players = [arena.player(20 * random.randint(1, 6)) for _ in range(6)]
    before = sum(points for points, _ in map(arena.wallet, players))
    duels = []
    for number in range(HANDS):
        one, other = random.sample(players, 2)
        duels.append((arena.challenge(one, other), one, other, Random(seed * HANDS + number)))
    earned = Counter[UUID]()
    lock = threading.Lock()

    def duel_on(duel: DuelView, one: UUID, other: UUID, chance: Random) -> None:
        for user_id in chance.sample([one, other], 2):
            arena.play(duel, user_id, right=chance.randint(0, 3))
            arena.game.hear(lesson_done(user_id))
            with lock:
                earned[user_id] += 20
            try:
                arena.game.buy(user_id)
            except Conflict:
                continue
            with lock:
                earned[user_id] -= 100

    failures = [found for found in at_once(*[partial(duel_on, *one) for one in duels]) if found is not None]

    assert failures == []
    arena.assert_books_balance(*players)
    wallets = [arena.wallet(player) for player in players]
    assert {held for _, held in wallets} == {0}
    assert min(points for points, _ in wallets) >= 0
    assert sum(points for points, _ in wallets) == before + earned.total()
    assert {arena.see(duel, one).state for duel, one, _, _ in duels} == {"finished"}


moves = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 2),
        st.sampled_from(["ask", "ask", "right", "wrong", "right", "decline", "settle", "see", "long"]),
        st.sampled_from([0, 0, 1, 7, LIMIT + 1]),
    ),
    min_size=10,
    max_size=40,
)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves)
def test_whatever_three_players_do_to_four_duels_points_are_only_moved(
    arena: Arena, moves: list[tuple[int, int, str, int]]
) -> None:
    players = [arena.player(20 * number) for number in (0, 2, 4)]
    pairs = ((0, 1), (1, 2), (2, 0), (2, 1))
    duels = [arena.challenge(players[one], players[other]) for one, other in pairs]
    for which, who, what, pause in moves:
        arena.wait(pause)
        duel, player = duels[which], players[who]
        try:
            _do(arena, duel, player, what)
        except ServiceError:
            continue
        finally:
            arena.assert_books_balance(*players)
    arena.wait(hours=100)
    arena.settle()

    assert [arena.wallet(player)[1] for player in players] == [0, 0, 0]
    assert sum(arena.wallet(player)[0] for player in players) == 120
    for duel in duels:
        told = arena.told(duel)
        seen = arena.see(duel, duel.players[0].id)
        served = {player.id for player in seen.players if _was_served(arena, duel, player.id)}
        assert seen.state == told[-1].state
        if seen.state == "void":
            assert seen.void_reason == "declined" or len(served) < 2
        else:
            assert (seen.state, len(served)) == ("finished", 2)
        order = ["open", "playing", "finished", "void"]
        assert [event.state for event in told] == sorted({event.state for event in told}, key=order.index)


def _do(arena: Arena, duel: DuelView, player: UUID, what: str) -> Any:
    match what:
        case "ask":
            return arena.ask(duel, player)
        case "right" | "wrong":
            index = arena.ask(duel, player).index
            return arena.answer(duel, player, index, (index if what == "right" else index + 1) % 3)
        case "decline":
            return arena.decline(duel, player)
        case "settle":
            return arena.settle()
        case "long":
            return arena.wait(hours=30)
        case _:
            return arena.see(duel, player)


def _was_served(arena: Arena, duel: DuelView, player: UUID) -> bool:
    with arena.database.single_statement() as unit_of_work:
        found = unit_of_work.connection.execute(
            text("select 1 from duel_runs where duel_id = :duel_id and user_id = :user_id"),
            {"duel_id": duel.id, "user_id": player},
        )
        return found.first() is not None
