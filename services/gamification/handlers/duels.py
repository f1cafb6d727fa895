"""The use cases of duels. Whom other services are asked about is asked before the transaction, never in it.

What time alone changes (a question's time is over, a run's, a duel's) is written by whoever comes next: a player, a
reader, or the timer.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.context import current_trace
from chassis.database import Database, UnitOfWork, is_database_away, is_locked_out
from chassis.rpc_client import Caller
from chassis.telemetry import get_logger
from contracts.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from contracts.events.accounts import Role
from services.gamification import duels, stakes
from services.gamification.badges import Fact, award
from services.gamification.domain import duels as rules
from services.gamification.domain import streak as streaks
from services.gamification.domain.streak import UnknownTimeZone
from services.gamification.duels import Duel, Mode, PlayedRun, VoidReason
from services.gamification.handlers.learning import Learned, days_learned
from services.gamification.queries import duels as queries
from services.gamification.queries.duels import ChallengeView, DuelPage, DuelView, QuestionView
from services.gamification.quizzes import Chapters, ChapterWithQuiz
from services.gamification.students import Student, lock, save
from services.gamification.tables import served_quizzes

ANSWER_SECONDS = 1.0
DUE_AT_ONCE = 100

_TOKEN_BYTES = 16

_log = get_logger("duels")


@dataclass(frozen=True)
class Wanted:
    """A duel that someone wants to make, once for a `duel_id`; the roles are the accounts'."""

    user_id: UUID
    role: Role
    chapter_id: UUID
    mode: Mode
    opponent_id: UUID | None = None
    opponent_role: Role = "student"
    duel_id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True)
class Verdict:
    """What became of an answer; `score` is the run's so far, over all questions."""

    correct: bool
    right_choice: int
    points: int
    score: int


@dataclass(frozen=True)
class Accepted:
    """The duel against a challenge, and whether it is new."""

    duel: DuelView
    created: bool


class _RunIsOver(Exception):
    """Another run on the same quiz is over, but not yet written so."""

    def __init__(self, duel_id: UUID) -> None:
        self.duel_id = duel_id


def create_duel(database: Database, chapters: Chapters, rpc: Caller, wanted: Wanted, now: datetime) -> DuelView:
    """Make a duel, or a challenge to be shared.

    Raises `NotFound`, `Forbidden("purchase-required")`, `Invalid`, and `Conflict` as "opponent-without-access",
    "no-quiz", "limit-reached" or "unanswered-challenges".
    """
    if wanted.mode == "live" and wanted.opponent_id is None:
        raise Invalid(errors=(FieldError("/opponent_id", "required"),))
    if wanted.mode == "link" and wanted.opponent_id is not None:
        raise Invalid(errors=(FieldError("/opponent_id", "only-for-live"),))
    if wanted.opponent_id == wanted.user_id:
        raise Invalid(errors=(FieldError("/opponent_id", "oneself"),))
    chapter, accesses = _playable(chapters, rpc, wanted)
    if not chapter.questions:
        raise Conflict("no-quiz")
    duel = _new_duel(wanted.duel_id, wanted.mode, chapter, wanted.user_id, wanted.opponent_id, now)
    duel = replace(duel, for_honour=duel.mode == "link" or rules.is_for_honour(accesses))
    with database.unit_of_work() as unit_of_work:
        connection = unit_of_work.connection
        # behind this lock nobody makes one too many
        lock(connection, {wanted.user_id})
        made = duels.read(connection, [wanted.duel_id]).get(wanted.duel_id)
        if made is not None and made.challenger_id == wanted.user_id:
            (view,) = queries.duel_views(connection, [made], wanted.user_id)
            return view
        if queries.open_challenges(connection, wanted.user_id) >= rules.OPEN_CHALLENGES:
            raise Conflict("limit-reached", members={"maximum": rules.OPEN_CHALLENGES})
        if wanted.opponent_id is not None:
            since = now - rules.EXPIRES_AFTER
            unanswered = queries.unanswered_challenges(connection, wanted.user_id, wanted.opponent_id, since)
            if unanswered >= rules.UNANSWERED_CHALLENGES:
                raise Conflict("unanswered-challenges", members={"maximum": rules.UNANSWERED_CHALLENGES})
        duels.add(unit_of_work, duel)
        (view,) = queries.duel_views(connection, [duel], wanted.user_id)
    return view


