"""Duels without a bus: catalog and progress answer as they are told, and the clock is ours."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import text

from chassis.database import Database
from contracts.errors import NotFound, Unavailable
from contracts.events.catalog import CourseChanged, OutlineChapter, QuizChanged, QuizQuestion
from contracts.events.gamification import DuelChanged
from services.gamification.courses import keep_courses
from services.gamification.duels import Mode
from services.gamification.handlers import duels
from services.gamification.handlers.duels import Accepted, Verdict, Wanted
from services.gamification.queries.duels import ChallengeView, DuelPage, DuelView, QuestionView
from services.gamification.quizzes import Chapters, keep_quizzes
from tests.services.gamification.game import EVENING, PARIS, Game, lesson_done
from tests.told import course_changed

HANDS = 32
"""How many threads act at the same moment, each on a connection of its own."""
LIMIT = 20
QUESTIONS = tuple(QuizQuestion(f"Question {number} ?", ("oui", "non", "peut-être"), number % 3) for number in range(3))


def quiz(course_id: UUID, questions: Sequence[QuizQuestion] = QUESTIONS, **changes: Any) -> QuizChanged:
    """A quiz of three questions, 20 s each, whose right choices are 0, 1 and 2."""
    values: dict[str, Any] = {
        "chapter_id": uuid4(),
        "course_id": course_id,
        "time_limit_seconds": LIMIT,
        "questions": tuple(questions),
    }
    return QuizChanged(**(values | changes))


def course(*chapters: UUID, **changes: Any) -> CourseChanged:
    """A published course with these chapters."""
    values = {"chapters": tuple(OutlineChapter(chapter, "Un chapitre", True) for chapter in chapters)}
    return course_changed(**(values | changes))


class FakeOthers:
    """Catalog and progress as their methods show them; everybody may see every course, but those in `strangers`.

    `reasons` are why others than those who have it for free may see a course; `silent` are services that do not answer.
    """

    def __init__(self) -> None:
        self.chapters: dict[UUID, tuple[int, CourseChanged, QuizChanged]] = {}
        self.strangers: set[UUID] = set()
        self.reasons: dict[UUID, str] = {}
        self.silent: set[str] = set()
        self.hidden: set[UUID] = set()
        self.asked: list[str] = []

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """The service's answer."""
        assert deadline == 1.0
        self.asked.append(method)
        if service in self.silent:
            raise Unavailable
        answer = getattr(self, method)(**arguments)
        return msgspec.json.decode(msgspec.json.encode(answer))

    def get_chapter_state(self, chapter_id: UUID) -> Any:
        if chapter_id not in self.chapters:
            raise NotFound
        sequence, changed, kept = self.chapters[chapter_id]
        return {"sequence": sequence, "course": changed, "quiz": kept}

    def check_course_access(self, user_id: UUID, course_id: UUID, role: str) -> Any:
        if course_id in self.hidden and user_id in self.strangers:
            raise NotFound
        reason = "none" if user_id in self.strangers else self.reasons.get(user_id, "free")
        return {"has_access": reason != "none", "reason": reason}

    def get_those_with_access(self, course_id: UUID, user_ids: list[UUID]) -> Any:
        return {"user_ids": sorted(set(user_ids) - self.strangers)}


