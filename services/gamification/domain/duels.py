"""Duels: the same timed quiz for both, by the server's clock alone (product.md, "Duel, live" and "Duel, by link").

A right answer after t of the T that a question lasts earns 1000 * (1 - t / 2T), full marks under half a second, rounded
to the nearest whole (half up); a wrong one, or none, earns 0. A score is the mean over all questions, rounded alike.
A run ends n * (T + 10 s) after its first question was served. An instant on a deadline is still in time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar

FULL_MARKS = 1000
FULL_MARKS_WITHIN = timedelta(seconds=0.5)
BETWEEN_QUESTIONS = timedelta(seconds=10)
EXPIRES_AFTER = timedelta(hours=72)
LARGEST_STAKE = 50
PER_PAIR_AND_WEEK = 3
PER_STUDENT_AND_WEEK = 10

OPEN_CHALLENGES = 50
"""How many duels that wait for their rivals someone may have made: each of them calls on somebody."""

UNANSWERED_CHALLENGES = 5
"""How many duels someone may have made, as long as a duel lives, that the same rival has not begun."""

State = Literal["open", "playing", "finished", "void"]
Player = TypeVar("Player")

_MICROSECOND = timedelta(microseconds=1)
_KNOW_THE_ANSWERS = frozenset({"author", "admin"})


@dataclass(frozen=True)
class Run:
    """One player's way through a quiz of `questions` questions that last `limit` each.

    The first `served` questions were served, the last of them at `served_at`; `marks` are the points of those that are
    settled, answered or not. The run is over once `ended_at` says when.
    """

    questions: int
    limit: timedelta
    started_at: datetime
    served_at: datetime
    served: int = 1
    marks: tuple[int, ...] = ()
    ended_at: datetime | None = None

    @property
    def ends_at(self) -> datetime:
        """When the whole run's time is over."""
        return self.started_at + self.questions * (self.limit + BETWEEN_QUESTIONS)

    @property
    def deadline(self) -> datetime:
        """Until when the question served last may be answered."""
        return min(self.served_at + self.limit, self.ends_at)

    @property
    def is_waiting(self) -> bool:
        """Whether the question served last has not been settled."""
        return len(self.marks) < self.served and self.ended_at is None

    @property
    def is_last_served(self) -> bool:
        """Whether the player was shown all the questions."""
        return self.served == self.questions

    @property
    def over_at(self) -> datetime:
        """When the run is over unless the player does something."""
        return self.deadline if self.is_last_served else self.ends_at

    @property
    def score(self) -> int:
        """The mean over all questions of what the settled ones earned."""
        return _rounded(sum(self.marks), self.questions)


def marks_for(right: bool, after: timedelta, limit: timedelta) -> int:
    """The points of an answer given so long after its question was served."""
    if not right:
        return 0
    if after < FULL_MARKS_WITHIN:
        return FULL_MARKS
    taken, allowed = after // _MICROSECOND, limit // _MICROSECOND
    return _rounded(FULL_MARKS * (2 * allowed - taken), 2 * allowed)


def begun(questions: int, limit: timedelta, now: datetime) -> Run:
    """A run whose first question is served now."""
    return Run(questions, limit, now, now)


def settled(run: Run, now: datetime) -> Run:
    """The run as time alone has left it: what was not answered in its time has earned 0."""
    if run.ended_at is not None:
        return run
    if now > run.over_at:
        return cut_short(run, run.over_at)
    if run.is_waiting and now > run.deadline:
        return replace(run, marks=(*run.marks, 0))
    return run


def served_next(run: Run, now: datetime) -> Run:
    """The run, which is settled and not over, with its next question served; the same while one waits for an answer."""
    # clocks of two machines may differ by a moment
    return run if run.is_waiting else replace(run, served=run.served + 1, served_at=max(now, run.served_at))


def answered(run: Run, right: bool, now: datetime) -> Run:
    """The run, which is settled, with the question that waits answered."""
    at = max(now, run.served_at)
    marks = (*run.marks, marks_for(right, at - run.served_at, run.limit))
    return replace(run, marks=marks, ended_at=at if len(marks) == run.questions else None)


def cut_short(run: Run, now: datetime) -> Run:
    """The run ended now, whatever was left of it: its duel has become void."""
    if run.ended_at is not None:
        return run
    unanswered = run.questions - len(run.marks)
    return replace(run, marks=run.marks + (0,) * unanswered, ended_at=max(now, run.served_at))


def state_of(runs: Sequence[Run | None], expires_at: datetime, now: datetime) -> State:
    """The state of a duel that waits for these settled runs, None for one that has not begun, unless it was declined.

    It is void only if somebody was never served a question: who was served and never finished has the score they have.
    """
    if all(run is not None and run.ended_at is not None for run in runs):
        return "finished"
    if None in runs and now >= expires_at:
        return "void"
    return "open" if all(run is None for run in runs) else "playing"


def winner(scores: Mapping[Player, int]) -> Player | None:
    """Who scored most; nobody on a draw."""
    best = max(scores.values())
    first, *others = [player for player, score in scores.items() if score == best]
    return None if others else first


def is_for_honour(accesses: Sequence[str]) -> bool:
    """Whether a duel moves no points because a player may know the answers; `accesses` are why they see the course."""
    return not _KNOW_THE_ANSWERS.isdisjoint(accesses)


def stake(balances: Sequence[int], *, seen: bool, of_pair: int, of_each: Sequence[int]) -> int:
    """What each of two players lays down; 0 in a duel for honour.

    `seen`: one of them was served this quiz before; `of_pair` and `of_each` count this week's duels for points.
    """
    if seen or of_pair >= PER_PAIR_AND_WEEK or max(of_each) >= PER_STUDENT_AND_WEEK:
        return 0
    return min(LARGEST_STAKE, *balances)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
