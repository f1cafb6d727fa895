"""What two players lay down in a duel for points: held when the second one starts, released when both have played."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, text
from sqlalchemy.engine import Connection

from chassis.context import current_trace
from chassis.database import UnitOfWork
from services.gamification.accounting import Entry, record
from services.gamification.domain import duels as rules
from services.gamification.domain.weeks import week_of
from services.gamification.domain.xp import Award
from services.gamification.duels import Duel
from services.gamification.students import Student
from services.gamification.tables import duel_stakes

_FACTS = text(
    """
    select
        exists (
            select from served_quizzes
            where user_id in (:challenger_id, :opponent_id) and chapter_id = :chapter_id and duel_id <> :duel_id
        ) as seen,
        (select count(*) from duel_stakes where week = :week and (
            (challenger_id = :challenger_id and opponent_id = :opponent_id)
            or (challenger_id = :opponent_id and opponent_id = :challenger_id)
        )) as of_pair,
        (select count(*) from duel_stakes where week = :week
            and (challenger_id = :challenger_id or opponent_id = :challenger_id)) as of_challenger,
        (select count(*) from duel_stakes where week = :week
            and (challenger_id = :opponent_id or opponent_id = :opponent_id)) as of_opponent
    """
)
_RELEASE = text(
    "update duel_stakes set released_at = :now, winner_id = :winner_id "
    "where duel_id = :duel_id and released_at is null returning points"
)


def hold(connection: Connection, duel: Duel, students: dict[UUID, Student], now: datetime, time_zone: str) -> None:
    """Take the stake of both players, who are locked and to be saved afterwards, if the duel is for points.

    `time_zone` is the academy's: limits are counted by its weeks.
    """
    assert duel.opponent_id is not None
    if duel.for_honour:
        return
    players = {"challenger_id": duel.challenger_id, "opponent_id": duel.opponent_id}
    week = week_of(now, time_zone)
    facts = connection.execute(
        _FACTS, {**players, "chapter_id": duel.chapter_id, "duel_id": duel.duel_id, "week": week}
    ).one()
    points = rules.stake(
        [students[user_id].points for user_id in duel.players],
        seen=facts.seen,
        of_pair=facts.of_pair,
        of_each=[facts.of_challenger, facts.of_opponent],
    )
    if not points:
        return
    connection.execute(
        insert(duel_stakes).values(duel_id=duel.duel_id, **players, week=week, points=points, held_at=now)
    )
    for user_id in duel.players:
        before = students[user_id]
        students[user_id] = replace(before, points=before.points - points, points_held=before.points_held + points)


def release(
    unit_of_work: UnitOfWork, duel: Duel, students: dict[UUID, Student], winner_id: UUID | None, now: datetime
) -> int:
    """Give the stake back, then let the loser's go to the winner, if there is one; how many points have moved.

    The students are locked, and to be saved afterwards.
    """
    values = {"duel_id": duel.duel_id, "winner_id": winner_id, "now": now}
    points: int | None = unit_of_work.connection.scalar(_RELEASE, values)
    if points is None:
        return 0
    for user_id in duel.players:
        before = students[user_id]
        students[user_id] = replace(before, points=before.points + points, points_held=before.points_held - points)
    if winner_id is None:
        return 0
    cause = current_trace()
    record(
        unit_of_work,
        students,
        [
            Entry(
                user_id=user_id,
                kind="duel_won" if user_id == winner_id else "duel_lost",
                source_id=duel.duel_id,
                award=Award(0, points if user_id == winner_id else -points),
                at=now,
                cause=cause,
            )
            for user_id in duel.players
        ],
    )
    return points


def held(connection: Connection, duel_ids: Iterable[UUID]) -> dict[UUID, int]:
    """What each player of those of the duels that are played for points has laid down."""
    statement = select(duel_stakes.c.duel_id, duel_stakes.c.points).where(
        duel_stakes.c.duel_id.in_(list(duel_ids)), duel_stakes.c.released_at.is_(None)
    )
    return {row.duel_id: row.points for row in connection.execute(statement)}
