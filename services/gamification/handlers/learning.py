"""What happens in the game when students learn."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection

from chassis.context import Trace, traced
from chassis.database import UnitOfWork
from contracts.envelope import Envelope
from contracts.events.base import Event
from contracts.events.gamification import StreakExtended
from contracts.events.progress import CourseCompleted, DayStudied, LessonCompleted
from services.gamification.accounting import Entry, record
from services.gamification.badges import Fact, award, award_milestones
from services.gamification.domain import streak as streaks
from services.gamification.domain import xp
from services.gamification.domain.streak import Learning, LearningDay, Streak
from services.gamification.domain.xp import Award
from services.gamification.history import histories
from services.gamification.leaderboards import add_scores, with_teams
from services.gamification.notices import Frozen, tell_frozen
from services.gamification.people import time_zones
from services.gamification.students import Student, lock, save, with_streak
from services.gamification.unlocks import unlock_reached


@dataclass(frozen=True)
class _Finished:
    user_id: UUID
    kind: Literal["lesson", "course"]
    source_id: UUID
    at: datetime
    access: str
    hasty_on: date | None
    cause: Trace


@dataclass(frozen=True)
class Learned:
    """That a student learned at some instant, and the work or event that said so."""

    user_id: UUID
    learning: Learning
    cause: Trace


@dataclass(frozen=True)
class _MarkedDay:
    user_id: UUID
    day: LearningDay
    is_new: bool


def students_learned(
    unit_of_work: UnitOfWork, facts: Iterable[tuple[Envelope, Event]], academy_time_zone: str, now: datetime
) -> None:
    """Record what finished lessons, finished courses and days of study give, each once, in any order.

    Several units of work may do so at once, also for the same students: each student's row is locked first.
    """
    finished, learned = _understood(facts)
    user_ids = {fact.user_id for fact in finished} | {fact.user_id for fact in learned}
    students = lock(unit_of_work.connection, user_ids)
    before = dict(students)
    entries = with_teams(unit_of_work.connection, _entries(unit_of_work.connection, finished))
    new = record(unit_of_work, students, entries)
    add_scores(unit_of_work, new, academy_time_zone, now)
    courses = [entry for entry in new if entry.kind == "course"]
    award(
        unit_of_work,
        [Fact(entry.user_id, "course_finished", str(entry.source_id), entry.at, entry.cause) for entry in courses],
    )
    days_learned(unit_of_work, before, students, learned)
    save(unit_of_work.connection, students)


def days_learned(
    unit_of_work: UnitOfWork, before: Mapping[UUID, Student], students: dict[UUID, Student], learned: Sequence[Learned]
) -> None:
    """Record the local days of what was learned in the streaks of `students`, who are locked and to be saved
    afterwards, and award what they have reached since they were as `before`. `learned` is in order for each of them.
    """
    marked = _mark_days(unit_of_work.connection, learned)
    causes = {fact.user_id: fact.cause for fact in learned}
    counted = _counted(unit_of_work.connection, students, marked)
    zones = time_zones(unit_of_work.connection, counted)
    longer = {}
    for user_id, (streak, _) in counted.items():
        if streak.longest > students[user_id].streak.longest:
            longer[user_id] = streak
        _tell_extended(unit_of_work, user_id, students[user_id].streak, streak, causes[user_id])
        students[user_id] = with_streak(students[user_id], streak, zones.get(user_id))
    tell_frozen(unit_of_work, _frozen(counted, causes))
    earliest = {fact.user_id: fact.learning.at for fact in reversed(learned)}
    award_milestones(unit_of_work, before, students, earliest, causes)
    unlock_reached(unit_of_work, longer, causes)


def _understood(facts: Iterable[tuple[Envelope, Event]]) -> tuple[list[_Finished], list[Learned]]:
    finished: dict[tuple[UUID, str, UUID], _Finished] = {}
    learned = []
    for envelope, event in facts:
        cause = Trace(correlation_id=envelope.correlation_id, event_id=str(envelope.id))
        match event:
            case LessonCompleted():
                learning = streaks.learned(event.completed_at, event.time_zone)
                hasty_on = learning.local_date if event.hasty else None
                finished[event.user_id, "lesson", event.lesson_id] = _Finished(
                    event.user_id, "lesson", event.lesson_id, event.completed_at, event.access, hasty_on, cause
                )
                learned.append(Learned(event.user_id, learning, cause))
            case CourseCompleted():
                finished[event.user_id, "course", event.course_id] = _Finished(
                    event.user_id, "course", event.course_id, event.completed_at, event.access, None, cause
                )
            case DayStudied():
                learning = streaks.learned(event.studied_at, event.time_zone, event.local_date)
                learned.append(Learned(event.user_id, learning, cause))
            case _:
                raise TypeError(f"not an event of learning: {event.type}")
    in_order = sorted(finished.values(), key=lambda fact: (fact.user_id, fact.at, fact.kind, fact.source_id))
    return in_order, sorted(learned, key=lambda fact: (fact.user_id, fact.learning.at))


_KNOWN = text(
    "select user_id, kind, source_id from ledger join "
    "unnest(cast(:user_ids as uuid[]), cast(:kinds as text[]), cast(:source_ids as uuid[])) "
    "as given (user_id, kind, source_id) using (user_id, kind, source_id)"
)
_HASTY = text(
    "select user_id, hasty_on, count(*) as earned from ledger "
    "where (user_id, hasty_on) in (select * from unnest(cast(:user_ids as uuid[]), cast(:dates as date[]))) "
    "group by user_id, hasty_on"
)


def _entries(connection: Connection, finished: Sequence[_Finished]) -> list[Entry]:
    """What these give, for the ledger to take what it has not."""
    fresh, hasty_earned = _without_known_hasty(connection, finished)
    return [
        Entry(
            user_id=fact.user_id,
            kind=fact.kind,
            source_id=fact.source_id,
            award=award,
            at=fact.at,
            cause=fact.cause,
            hasty_on=fact.hasty_on if award.xp else None,
        )
        for fact, award in _awards(fresh, hasty_earned)
    ]


def _without_known_hasty(
    connection: Connection, finished: Sequence[_Finished]
) -> tuple[list[_Finished], Counter[tuple[UUID, date]]]:
    """Those without the hasty ones that the ledger has, and how many of them have earned on each day."""
    hasty = [fact for fact in finished if fact.hasty_on]
    if not hasty:
        return list(finished), Counter()
    keys = {
        "user_ids": [fact.user_id for fact in hasty],
        "kinds": [fact.kind for fact in hasty],
        "source_ids": [fact.source_id for fact in hasty],
    }
    known = {(row.user_id, row.kind, row.source_id) for row in connection.execute(_KNOWN, keys)}
    days = sorted({(fact.user_id, fact.hasty_on) for fact in hasty if fact.hasty_on})
    rows = connection.execute(_HASTY, {"user_ids": [day[0] for day in days], "dates": [day[1] for day in days]})
    earned = Counter({(row.user_id, row.hasty_on): row.earned for row in rows})
    return [fact for fact in finished if (fact.user_id, fact.kind, fact.source_id) not in known], earned


def _awards(fresh: Sequence[_Finished], hasty_earned: Counter[tuple[UUID, date]]) -> list[tuple[_Finished, Award]]:
    awarded = []
    for fact in fresh:
        if fact.kind == "course":
            award = xp.for_course(fact.access)
        elif fact.hasty_on is None:
            award = xp.for_lesson(fact.access, hasty=False, hasty_already_earned=0)
        else:
            day = (fact.user_id, fact.hasty_on)
            award = xp.for_lesson(fact.access, hasty=True, hasty_already_earned=hasty_earned[day])
            hasty_earned[day] += award != xp.NOTHING
        awarded.append((fact, award))
    return awarded


_MARK = text(
    "insert into learning_days (user_id, local_date, time_zone, first_at, last_at) "
    "select user_id, local_date, time_zone, min(at), max(at) from unnest("
    "cast(:user_ids as uuid[]), cast(:dates as date[]), cast(:zones as text[]), cast(:at as timestamptz[])) "
    "as learning (user_id, local_date, time_zone, at) "
    "group by user_id, local_date, time_zone "
    "on conflict (user_id, local_date, time_zone) do update "
    "set first_at = least(learning_days.first_at, excluded.first_at), "
    "last_at = greatest(learning_days.last_at, excluded.last_at) "
    "where excluded.first_at < learning_days.first_at or excluded.last_at > learning_days.last_at "
    "returning user_id, local_date, time_zone, first_at, last_at, xmax = 0 as is_new"
)


def _mark_days(connection: Connection, learned: Sequence[Learned]) -> list[_MarkedDay]:
    if not learned:
        return []
    rows = connection.execute(
        _MARK,
        {
            "user_ids": [fact.user_id for fact in learned],
            "dates": [fact.learning.local_date for fact in learned],
            "zones": [fact.learning.time_zone for fact in learned],
            "at": [fact.learning.at for fact in learned],
        },
    )
    return [
        _MarkedDay(row.user_id, LearningDay(row.local_date, row.time_zone, row.first_at, row.last_at), row.is_new)
        for row in rows
    ]


def _counted(
    connection: Connection, students: Mapping[UUID, Student], marked: Iterable[_MarkedDay]
) -> dict[UUID, tuple[Streak, tuple[date, ...]]]:
    """The streaks of those whose days were marked, each with local dates that freezes have saved."""
    after: dict[UUID, tuple[Streak, tuple[date, ...]]] = {}
    to_fold = set()
    for item in sorted(marked, key=lambda item: (item.user_id, item.day.local_date)):
        before, frozen = after.get(item.user_id, (students[item.user_id].streak, ()))
        streak = streaks.extended(before, item.day, is_new=item.is_new)
        if streak is None:
            to_fold.add(item.user_id)
        else:
            frozen += streaks.saved_dates(before, item.day.first_at, item.day.time_zone)
            after[item.user_id] = streak, frozen
    folded = histories(connection, to_fold)
    return after | {user_id: (history.streak(), history.frozen_dates()) for user_id, history in folded.items()}


def _frozen(counted: Mapping[UUID, tuple[Streak, tuple[date, ...]]], causes: Mapping[UUID, Trace]) -> list[Frozen]:
    return [
        Frozen(
            user_id=user_id,
            local_dates=local_dates,
            time_zone=streak.last.time_zone,
            current=streak.current,
            freezes=streak.freezes + len(streak.late_freezes),
            cause=causes[user_id],
        )
        for user_id, (streak, local_dates) in counted.items()
        if streak.last is not None and local_dates
    ]


def _tell_extended(unit_of_work: UnitOfWork, user_id: UUID, before: Streak, after: Streak, cause: Trace) -> None:
    if after.last is not None and streaks.is_longer(before, after):
        with traced(cause):
            unit_of_work.tell(
                StreakExtended(
                    user_id=user_id,
                    local_date=after.last.local_date,
                    current=after.current,
                    longest=after.longest,
                    extended_at=after.last.at,
                )
            )