class Arena:
    """The game's duels; `now` only moves when it is told to."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.game = Game(database)
        self.others = FakeOthers()
        self.chapters = Chapters(database, self.others)
        self.now = EVENING
        self.academy_time_zone = PARIS

    def wait(self, seconds: float = 0, **more: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds, **more)

    def chapter(self, questions: Sequence[QuizQuestion] = QUESTIONS, **changes: Any) -> UUID:
        """A chapter of a new published course, with a quiz; the events of both have been heard."""
        chapter_id = uuid4()
        self.publish(course(chapter_id, **changes), questions, 1)
        return chapter_id

    def publish(self, changed: CourseChanged, questions: Sequence[QuizQuestion], sequence: int) -> None:
        """Let a course of one chapter and its quiz be as they are here, and their events be heard."""
        (chapter,) = changed.chapters
        told = quiz(changed.course_id, questions, chapter_id=chapter.id)
        self.others.chapters[chapter.id] = (sequence, changed, told)
        with self.database.unit_of_work() as unit_of_work:
            keep_courses(unit_of_work.connection, [(changed, sequence)])
            keep_quizzes(unit_of_work.connection, [(told, sequence)])

    def player(self, points: int = 100) -> UUID:
        """A student who has earned so many points."""
        user_id = uuid4()
        self.game.hear(*(lesson_done(user_id, completed_at=EVENING - timedelta(days=1)) for _ in range(points // 20)))
        return user_id

    def challenge(self, challenger: UUID, opponent: UUID, chapter_id: UUID | None = None, **changes: Any) -> DuelView:
        """A live duel, on a new chapter unless one is named."""
        return self.create(challenger, chapter_id or self.chapter(), "live", opponent_id=opponent, **changes)

    def create(self, user_id: UUID, chapter_id: UUID, mode: Mode, **changes: Any) -> DuelView:
        """A duel as someone asks for it."""
        wanted = replace(Wanted(user_id, "student", chapter_id, mode), **changes)
        return duels.create_duel(self.database, self.chapters, self.others, wanted, self.now)

    def ask(self, duel: DuelView | UUID, user_id: UUID, time_zone: str = PARIS) -> QuestionView:
        """The question that a player is served."""
        return duels.serve_question(
            self.database, _id(duel), user_id, time_zone, self.academy_time_zone, lambda: self.now
        )

    def answer(self, duel: DuelView | UUID, user_id: UUID, index: int, choice: int, time_zone: str = PARIS) -> Verdict:
        """What becomes of a player's answer."""
        return duels.answer_question(self.database, _id(duel), user_id, time_zone, index, choice, self.now)

    def play(self, duel: DuelView | UUID, user_id: UUID, right: int = 3, after: float = 0, questions: int = 3) -> int:
        """Let someone play a whole run, the first so many questions right, each answered after so long; the score."""
        score = 0
        for index in range(questions):
            assert self.ask(duel, user_id).index == index
            self.wait(after)
            choice = index % 3 if index < right else (index + 1) % 3
            score = self.answer(duel, user_id, index, choice).score
        return score

    def see(self, duel: DuelView | UUID, user_id: UUID) -> DuelView:
        """The duel as one of its players sees it."""
        return duels.get_duel(self.database, _id(duel), user_id, self.now)

    def page(self, user_id: UUID, limit: int = 20, cursor: str | None = None) -> DuelPage:
        """A page of someone's duels."""
        return duels.get_duels(self.database, user_id, limit, cursor, self.now)

    def decline(self, duel: DuelView, user_id: UUID) -> DuelView:
        """Let someone decline."""
        return duels.decline_duel(self.database, duel.id, user_id, self.now)

    def look(self, token: str) -> ChallengeView:
        """A challenge as everybody sees it."""
        return duels.get_challenge(self.database, self.chapters, token, self.now)

    def accept(self, token: str, user_id: UUID) -> Accepted:
        """Someone's duel against a challenge."""
        return duels.accept_challenge(self.database, self.chapters, token, user_id, self.now)

    def shared(self, challenger: UUID, chapter_id: UUID | None = None, **played: Any) -> str:
        """The token of a challenge whose challenger has played."""
        made = self.create(challenger, chapter_id or self.chapter(), "link")
        self.play(made, challenger, **played)
        assert made.token is not None
        return made.token

    def settle(self) -> None:
        """What the timer does."""
        duels.settle(self.database, self.now)

    def opponents(self, user_id: UUID, chapter_id: UUID) -> list[UUID]:
        """Whom someone may want to challenge."""
        return duels.get_opponents(self.database, self.chapters, self.others, user_id, "student", chapter_id)

    def wallet(self, user_id: UUID) -> tuple[int, int]:
        """What someone can spend, and what lies in duels."""
        row = self.game.student(user_id)
        assert row is not None
        return row.points, row.points_held

    def told(self, duel: DuelView | UUID) -> list[DuelChanged]:
        """What was told of a duel, in its order."""
        return self.game.told(DuelChanged, _id(duel))

    def assert_books_balance(self, *user_ids: UUID) -> None:
        """What someone can spend and what is held are the sum of their ledger; what is held are their stakes."""
        statement = text(
            """
            select points, points_held,
                (select coalesce(sum(points), 0) from ledger where ledger.user_id = students.user_id) as earned,
                (select coalesce(sum(points), 0) from duel_stakes
                    where released_at is null and students.user_id in (challenger_id, opponent_id)) as laid_down
            from students where user_id = any(:user_ids)
            """
        )
        with self.database.single_statement() as unit_of_work:
            rows = unit_of_work.connection.execute(statement, {"user_ids": list(user_ids)}).all()
        assert len(rows) == len(set(user_ids))
        for row in rows:
            assert row.points + row.points_held == row.earned
            assert row.points_held == row.laid_down


def at_once(*work: Callable[[], Any]) -> list[Any]:
    """What each of them gives or raises, all begun at the same moment, each in a thread of its own."""
    begin = threading.Barrier(len(work))

    def run(one: Callable[[], Any]) -> Any:
        begin.wait()
        try:
            return one()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


def _id(duel: DuelView | UUID) -> UUID:
    return duel.id if isinstance(duel, DuelView) else duel