def _playable(chapters: Chapters, rpc: Caller, wanted: Wanted) -> tuple[ChapterWithQuiz, list[str]]:
    """The chapter, and why the players may see its course."""
    chapter = _chapter(chapters, wanted.chapter_id)
    accesses = [_access(rpc, chapter.course_id, wanted.user_id, wanted.role)]
    if wanted.opponent_id is not None:
        try:
            accesses.append(_access(rpc, chapter.course_id, wanted.opponent_id, wanted.opponent_role))
        except (Forbidden, NotFound) as error:
            raise Conflict("opponent-without-access") from error
    return chapter, accesses


def _chapter(chapters: Chapters, chapter_id: UUID) -> ChapterWithQuiz:
    chapter = chapters.with_quiz(chapter_id)
    if chapter is None:
        raise NotFound
    return chapter


def _access(rpc: Caller, course_id: UUID, user_id: UUID, role: str) -> str:
    """Why someone may see a course. Raises `NotFound` or `Forbidden` when they may not."""
    answer: Any = rpc.call(
        "progress", "check_course_access", deadline=ANSWER_SECONDS, user_id=user_id, course_id=course_id, role=role
    )
    if not answer["has_access"]:
        raise Forbidden("purchase-required")
    reason: str = answer["reason"]
    return reason


def _new_duel(
    duel_id: UUID, mode: Mode, chapter: ChapterWithQuiz, challenger_id: UUID, opponent_id: UUID | None, now: datetime
) -> Duel:
    return Duel(
        duel_id=duel_id,
        challenge_id=None,
        mode=mode,
        state="open",
        chapter_id=chapter.chapter_id,
        course_id=chapter.course_id,
        challenger_id=challenger_id,
        opponent_id=opponent_id,
        for_honour=True,
        token=secrets.token_urlsafe(_TOKEN_BYTES) if mode == "link" else None,
        limit=timedelta(seconds=chapter.time_limit_seconds),
        questions=chapter.questions,
        sequence=1,
        created_at=now,
        expires_at=now + rules.EXPIRES_AFTER,
        ended_at=None,
        winner_id=None,
        points_moved=0,
        void_reason=None,
        runs={},
    )


def get_opponents(
    database: Database, chapters: Chapters, rpc: Caller, user_id: UUID, role: Role, chapter_id: UUID
) -> list[UUID]:
    """Whom someone may want to challenge on a chapter: squad mates, then past rivals, those with access to it."""
    chapter = _chapter(chapters, chapter_id)
    _access(rpc, chapter.course_id, user_id, role)
    with database.snapshot() as connection:
        known = [*queries.squad_mates(connection, user_id), *queries.past_rivals(connection, user_id)]
    candidates = [other for other in dict.fromkeys(known) if other != user_id]
    if not candidates:
        return []
    answer: Any = rpc.call(
        "progress",
        "get_those_with_access",
        deadline=ANSWER_SECONDS,
        course_id=chapter.course_id,
        user_ids=candidates,
    )
    may = set(answer["user_ids"])
    return [other for other in candidates if str(other) in may]


def decline_duel(database: Database, duel_id: UUID, user_id: UUID, now: datetime) -> DuelView:
    """Let the rival decline, before they were served a question; the same again for one declined before.

    Raises `NotFound`, `Forbidden` for the challenger, and `Conflict` as "duel-begun", or as "duel-by-link" where nobody
    waits for them.
    """
    with database.unit_of_work() as unit_of_work:
        duel = _settled(unit_of_work, _locked(unit_of_work.connection, duel_id, user_id), now)
        if user_id != duel.opponent_id:
            raise Forbidden
        if duel.mode == "link":
            raise Conflict("duel-by-link")
        if duel.void_reason != "declined":
            if duel.is_over or user_id in duel.runs:
                raise Conflict("duel-begun")
            duel = _void(unit_of_work, duel, "declined", now)
        (view,) = queries.duel_views(unit_of_work.connection, [duel], user_id)
    return view


def serve_question(
    database: Database,
    duel_id: UUID,
    user_id: UUID,
    time_zone: str,
    academy_time_zone: str,
    clock: Callable[[], datetime],
) -> QuestionView:
    """Serve a player the next question, or again the one that waits for an answer, its time running on.

    The `clock` is read behind the locks: a question's time does not run while they are waited for. Raises `NotFound`,
    `Invalid`, and `Conflict` as "run-over", "duel-void" or "quiz-in-play".
    """
    _check_time_zone(clock(), time_zone)
    while True:
        try:
            with database.unit_of_work() as unit_of_work:
                duel = _locked(unit_of_work.connection, duel_id, user_id)
                now = clock()
                duel = _settled(unit_of_work, duel, now)
                _refuse_over(duel, user_id)
                if user_id in duel.runs:
                    played = duel.runs[user_id]
                    after = PlayedRun(rules.served_next(played.run, now), time_zone, played.choices)
                    duel = _played(unit_of_work, duel, {user_id: after}, now)
                else:
                    duel = _begun(unit_of_work, duel, user_id, time_zone, academy_time_zone, clock)
                return queries.question_view(duel, user_id, clock())
        except _RunIsOver as other:
            settle_duel(database, other.duel_id, clock())


