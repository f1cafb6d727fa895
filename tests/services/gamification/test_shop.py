"""Buying streak freezes: what they cost, what they save, and that a wallet is never overdrawn."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import Conflict, FieldError, Invalid, ServiceError
from contracts.events.gamification import StreakExtended, StreakFrozen, XpAwarded
from services.gamification.handlers import shop
from services.gamification.handlers.shop import Purchased
from services.gamification.queries.shop import ShopItem
from tests.services.gamification.game import EVENING, PARIS, TOKYO, Game, day_studied, lesson_done

DAY = timedelta(days=1)


def test_the_shop_sells_freezes_for_a_hundred_points(game: Game, student: UUID) -> None:
    assert game.shop(student).items == (ShopItem("streak_freeze", price_points=100, owned=0, max=2),)
    assert game.student(student) is None


def test_a_freeze_is_paid_for_with_points_and_shown(game: Game, student: UUID) -> None:
    game.enrich(student, lessons=7)
    request_id = uuid4()

    assert game.buy(student, request_id=request_id) == Purchased("streak_freeze", owned=1, points=40)

    assert game.shop(student).items[0].owned == 1
    seen = game.of(student)
    assert (seen.xp, seen.points, seen.streak.freezes, seen.streak.freezes_max) == (140, 40, 1, 2)
    assert ("purchase", request_id, 0, -100) in game.rows(student)
    told = game.told(XpAwarded, student)[-1]
    assert (told.kind, told.xp, told.points, told.total_xp, told.total_points) == ("purchase", 0, -100, 140, 40)


def test_the_same_request_again_buys_nothing_more(game: Game, student: UUID) -> None:
    game.enrich(student)
    request_id = uuid4()

    first = game.buy(student, request_id=request_id)

    assert game.buy(student, EVENING + DAY / 24, request_id=request_id) == first
    assert game.of(student).points == 300


def test_nobody_buys_without_the_points_and_nothing_is_left_of_the_attempt(game: Game, student: UUID) -> None:
    with pytest.raises(Conflict, match="not-enough-points") as refused:
        game.buy(student)
    assert refused.value.members == {"price_points": 100, "points": 0}
    assert game.student(student) is None

    game.enrich(student, lessons=4)
    with pytest.raises(Conflict, match="not-enough-points"):
        game.buy(student)
    assert game.of(student).points == 80


def test_no_more_than_two_are_held_and_a_used_one_makes_room(game: Game, student: UUID) -> None:
    game.enrich(student)
    game.hear(lesson_done(student))
    game.buy(student)
    game.buy(student)

    with pytest.raises(Conflict, match="limit-reached") as refused:
        game.buy(student, EVENING + DAY)
    assert refused.value.members == {"maximum": 2}
    assert game.buy(student, EVENING + 2 * DAY).owned == 2
    game.assert_adds_up(student)


def test_what_is_not_for_sale_is_refused_by_name(game: Game, student: UUID) -> None:
    def buy(code: str, time_zone: str) -> tuple[FieldError, ...]:
        with pytest.raises(Invalid) as refused, game.database.unit_of_work() as unit_of_work:
            shop.purchase_item(unit_of_work, student, code, uuid4(), time_zone, EVENING)
        return refused.value.errors

    assert buy("car", PARIS) == (FieldError("/item", "unknown-item"),)
    assert buy("streak_freeze", "Mars/Olympus") == (FieldError("/time_zone", "time-zone"),)
    assert game.student(student) is None


def test_a_missed_day_uses_the_freeze_and_the_flame_survives(game: Game, student: UUID) -> None:
    game.enrich(student)
    game.hear(lesson_done(student))
    game.buy(student)

    streak = game.of(student, EVENING + 2 * DAY).streak
    assert (streak.current, streak.freezes, streak.today_done) == (1, 0, False)
    game.hear(lesson_done(student, completed_at=EVENING + 2 * DAY))

    streak = game.of(student, EVENING + 2 * DAY).streak
    assert (streak.current, streak.freezes, streak.today_done) == (2, 0, True)
    assert [event.current for event in game.told(StreakExtended, student)][-2:] == [1, 2]
    [told] = game.told(StreakFrozen, student)
    assert (told.local_date, told.current, told.freezes) == ((EVENING + DAY).date(), 2, 0)
    assert told.frozen_at == EVENING.replace(hour=23) + DAY


def test_a_frozen_day_is_told_once_whatever_else_is_learned_of_it(game: Game, student: UUID) -> None:
    game.enrich(student)
    game.hear(lesson_done(student))
    game.buy(student)
    game.buy(student)
    for _ in range(2):
        game.hear(lesson_done(student, completed_at=EVENING + 3 * DAY))
    game.hear(lesson_done(student, completed_at=EVENING + 3 * DAY, time_zone=TOKYO))

    told = [(event.local_date.day, event.freezes) for event in game.told(StreakFrozen, student)]
    assert told == [(24, 0), (25, 0)]


def test_a_learning_that_arrives_late_for_a_frozen_day_gives_the_freeze_back(game: Game, student: UUID) -> None:
    game.enrich(student)
    game.hear(lesson_done(student))
    game.buy(student)
    game.hear(lesson_done(student, completed_at=EVENING + 2 * DAY))
    game.buy(student, EVENING + 2 * DAY)
    game.buy(student, EVENING + 2 * DAY)

    game.hear(day_studied(student, EVENING + DAY))

    streak = game.of(student, EVENING + 2 * DAY).streak
    assert (streak.current, streak.freezes) == (3, 3)
    with pytest.raises(Conflict, match="limit-reached"):
        game.buy(student, EVENING + 2 * DAY)
    game.assert_adds_up(student)


arrivals = st.tuples(
    st.sampled_from(["learns", "learns", "learns", "buys"]),
    st.integers(0, 24 * 12),
    st.sampled_from([PARIS, PARIS, PARIS, TOKYO]),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(arrivals, min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_whatever_arrives_in_whatever_order_the_row_is_what_ledger_days_and_purchases_come_to(
    game: Game, history: list[tuple[str, int, str]], random: Random
) -> None:
    student = uuid4()
    game.enrich(student, lessons=random.randint(1, 30))
    history.sort(key=lambda arrival: arrival[1] + random.choice([0, 0, 0, 30]))

    for what, hours, zone in history:
        at = EVENING + timedelta(hours=hours)
        if what == "learns":
            learned = lesson_done(student, completed_at=at, time_zone=zone)
            game.hear(*[learned] * random.randint(1, 2))
        else:
            try_to(lambda at=at, zone=zone: game.buy(student, at, zone))  # type: ignore[misc]

    game.assert_adds_up(student)


def try_to(attempt: Callable[[], object]) -> str:
    """How it ended."""
    try:
        attempt()
    except ServiceError as error:
        return error.problem
    return "done"


def at_once(attempts: Sequence[Callable[[], object]]) -> list[str]:
    """How each ended when threads begin all of them at the same moment."""
    begin = threading.Barrier(len(attempts))
    outcomes: list[str] = []

    def run(attempt: Callable[[], object]) -> None:
        begin.wait()
        try:
            outcomes.append(try_to(attempt))
        except BaseException as error:
            outcomes.append(repr(error))

    threads = [threading.Thread(target=run, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcomes


def test_thirty_two_threads_on_one_wallet_neither_overdraw_it_nor_lose_anything(
    crowded_game: Game, student: UUID
) -> None:
    game = crowded_game
    game.enrich(student, lessons=6)

    def buy() -> Purchased:
        return game.buy(student, EVENING)

    def learn() -> None:
        game.hear(lesson_done(student, completed_at=EVENING))

    outcomes = at_once([buy, learn] * 16)

    assert outcomes.count("done") == 16 + 2
    assert set(outcomes) <= {"done", "limit-reached", "not-enough-points"}
    assert game.of(student).points == (6 + 16) * 20 - 2 * 100
    game.assert_adds_up(student)


def test_of_many_who_spend_the_same_points_at_once_one_does(crowded_game: Game, student: UUID) -> None:
    game = crowded_game
    game.enrich(student, lessons=5)
    request_id = uuid4()

    outcomes = at_once(
        [lambda: game.buy(student, EVENING)] * 16 + [lambda: game.buy(student, EVENING, request_id=request_id)] * 16
    )

    assert game.of(student).points == 0
    assert sorted(row[2:] for row in game.rows(student) if row[0] == "purchase") == [(0, -100)]
    is_the_repeated_one = ("purchase", request_id, 0, -100) in game.rows(student)
    assert outcomes.count("done") == (16 if is_the_repeated_one else 1)
    assert outcomes.count("not-enough-points") == 32 - outcomes.count("done")
    game.assert_adds_up(student)


def test_a_purchase_that_does_not_commit_takes_nothing(game: Game, student: UUID) -> None:
    game.enrich(student)

    def die_before_the_commit() -> None:
        with game.database.unit_of_work() as unit_of_work:
            shop.purchase_item(unit_of_work, student, "streak_freeze", uuid4(), PARIS, EVENING)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        die_before_the_commit()

    assert (game.of(student).points, game.of(student).streak.freezes) == (400, 0)
    game.assert_adds_up(student)
