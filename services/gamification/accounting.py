"""The ledger and the sums kept of it: the one way in which XP and points are earned, won, lost or spent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from chassis.context import Trace, traced
from chassis.database import UnitOfWork
from contracts.events.gamification import LevelReached, XpAwarded
from services.gamification.domain.levels import level_of
from services.gamification.domain.xp import Award
from services.gamification.students import Student

Kind = Literal["lesson", "course", "duel_won", "duel_lost", "purchase"]


@dataclass(frozen=True)
class Team:
    """A squad, and the league that it plays in."""

    squad_id: UUID
    league: Literal["squads", "official"]


@dataclass(frozen=True)
class Entry:
    """A row for the ledger; `hasty_on` is the local date of a hasty completion that earned.

    `team` is the squad that the XP counts for.
    """

    user_id: UUID
    kind: Kind
    source_id: UUID
    award: Award
    at: datetime
    cause: Trace
    hasty_on: date | None = None
    team: Team | None = None


_RECORD = text(
    "insert into ledger (user_id, kind, source_id, xp, points, at, hasty_on, squad_id) select * from unnest("
    "cast(:user_ids as uuid[]), cast(:kinds as text[]), cast(:source_ids as uuid[]), "
    "cast(:xp as integer[]), cast(:points as integer[]), cast(:at as timestamptz[]), cast(:hasty_on as date[]), "
    "cast(:squad_ids as uuid[])) on conflict (user_id, kind, source_id) do nothing returning user_id, kind, source_id"
)


def record(unit_of_work: UnitOfWork, students: dict[UUID, Student], entries: Sequence[Entry]) -> list[Entry]:
    """Add rows to the ledger and to the sums of `students`, who are locked and to be saved afterwards; those that are
    new. Of the same user, kind and source the ledger has one.
    """
    if not entries:
        return []
    rows = unit_of_work.connection.execute(
        _RECORD,
        {
            "user_ids": [entry.user_id for entry in entries],
            "kinds": [entry.kind for entry in entries],
            "source_ids": [entry.source_id for entry in entries],
            "xp": [entry.award.xp for entry in entries],
            "points": [entry.award.points for entry in entries],
            "at": [entry.at for entry in entries],
            "hasty_on": [entry.hasty_on for entry in entries],
            "squad_ids": [entry.team and entry.team.squad_id for entry in entries],
        },
    )
    recorded = {(row.user_id, row.kind, row.source_id) for row in rows}
    new = [entry for entry in entries if (entry.user_id, entry.kind, entry.source_id) in recorded]
    for entry in new:
        students[entry.user_id] = _add(unit_of_work, students[entry.user_id], entry)
    return new


def _add(unit_of_work: UnitOfWork, student: Student, entry: Entry) -> Student:
    after = replace(
        student,
        xp=student.xp + entry.award.xp,
        points=student.points + entry.award.points,
        lessons=student.lessons + (entry.kind == "lesson"),
    )
    with traced(entry.cause):
        unit_of_work.tell(
            XpAwarded(
                user_id=entry.user_id,
                kind=entry.kind,
                source_id=entry.source_id,
                xp=entry.award.xp,
                points=entry.award.points,
                total_xp=after.xp,
                total_points=after.points,
                awarded_at=entry.at,
            )
        )
        for level in range(level_of(student.xp).number + 1, level_of(after.xp).number + 1):
            unit_of_work.tell(LevelReached(user_id=entry.user_id, level=level, total_xp=after.xp, reached_at=entry.at))
    return after