def answer_question(
    database: Database, duel_id: UUID, user_id: UUID, time_zone: str, index: int, choice: int, now: datetime
) -> Verdict:
    """Take a player's answer to the question that was served last.

    Raises `NotFound`, `Invalid` for a choice that is none, and `Conflict` as "already-answered" (with what became of
    that answer), "too-late", "not-served", "run-over" or "duel-void".
    """
    _check_time_zone(now, time_zone)
    with database.unit_of_work() as unit_of_work:
        duel = _settled(unit_of_work, _locked(unit_of_work.connection, duel_id, user_id), now)
        if duel.state != "void" and user_id in duel.awaited and user_id in duel.runs:
            _refuse_settled(duel, user_id, index)
        _refuse_over(duel, user_id)
        if user_id not in duel.runs or index != duel.runs[user_id].run.served - 1:
            raise Conflict("not-served", members={"index": index})
        question = duel.questions[index]
        if not 0 <= choice < len(question.choices):
            raise Invalid(errors=(FieldError("/choice", "no-such-choice"),))
        played = duel.runs[user_id]
        run = rules.answered(played.run, choice == question.answer, now)
        _played(unit_of_work, duel, {user_id: PlayedRun(run, time_zone, (*played.choices, choice))}, now)
        return Verdict(choice == question.answer, question.answer, run.marks[index], run.score)


def get_duel(database: Database, duel_id: UUID, user_id: UUID, now: datetime) -> DuelView:
    """A duel, for its players. Raises `NotFound` for everybody else."""
    with database.snapshot() as connection:
        duel = duels.read(connection, [duel_id]).get(duel_id)
        if duel is None or user_id not in duel.players:
            raise NotFound
        (view,) = queries.duel_views(connection, [duel], user_id)
    if not _is_due(duel, now):
        return view
    settle_duel(database, duel_id, now)
    with database.snapshot() as connection:
        (view,) = queries.duel_views(connection, [duels.read(connection, [duel_id])[duel_id]], user_id)
    return view


def get_duels(database: Database, user_id: UUID, limit: int, cursor: str | None, now: datetime) -> DuelPage:
    """A page of a player's duels, newest first. Raises `Invalid` when the cursor is none."""
    with database.snapshot() as connection:
        found, _ = queries.duel_page(connection, user_id, limit, cursor)
    for duel in found:
        if _is_due(duel, now):
            settle_duel(database, duel.duel_id, now)
    with database.snapshot() as connection:
        found, following = queries.duel_page(connection, user_id, limit, cursor)
        return DuelPage(queries.duel_views(connection, found, user_id), following)


def get_challenge(database: Database, chapters: Chapters, token: str, now: datetime) -> ChallengeView:
    """A challenge, for everybody. Raises `NotFound` before its challenger has played, and while it is not published."""
    return queries.challenge_view(*_challenge(database, chapters, token, now))


def _challenge(database: Database, chapters: Chapters, token: str, now: datetime) -> tuple[Duel, ChapterWithQuiz]:
    def find() -> Duel:
        with database.snapshot() as connection:
            duel = queries.challenge_by_token(connection, token)
        if duel is None:
            raise NotFound
        return duel

    duel = find()
    if _is_due(duel, now):
        settle_duel(database, duel.duel_id, now)
        duel = find()
    if duel.state != "finished":
        raise NotFound
    chapter = chapters.published(duel.chapter_id)
    if chapter is None:
        raise NotFound
    return duel, chapter


def accept_challenge(database: Database, chapters: Chapters, token: str, user_id: UUID, now: datetime) -> Accepted:
    """The duel of someone against a challenge, made at the first time; after one that was void, another.

    Raises `NotFound` as `get_challenge`, and `Invalid` for the challenger.
    """
    challenge, chapter = _challenge(database, chapters, token, now)
    if user_id == challenge.challenger_id:
        raise Invalid(errors=(FieldError("/token", "own-challenge"),))
    new = replace(
        _new_duel(uuid4(), "link", chapter, challenge.challenger_id, user_id, now),
        challenge_id=challenge.duel_id,
        token=challenge.token,
        limit=challenge.limit,
        questions=challenge.questions,
        runs=challenge.runs,
    )
    while True:
        with database.unit_of_work() as unit_of_work:
            connection = unit_of_work.connection
            duel_id = queries.accepted_by(connection, challenge.duel_id, user_id)
            if duel_id is None:
                lock(connection, {user_id})
                duel_id = queries.accepted_by(connection, challenge.duel_id, user_id)
            if duel_id is None:
                duels.add(unit_of_work, new)
                return Accepted(queries.duel_views(connection, [new], user_id)[0], created=True)
        view = get_duel(database, duel_id, user_id, now)
        if view.state != "void":
            return Accepted(view, created=False)


