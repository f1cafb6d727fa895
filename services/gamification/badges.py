"""The badges of students: the one way in which any is awarded, each once per reason, and told in the same transaction.

The students are locked by the caller. In whatever order facts arrive, and however often, the badges are the same and
`earned_at` is the earliest instant that the facts give.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection

from chassis.context import Trace, current_trace, traced
from chassis.database import UnitOfWork
from contracts.events.gamification import BadgeAwarded
from services.gamification.domain import streak as streaks
from services.gamification.domain.badges import FEATS, MILESTONES, Feat, Milestone, Standing, passed_by, to_look_at
from services.gamification.history import histories
from services.gamification.students import Student, lock

SWEPT_AT_ONCE = 100


@dataclass(frozen=True)
class Fact:
    """A feat of a student that earns a badge once per reason: the id of the course, of the duel, of the person who did
    not score more, or the week.

    `cause` is what is known to have led to it; by default what is being worked on.
    """

    user_id: UUID
    feat: Feat
    reason: str
    at: datetime
    cause: Trace | None = None


@dataclass(frozen=True)
class _Award:
    user_id: UUID
    code: str
    reason: str
    earned_at: datetime
    cause: Trace


def award(unit_of_work: UnitOfWork, facts: Iterable[Fact]) -> None:
    """Award the badges that these facts earn and that the students, who are locked, do not have for this reason."""
    _record(
        unit_of_work,
        [_Award(fact.user_id, FEATS[fact.feat], fact.reason, fact.at, fact.cause or current_trace()) for fact in facts],
    )


def award_milestones(
    unit_of_work: UnitOfWork,
    before: Mapping[UUID, Student],
    after: Mapping[UUID, Student],
    earliest: Mapping[UUID, datetime],
    causes: Mapping[UUID, Trace],
) -> None:
    """Award the milestones that students, who are locked, passed with lessons and learning days already written.

    `earliest` is for each of them the first instant of what was heard. Nothing is read unless one may have been passed.
    """
    passed = {
        user_id: to_look_at(_standing(before[user_id]), _standing(after[user_id]), at)
        for user_id, at in earliest.items()
    }
    _award_passed(unit_of_work, {user_id: found for user_id, found in passed.items() if found}, causes)


_UNKNOWN = text(
    "select user_id from students where not badges_known order by user_id limit :limit for update skip locked"
)
_COURSES = text(
    "select user_id, source_id, at from ledger "
    "where user_id = any(cast(:user_ids as uuid[])) and kind = 'course' order by at"
)
_NOW_KNOWN = text("update students set badges_known = true where user_id = any(cast(:user_ids as uuid[]))")


def catch_up(unit_of_work: UnitOfWork) -> int:
    """Award what some students earned before the badges were there; how many students were looked at."""
    user_ids = set(unit_of_work.connection.scalars(_UNKNOWN, {"limit": SWEPT_AT_ONCE}))
    if not user_ids:
        return 0
    students = lock(unit_of_work.connection, user_ids)
    courses = unit_of_work.connection.execute(_COURSES, {"user_ids": list(user_ids)})
    award(unit_of_work, [Fact(row.user_id, "course_finished", str(row.source_id), row.at) for row in courses])
    passed = {user_id: passed_by(_standing(student)) for user_id, student in students.items()}
    _award_passed(unit_of_work, passed, {})
    unit_of_work.connection.execute(_NOW_KNOWN, {"user_ids": list(user_ids)})
    return len(user_ids)


def _standing(student: Student) -> Standing:
    last = student.streak.last
    return Standing(student.lessons, student.streak.longest, None if last is None else last.at)


def _award_passed(
    unit_of_work: UnitOfWork, passed: Mapping[UUID, Sequence[Milestone]], causes: Mapping[UUID, Trace]
) -> None:
    wanted = [(user_id, milestone) for user_id, found in passed.items() for milestone in found]
    connection = unit_of_work.connection
    reached = _lessons_reached(connection, [pair for pair in wanted if pair[1].measure == "lessons"])
    reached |= _streaks_reached(connection, [pair for pair in wanted if pair[1].measure == "streak"])
    _record(
        unit_of_work,
        [
            _Award(user_id, code, code, earned_at, causes.get(user_id, current_trace()))
            for (user_id, code), earned_at in reached.items()
        ],
    )


_NTH_LESSONS = text(
    "select user_id, code, nth.at from "
    "unnest(cast(:user_ids as uuid[]), cast(:codes as text[]), cast(:thresholds as integer[])) "
    "as wanted (user_id, code, threshold) "
    "cross join lateral (select at from ledger where ledger.user_id = wanted.user_id and kind = 'lesson' "
    "order by at limit 1 offset wanted.threshold - 1) as nth"
)


def _lessons_reached(
    connection: Connection, wanted: Sequence[tuple[UUID, Milestone]]
) -> dict[tuple[UUID, str], datetime]:
    if not wanted:
        return {}
    rows = connection.execute(
        _NTH_LESSONS,
        {
            "user_ids": [user_id for user_id, _ in wanted],
            "codes": [milestone.code for _, milestone in wanted],
            "thresholds": [milestone.threshold for _, milestone in wanted],
        },
    )
    return {(row.user_id, row.code): row.at for row in rows}


def _streaks_reached(
    connection: Connection, wanted: Sequence[tuple[UUID, Milestone]]
) -> dict[tuple[UUID, str], datetime]:
    if not wanted:
        return {}
    known = histories(connection, {user_id for user_id, _ in wanted})
    lengths = {milestone.threshold for milestone in MILESTONES if milestone.measure == "streak"}
    reached = {user_id: streaks.reached(history.days, history.freezes, lengths) for user_id, history in known.items()}
    return {
        (user_id, milestone.code): reached[user_id][milestone.threshold]
        for user_id, milestone in wanted
        if milestone.threshold in reached[user_id]
    }


_AWARD = text(
    "insert into badge_awards (user_id, code, reason, earned_at) select * from unnest("
    "cast(:user_ids as uuid[]), cast(:codes as text[]), cast(:reasons as text[]), cast(:earned_at as timestamptz[])) "
    "on conflict (user_id, code, reason) do update set earned_at = excluded.earned_at "
    "where excluded.earned_at < badge_awards.earned_at "
    "returning user_id, code, reason, xmax = 0 as is_new"
)
_COUNT = text(
    "select user_id, code, count(*) as awards from badge_awards "
    "where (user_id, code) in (select * from unnest(cast(:user_ids as uuid[]), cast(:codes as text[]))) "
    "group by user_id, code"
)


def _record(unit_of_work: UnitOfWork, awards: Iterable[_Award]) -> None:
    earliest: dict[tuple[UUID, str, str], _Award] = {}
    for award in sorted(awards, key=lambda award: award.earned_at):
        earliest.setdefault((award.user_id, award.code, award.reason), award)
    if not earliest:
        return
    rows = unit_of_work.connection.execute(
        _AWARD,
        {
            "user_ids": [award.user_id for award in earliest.values()],
            "codes": [award.code for award in earliest.values()],
            "reasons": [award.reason for award in earliest.values()],
            "earned_at": [award.earned_at for award in earliest.values()],
        },
    )
    new = {(row.user_id, row.code, row.reason) for row in rows if row.is_new}
    _tell(unit_of_work, [award for key, award in earliest.items() if key in new])


def _tell(unit_of_work: UnitOfWork, awards: Sequence[_Award]) -> None:
    if not awards:
        return
    # a milestone, whose reason is its code, is passed once
    fresh = Counter((award.user_id, award.code) for award in awards if award.reason != award.code)
    had = Counter({(award.user_id, award.code): 0 for award in awards})
    if fresh:
        keys = {"user_ids": [user_id for user_id, _ in fresh], "codes": [code for _, code in fresh]}
        rows = unit_of_work.connection.execute(_COUNT, keys)
        had.update({(row.user_id, row.code): row.awards - fresh[row.user_id, row.code] for row in rows})
    for award in awards:
        had[award.user_id, award.code] += 1
        with traced(award.cause):
            unit_of_work.tell(
                BadgeAwarded(
                    user_id=award.user_id,
                    code=award.code,
                    reason=award.reason,
                    count=had[award.user_id, award.code],
                    awarded_at=award.earned_at,
                )
            )
