"""Duels: what an answer earns, how long a run lasts, who wins what."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gamification.domain import duels
from services.gamification.domain.duels import Run

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
T = timedelta(seconds=20)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@pytest.mark.parametrize(
    ("after", "points"),
    [(0, 1000), (0.499999, 1000), (0.5, 988), (1, 975), (10, 750), (19.99, 500), (20, 500)],
)
def test_a_right_answer_earns_less_with_every_moment_and_half_of_it_at_the_end(after: float, points: int) -> None:
    assert duels.marks_for(True, seconds(after), T) == points
    assert duels.marks_for(False, seconds(after), T) == 0


@given(st.integers(5, 300), st.integers(0, 300_000_000), st.integers(0, 300_000_000))
def test_marks_are_the_formula_rounded_half_up_and_never_more_for_the_slower(limit: int, one: int, other: int) -> None:
    allowed = limit * 1_000_000
    fast, slow = sorted((one % (allowed + 1), other % (allowed + 1)))

    first, second = (duels.marks_for(True, timedelta(microseconds=t), seconds(limit)) for t in (fast, slow))

    assert 500 <= second <= first <= 1000
    if slow >= 500_000:
        exact = 1000 * (1 - Fraction(slow, 2 * allowed))
        assert second == (exact + Fraction(1, 2)).__floor__()
    else:
        assert second == 1000


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50))
def test_a_score_is_the_mean_over_all_questions_rounded_half_up(marks: list[int]) -> None:
    run = Run(len(marks), T, NOON, NOON, len(marks), tuple(marks), NOON)

    assert run.score == (Fraction(sum(marks), len(marks)) + Fraction(1, 2)).__floor__()
    assert 0 <= run.score <= 1000


def test_a_question_that_waits_is_served_again_with_its_running_deadline() -> None:
    run = duels.begun(2, T, NOON)

    again = duels.served_next(duels.settled(run, NOON + seconds(19)), NOON + seconds(19))

    assert again == run
    assert again.deadline == NOON + T


def test_an_answer_on_the_deadline_is_in_time_and_a_moment_later_the_question_is_lost() -> None:
    run = duels.begun(2, T, NOON)

    assert duels.settled(run, NOON + T).is_waiting
    assert duels.settled(run, NOON + T + timedelta(microseconds=1)).marks == (0,)


def test_a_run_ends_n_times_the_limit_and_10_s_after_its_first_question() -> None:
    run = duels.answered(duels.begun(3, T, NOON), True, NOON)
    end = NOON + seconds(90)

    assert duels.settled(run, end) == run
    over = duels.settled(run, end + seconds(3600))
    assert (over.marks, over.ended_at, over.score) == ((1000, 0, 0), end, 333)
    assert duels.settled(over, end + seconds(7200)) == over


def test_a_question_served_at_the_end_of_the_run_lasts_no_longer_than_the_run() -> None:
    late = NOON + seconds(85)
    run = duels.served_next(duels.answered(duels.begun(3, T, NOON), True, NOON), late)

    assert run.deadline == NOON + seconds(90)


def test_a_run_whose_last_question_waits_is_over_at_its_deadline() -> None:
    run = duels.served_next(duels.answered(duels.begun(2, T, NOON), True, NOON), NOON + seconds(1))

    assert duels.settled(run, NOON + seconds(22)).ended_at == NOON + seconds(21)


def test_a_clock_that_is_a_moment_behind_costs_nothing() -> None:
    run = duels.answered(duels.begun(1, T, NOON), True, NOON - seconds(1))

    assert (run.score, run.ended_at) == (1000, NOON)


@dataclass
class PlainRun:
    """What a run is in plain words: every question with when it was served, and what it earned."""

    questions: int
    limit: int
    served: list[int] = field(default_factory=list)
    earned: dict[int, int] = field(default_factory=dict)
    now: int = 0

    def end(self) -> int:
        return self.served[0] + self.questions * (self.limit + 10)

    def wait(self, moment: int) -> None:
        self.now = moment
        if not self.served:
            return
        for index, at in enumerate(self.served):
            if moment > min(at + self.limit, self.end()):
                self.earned.setdefault(index, 0)
        if moment > self.end():
            for index in range(self.questions):
                self.earned.setdefault(index, 0)

    def over(self) -> bool:
        return len(self.earned) == self.questions

    def ask(self) -> int | None:
        """The index of the question that is served, nothing when none is left."""
        if self.over():
            return None
        if len(self.earned) == len(self.served):
            self.served.append(self.now)
        return len(self.served) - 1

    def answer(self, right: bool) -> bool:
        """Whether there was something to answer."""
        index = len(self.served) - 1
        if index < 0 or index in self.earned:
            return False
        taken = self.now - self.served[index]
        full = Fraction(1000) if taken == 0 else 1000 - Fraction(1000 * taken, 2 * self.limit)
        self.earned[index] = (full + Fraction(1, 2)).__floor__() if right else 0
        return True


steps = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["ask", "right", "wrong", "nothing", "ask"])), min_size=1, max_size=25
)


@settings(max_examples=300)
@given(st.integers(1, 5), st.integers(5, 30), steps)
def test_whatever_a_player_does_and_whenever_a_run_is_as_its_plain_words(
    questions: int, limit: int, steps: list[tuple[int, str]]
) -> None:
    plain = PlainRun(questions, limit)
    run: Run | None = None
    moment = 0
    for pause, what in steps:
        moment += pause
        now = NOON + seconds(moment)
        plain.wait(moment)
        run = run and duels.settled(run, now)
        if what == "ask":
            index = plain.ask()
            if run is None:
                run = duels.begun(questions, seconds(limit), now)
            elif run.ended_at is None:
                run = duels.served_next(run, now)
            assert index is None or run.served - 1 == index
        elif what in ("right", "wrong") and plain.answer(what == "right"):
            assert run is not None
            assert run.is_waiting
            run = duels.answered(run, what == "right", now)
        else:
            assert what == "nothing" or run is None or not run.is_waiting
        if run is not None:
            assert run.marks == tuple(plain.earned[index] for index in range(len(run.marks)))
            assert len(run.marks) == len(plain.earned)
            assert (run.ended_at is not None) == plain.over()
            assert run.ended_at is None or run.ended_at <= now
    if run is not None:
        over = duels.settled(run, run.over_at + seconds(1))
        assert (len(over.marks), over.ended_at is not None) == (questions, True)
        assert over.marks[: len(run.marks)] == run.marks


WAITING = duels.begun(1, T, NOON)
OVER = duels.answered(WAITING, True, NOON)
EXPIRES = NOON + duels.EXPIRES_AFTER


@pytest.mark.parametrize(
    ("runs", "before", "after"),
    [
        ((None, None), "open", "void"),
        ((WAITING, None), "playing", "void"),
        ((None, OVER), "playing", "void"),
        ((WAITING, WAITING), "playing", "playing"),
        ((OVER, WAITING), "playing", "playing"),
        ((OVER, OVER), "finished", "finished"),
        ((None,), "open", "void"),
        ((WAITING,), "playing", "playing"),
        ((OVER,), "finished", "finished"),
    ],
)
def test_a_duel_is_void_after_72_hours_only_if_somebody_was_never_served(
    runs: tuple[Run | None, ...], before: str, after: str
) -> None:
    assert duels.state_of(runs, EXPIRES, EXPIRES - seconds(1)) == before
    assert duels.state_of(runs, EXPIRES, EXPIRES) == after


def test_who_scores_most_wins_and_nobody_wins_a_draw() -> None:
    assert duels.winner({"awa": 900, "ber": 899}) == "awa"
    assert duels.winner({"awa": 0, "ber": 1}) == "ber"
    assert duels.winner({"awa": 700, "ber": 700}) is None


def test_a_stake_is_50_or_all_that_the_poorer_one_has() -> None:
    assert duels.stake([80, 60], seen=False, of_pair=0, of_each=[0, 0]) == 50
    assert duels.stake([80, 20], seen=False, of_pair=2, of_each=[9, 9]) == 20
    assert duels.stake([0, 20], seen=False, of_pair=0, of_each=[0, 0]) == 0


@pytest.mark.parametrize(("seen", "of_pair", "of_each"), [(True, 0, [0, 0]), (False, 3, [3, 3]), (False, 0, [10, 0])])
def test_a_quiz_seen_before_a_fourth_time_with_the_same_or_an_eleventh_in_a_week_are_for_honour(
    seen: bool, of_pair: int, of_each: list[int]
) -> None:
    assert duels.stake([80, 80], seen=seen, of_pair=of_pair, of_each=of_each) == 0


@pytest.mark.parametrize(
    ("accesses", "for_honour"),
    [(("purchase", "free"), False), (("free", "author"), True), (("admin", "gift"), True)],
)
def test_who_knows_the_answers_plays_for_honour(accesses: tuple[str, str], for_honour: bool) -> None:
    assert duels.is_for_honour(accesses) is for_honour