def settle(database: Database, now: datetime) -> None:
    """Write what time has made of duels, one by one; any number of processes may do so at once."""
    with database.single_statement() as unit_of_work:
        duel_ids = queries.due(unit_of_work.connection, now, DUE_AT_ONCE)
    for duel_id in duel_ids:
        try:
            with database.unit_of_work() as unit_of_work:
                # the others must not wait for a player whom somebody holds: it will be due again
                unit_of_work.connection.execute(text("set local lock_timeout = '500ms'"))
                duel = duels.lock_if_free(unit_of_work.connection, duel_id)
                if duel is not None:
                    _settled(unit_of_work, duel, now)
        except Exception as error:
            if is_database_away(error):
                raise
            if is_locked_out(error):
                continue
            _log.error("a duel cannot be settled", duel_id=str(duel_id), exc_info=error)


def settle_duel(database: Database, duel_id: UUID, now: datetime) -> None:
    """Write what time has made of a duel."""
    with database.unit_of_work() as unit_of_work:
        duel = duels.lock(unit_of_work.connection, duel_id)
        if duel is not None:
            _settled(unit_of_work, duel, now)


def _check_time_zone(now: datetime, time_zone: str) -> None:
    try:
        streaks.learned(now, time_zone)
    except UnknownTimeZone as error:
        raise Invalid(errors=(FieldError("/time_zone", "time-zone"),)) from error


def _locked(connection: Connection, duel_id: UUID, user_id: UUID) -> Duel:
    duel = duels.lock(connection, duel_id)
    if duel is None or user_id not in duel.players:
        raise NotFound
    return duel


def _refuse_over(duel: Duel, user_id: UUID) -> None:
    if duel.state == "void":
        raise Conflict("duel-void", members={"void_reason": duel.void_reason})
    if user_id in duel.runs and duel.runs[user_id].run.ended_at is not None:
        raise Conflict("run-over", members={"score": duel.runs[user_id].run.score})


def _refuse_settled(duel: Duel, user_id: UUID, index: int) -> None:
    """Raise `Conflict` with all that a client needs to go on when its answer, or ours to it, came too late."""
    played = duel.runs[user_id]
    if not 0 <= index < min(len(played.run.marks), played.run.served):
        return
    choice, marks = played.choices[index], played.run.marks[index]
    members: dict[str, Any] = {"index": index, "points": marks, "score": played.run.score}
    if choice is None:
        raise Conflict("too-late", members=members)
    right = duel.questions[index].answer
    raise Conflict(
        "already-answered",
        members=members | {"choice": choice, "correct": choice == right, "right_choice": right},
    )


def _is_due(duel: Duel, now: datetime) -> bool:
    if duel.is_over:
        return False
    runs = [_left(duel, user_id, now) for user_id in duel.awaited]
    is_newly_over = any(
        played is not None and played.run.ended_at is not None and duel.runs[user_id].run.ended_at is None
        for user_id, played in zip(duel.awaited, runs, strict=True)
    )
    return is_newly_over or _state(duel, runs, now) != duel.state


def _left(duel: Duel, user_id: UUID, now: datetime) -> PlayedRun | None:
    """A player's run as time alone has left it."""
    played = duel.runs.get(user_id)
    if played is None:
        return None
    return _with_run(played, rules.settled(played.run, now))


def _with_run(played: PlayedRun, run: rules.Run) -> PlayedRun:
    """What was played, with the run that time has made of it: nothing was chosen where time was over."""
    return replace(played, run=run, choices=played.choices + (None,) * (len(run.marks) - len(played.choices)))


def _state(duel: Duel, runs: Sequence[PlayedRun | None], now: datetime) -> rules.State:
    return rules.state_of([None if played is None else played.run for played in runs], duel.expires_at, now)


def _settled(unit_of_work: UnitOfWork, duel: Duel, now: datetime) -> Duel:
    """The locked duel as time alone has left it, written down."""
    if duel.is_over:
        return duel
    runs = {user_id: _left(duel, user_id, now) for user_id in duel.awaited}
    return _played(unit_of_work, duel, {user_id: run for user_id, run in runs.items() if run is not None}, now)


