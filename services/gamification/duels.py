"""Duels as they are kept: whoever changes anything of a duel locks its row first, then its players' rows.

One duel a transaction: two could be locked in one order here and in another there.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import insert, text, update
from sqlalchemy.engine import Connection

from chassis.database import UnitOfWork
from contracts.events.catalog import QuizQuestion
from contracts.events.gamification import DuelChanged
from services.gamification.domain.duels import Run, State
from services.gamification.tables import duel_answers, duel_runs, duels

Mode = Literal["live", "link"]
VoidReason = Literal["declined", "expired"]


@dataclass(frozen=True)
class PlayedRun:
    """A player's run, where the player was, and what they chose; None for a question whose time was over."""

    run: Run
    time_zone: str
    choices: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class Duel:
    """A duel with its quiz and the runs that count in it.

    `challenge_id` names the challenge that the opponent accepted: it has the quiz, the token and the challenger's run.
    """

    duel_id: UUID
    challenge_id: UUID | None
    mode: Mode
    state: State
    chapter_id: UUID
    course_id: UUID
    challenger_id: UUID
    opponent_id: UUID | None
    for_honour: bool
    token: str | None
    limit: timedelta
    questions: tuple[QuizQuestion, ...]
    sequence: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    winner_id: UUID | None
    points_moved: int
    void_reason: VoidReason | None
    runs: Mapping[UUID, PlayedRun]

    @property
    def players(self) -> tuple[UUID, ...]:
        """The challenger and, where there is one, the opponent."""
        return (self.challenger_id,) if self.opponent_id is None else (self.challenger_id, self.opponent_id)

    @property
    def awaited(self) -> tuple[UUID, ...]:
        """Whose runs decide how the duel goes on: who accepted a challenge finds the challenger's finished."""
        return self.players if self.challenge_id is None else self.players[1:]

    @property
    def is_over(self) -> bool:
        """Whether nothing changes any more."""
        return self.state in ("finished", "void")


_FIND = """
    select duels.duel_id, duels.challenge_id, duels.mode, duels.state, duels.chapter_id, duels.course_id,
        duels.challenger_id, duels.opponent_id, duels.for_honour, duels.sequence, duels.created_at, duels.expires_at,
        duels.ended_at, duels.winner_id, duels.points_moved, duels.void_reason,
        coalesce(duels.token, challenge.token) as token,
        coalesce(duels.time_limit_seconds, challenge.time_limit_seconds) as time_limit_seconds,
        coalesce(duels.questions, challenge.questions) as questions
    from duels left join duels as challenge on challenge.duel_id = duels.challenge_id
    where duels.duel_id = any(cast(:duel_ids as uuid[]))
"""
_READ = text(_FIND)
_LOCK = text(f"{_FIND} for no key update of duels")
_LOCK_IF_FREE = text(f"{_FIND} for no key update of duels skip locked")
_RUNS = text(
    """
    select run.duel_id, run.user_id, run.time_zone, run.started_at, run.served, run.served_at, run.ended_at,
        array_agg(answer.marks order by answer.question) filter (where answer.question is not null) as marks,
        array_agg(answer.choice order by answer.question) filter (where answer.question is not null) as choices
    from duel_runs as run left join duel_answers as answer using (duel_id, user_id)
    where run.duel_id = any(cast(:duel_ids as uuid[]))
    group by run.duel_id, run.user_id
    """
)


def lock(connection: Connection, duel_id: UUID) -> Duel | None:
    """The duel, locked until the transaction ends, or None when there is none."""
    return _found(connection, _LOCK, [duel_id]).get(duel_id)


def lock_if_free(connection: Connection, duel_id: UUID) -> Duel | None:
    """The duel, locked until the transaction ends, or None while another process has it."""
    return _found(connection, _LOCK_IF_FREE, [duel_id]).get(duel_id)


def read(connection: Connection, duel_ids: Iterable[UUID]) -> dict[UUID, Duel]:
    """Those of the duels that there are."""
    return _found(connection, _READ, duel_ids)


def _found(connection: Connection, statement: Any, duel_ids: Iterable[UUID]) -> dict[UUID, Duel]:
    rows = connection.execute(statement, {"duel_ids": list(duel_ids)}).all()
    sources = {row.duel_id for row in rows} | {row.challenge_id for row in rows if row.challenge_id}
    runs: dict[UUID, dict[UUID, Any]] = defaultdict(dict)
    for run in connection.execute(_RUNS, {"duel_ids": list(sources)}) if sources else ():
        runs[run.duel_id][run.user_id] = run
    return {row.duel_id: _duel(row, runs[row.challenge_id] | runs[row.duel_id]) for row in rows}