def _played(unit_of_work: UnitOfWork, duel: Duel, runs: Mapping[UUID, PlayedRun], now: datetime) -> Duel:
    """The locked duel with its runs as they are now, and all that follows from them, written down."""
    connection = unit_of_work.connection
    after = replace(duel, runs={**duel.runs, **runs})
    ended = []
    for user_id, played in runs.items():
        before = duel.runs[user_id]
        if played != before:
            duels.change_run(connection, duel, user_id, before, played, now)
        if played.run.ended_at is not None and before.run.ended_at is None:
            ended.append(user_id)
    state = _state(after, [after.runs.get(user_id) for user_id in after.awaited], now)
    if not ended and state == duel.state:
        return after
    students = lock(connection, set(after.players))
    days_learned(unit_of_work, dict(students), students, _learned(after, ended))
    if state == "finished":
        after = _finished(unit_of_work, after, students, now)
    elif state == "void":
        after = _void(unit_of_work, after, "expired", now)
    save(connection, students)
    return after


def _learned(duel: Duel, ended: Sequence[UUID]) -> list[Learned]:
    """A run that its player went through to the last question is a day of learning, in every mode."""
    cause = current_trace()
    learned = []
    for user_id in ended:
        played = duel.runs[user_id]
        if played.run.is_last_served and played.run.ended_at is not None:
            learning = streaks.learned(played.run.ended_at, played.time_zone)
            learned.append(Learned(user_id, learning, cause))
    return learned


def _begun(
    unit_of_work: UnitOfWork,
    duel: Duel,
    user_id: UUID,
    time_zone: str,
    academy_time_zone: str,
    clock: Callable[[], datetime],
) -> Duel:
    """The locked duel with the first question served to a player, written down; the second one's start takes the stake.

    Raises `Conflict("quiz-in-play")` while the player has another run on the same quiz: it would tell them the answers.
    """
    connection = unit_of_work.connection
    students = lock(connection, set(duel.awaited))
    now = clock()
    other = queries.running(connection, user_id, duel.chapter_id)
    if other is not None:
        if other[1] < now:
            raise _RunIsOver(other[0])
        raise Conflict("quiz-in-play", members={"duel_id": str(other[0])})
    played = PlayedRun(rules.begun(len(duel.questions), duel.limit, now), time_zone)
    duels.add_run(connection, duel, user_id, played)
    connection.execute(
        insert(served_quizzes)
        .values(user_id=user_id, chapter_id=duel.chapter_id, duel_id=duel.duel_id, served_at=now)
        .on_conflict_do_nothing()
    )
    after = replace(duel, runs={**duel.runs, user_id: played})
    if duel.mode == "live" and len(after.runs) == len(duel.players):
        stakes.hold(connection, after, students, now, academy_time_zone)
        save(connection, students)
    if duel.state == "open":
        after = duels.change(unit_of_work, replace(after, state="playing"), now)
    return after


def _void(unit_of_work: UnitOfWork, duel: Duel, reason: VoidReason, now: datetime) -> Duel:
    """The locked duel without a result, written down; whoever was playing need not go on."""
    runs = {}
    for user_id in duel.awaited:
        if user_id in duel.runs and duel.runs[user_id].run.ended_at is None:
            played = duel.runs[user_id]
            runs[user_id] = _with_run(played, rules.cut_short(played.run, now))
            duels.change_run(unit_of_work.connection, duel, user_id, played, runs[user_id], now)
    after = replace(duel, runs={**duel.runs, **runs}, state="void", ended_at=now, void_reason=reason)
    return duels.change(unit_of_work, after, now)


def _finished(unit_of_work: UnitOfWork, duel: Duel, students: dict[UUID, Student], now: datetime) -> Duel:
    """The locked duel, which all have played, with its winner, written down; the stake goes to its new owner.

    The students are locked, and saved afterwards.
    """
    scores = {user_id: duel.runs[user_id].run.score for user_id in duel.players}
    winner_id = rules.winner(scores) if len(scores) > 1 else None
    if winner_id is not None and duel.mode == "live":
        award(unit_of_work, [Fact(winner_id, "duel_won", str(duel.duel_id), now)])
    elif winner_id is not None and winner_id == duel.challenger_id:
        award(unit_of_work, [Fact(winner_id, "challenge_unbeaten", str(duel.opponent_id), now)])
    moved = stakes.release(unit_of_work, duel, students, winner_id, now)
    return duels.change(
        unit_of_work,
        replace(duel, state="finished", ended_at=now, winner_id=winner_id, points_moved=moved),
        now,
    )