def _duel(row: Any, runs: Mapping[UUID, Any]) -> Duel:
    fields = row._asdict()
    limit = timedelta(seconds=fields.pop("time_limit_seconds"))
    questions = msgspec.convert(fields.pop("questions"), tuple[QuizQuestion, ...])
    played = {
        user_id: PlayedRun(
            Run(
                questions=len(questions),
                limit=limit,
                started_at=run.started_at,
                served_at=run.served_at,
                served=run.served,
                marks=tuple(run.marks or ()),
                ended_at=run.ended_at,
            ),
            run.time_zone,
            tuple(run.choices or ()),
        )
        for user_id, run in runs.items()
    }
    return Duel(**fields, limit=limit, questions=questions, runs=played)


def add(unit_of_work: UnitOfWork, duel: Duel) -> None:
    """Keep a new duel and tell of it."""
    has_quiz = duel.challenge_id is None
    unit_of_work.connection.execute(
        insert(duels).values(
            duel_id=duel.duel_id,
            challenge_id=duel.challenge_id,
            mode=duel.mode,
            state=duel.state,
            chapter_id=duel.chapter_id,
            course_id=duel.course_id,
            challenger_id=duel.challenger_id,
            opponent_id=duel.opponent_id,
            for_honour=duel.for_honour,
            token=duel.token if has_quiz else None,
            time_limit_seconds=duel.limit // timedelta(seconds=1) if has_quiz else None,
            questions=msgspec.to_builtins(duel.questions) if has_quiz else None,
            sequence=duel.sequence,
            created_at=duel.created_at,
            expires_at=duel.expires_at,
        )
    )
    _tell(unit_of_work, duel, duel.created_at)


def change(unit_of_work: UnitOfWork, duel: Duel, at: datetime) -> Duel:
    """Keep the new state of a locked duel and tell of it; its sequence grows."""
    after = replace(duel, sequence=duel.sequence + 1)
    unit_of_work.connection.execute(
        update(duels)
        .where(duels.c.duel_id == after.duel_id)
        .values(
            state=after.state,
            sequence=after.sequence,
            ended_at=after.ended_at,
            winner_id=after.winner_id,
            points_moved=after.points_moved,
            void_reason=after.void_reason,
        )
    )
    _tell(unit_of_work, after, at)
    return after


def add_run(connection: Connection, duel: Duel, user_id: UUID, played: PlayedRun) -> None:
    """Keep the run that a player of a locked duel has begun."""
    connection.execute(
        insert(duel_runs).values(
            duel_id=duel.duel_id,
            user_id=user_id,
            chapter_id=duel.chapter_id,
            time_zone=played.time_zone,
            started_at=played.run.started_at,
            served=played.run.served,
            served_at=played.run.served_at,
            over_at=played.run.over_at,
        )
    )


def change_run(
    connection: Connection, duel: Duel, user_id: UUID, before: PlayedRun, after: PlayedRun, at: datetime
) -> None:
    """Keep what has happened in a run of a locked duel."""
    run = after.run
    connection.execute(
        update(duel_runs)
        .where(duel_runs.c.duel_id == duel.duel_id, duel_runs.c.user_id == user_id)
        .values(
            time_zone=after.time_zone,
            served=run.served,
            served_at=run.served_at,
            over_at=run.over_at,
            ended_at=run.ended_at,
            score=None if run.ended_at is None else run.score,
        )
    )
    settled = [
        {
            "duel_id": duel.duel_id,
            "user_id": user_id,
            "question": question,
            "choice": after.choices[question],
            "marks": run.marks[question],
            "settled_at": at,
        }
        for question in range(len(before.run.marks), len(run.marks))
    ]
    if settled:
        connection.execute(insert(duel_answers), settled)


def _tell(unit_of_work: UnitOfWork, duel: Duel, at: datetime) -> None:
    unit_of_work.tell(
        DuelChanged(
            duel_id=duel.duel_id,
            chapter_id=duel.chapter_id,
            course_id=duel.course_id,
            mode=duel.mode,
            state=duel.state,
            challenger_id=duel.challenger_id,
            opponent_id=duel.opponent_id,
            expires_at=duel.expires_at,
            changed_at=at,
            winner_id=duel.winner_id,
            points_moved=duel.points_moved,
            void_reason=duel.void_reason,
        ),
        sequence=duel.sequence,
    )
