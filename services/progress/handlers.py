"""The use cases of progress. What our copies would refuse is first asked of their owners, outside a transaction."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy import DateTime, Double, Uuid, bindparam, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.database import Database, UnitOfWork
from contracts.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, ServiceError, Unavailable
from contracts.events.catalog import CourseChanged
from contracts.events.progress import DayStudied
from services.progress import queries
from services.progress.completion import Finish, confirm_course, enroll, finish_lesson
from services.progress.domain import access, study
from services.progress.domain.access import Refusal
from services.progress.entitlements import Entitlements
from services.progress.outlines import Outlines, keep_outline
from services.progress.tables import openings, study_days


class _Found(Protocol):
    """What decides whether something is allowed; `access` is None for whom our copy knows no right of."""

    @property
    def access(self) -> str | None: ...


T = TypeVar("T", bound=_Found)


@dataclass(frozen=True)
class Copies:
    """What progress knows of what others own, and how to ask them."""

    outlines: Outlines
    entitlements: Entitlements


@dataclass(frozen=True)
class CourseAccess:
    """Whether and why someone may see a course; the reason is "none" without access."""

    has_access: bool
    reason: str


@dataclass(frozen=True)
class OpenedLesson:
    """The course of a lesson, and why it may be opened."""

    course_id: UUID
    access: str


@dataclass(frozen=True)
class FinishedLesson:
    """The answer to finishing a lesson; the same `completed_at` however often it is asked."""

    lesson_id: UUID
    course_id: UUID
    completed_at: datetime
    first_time: bool
    percent: int
    next_lesson_id: str | None
    course_completed: bool


@dataclass(frozen=True)
class Route:
    """Where to go next."""

    lesson: queries.NextLesson | None
    course_completed: bool


def _error(refusal: Refusal) -> ServiceError:
    match refusal:
        case Refusal.NOT_THERE:
            return NotFound()
        case Refusal.PURCHASE_REQUIRED:
            return Forbidden(refusal.value)
        case _:
            return Conflict(refusal.value)


def _allowed(
    find: Callable[[], T | None],
    refuse: Callable[[T], Refusal | None],
    ask_catalog: Callable[[], None],
    ask_purchase: Callable[[T], None],
) -> T:
    """Return what our copies find and allow; before it is refused, each owner is asked once. Raises a `ServiceError`.

    Purchase comes first: most often it is someone who has just paid.
    """
    asked: set[str] = set()
    while True:
        found = find()
        refusal = Refusal.NOT_THERE if found is None else refuse(found)
        if found is not None and refusal is None:
            return found
        if found is not None and found.access is None and "purchase" not in asked:
            asked.add("purchase")
            ask_purchase(found)
        elif "catalog" not in asked:
            asked.add("catalog")
            ask_catalog()
        else:
            raise _error(refusal or Refusal.NOT_THERE)


def check_course_access(database: Database, copies: Copies, user_id: UUID, course_id: UUID, role: str) -> CourseAccess:
    """Return whether someone may see a course that they may know of. Raises `NotFound`.

    Raises `Unavailable` while purchase is silent and our copy would say no.
    """

    def find() -> queries.CourseFacts | None:
        with database.single_statement() as unit_of_work:
            return queries.course_facts(unit_of_work.connection, user_id, course_id, role)

    def refuse(course: queries.CourseFacts) -> Refusal | None:
        return access.refusal_to_know(course.access, course.status)

    def ask_purchase(_: object = None) -> None:
        copies.entitlements.refresh(user_id, course_id)

    course = _allowed(find, refuse, lambda: copies.outlines.refresh_course(course_id), ask_purchase)
    if course.access is None:
        ask_purchase()
        course = find() or course
    return CourseAccess(course.access is not None, course.access or "none")


def open_lesson(
    database: Database, copies: Copies, user_id: UUID, lesson_id: UUID, role: str, now: datetime
) -> OpenedLesson:
    """Let someone look at a lesson, and remember when they first did."""

    def find() -> queries.LessonFacts | None:
        with database.single_statement() as unit_of_work:
            return queries.lesson_facts(unit_of_work.connection, user_id, lesson_id, role)

    def refuse(lesson: queries.LessonFacts) -> Refusal | None:
        return access.refusal_to_open(lesson.access, lesson.status, lesson.free_preview)

    lesson = _allowed(find, refuse, *_owners(copies, user_id, lesson_id))
    if not lesson.opened:
        with database.single_statement() as unit_of_work:
            _open(unit_of_work.connection, user_id, lesson_id, now)
    return OpenedLesson(lesson.course_id, lesson.access or "preview")


def _open(connection: Connection, user_id: UUID, lesson_id: UUID, now: datetime) -> None:
    connection.execute(
        insert(openings).values(user_id=user_id, lesson_id=lesson_id, opened_at=now).on_conflict_do_nothing()
    )


def _learned(database: Database, copies: Copies, user_id: UUID, lesson_id: UUID, role: str) -> queries.LessonFacts:
    """Return the facts on a lesson that someone may learn in. Raises a `ServiceError`."""

    def find() -> queries.LessonFacts | None:
        with database.single_statement() as unit_of_work:
            return queries.lesson_facts(unit_of_work.connection, user_id, lesson_id, role)

    def refuse(lesson: queries.LessonFacts) -> Refusal | None:
        return access.refusal_to_learn(lesson.access, lesson.status)

    return _allowed(find, refuse, *_owners(copies, user_id, lesson_id))


def _owners(
    copies: Copies, user_id: UUID, lesson_id: UUID
) -> tuple[Callable[[], None], Callable[[queries.LessonFacts | Finish], None]]:
    """Return how catalog is asked for a lesson, and purchase for someone's rights to the course that it is in."""
    return (
        lambda: copies.outlines.refresh_course_of(lesson_id),
        lambda found: copies.entitlements.refresh(user_id, found.course_id),
    )


def get_next_lesson(database: Database, copies: Copies, user_id: UUID, lesson_id: UUID, role: str) -> Route:
    """Return where to send a student after a lesson."""
    facts = _learned(database, copies, user_id, lesson_id, role)
    with database.single_statement() as unit_of_work:
        standing = queries.standing(unit_of_work.connection, user_id, facts.course_id, lesson_id)
        following = standing.next_lesson_id
        lesson = queries.lesson_to_go_to(unit_of_work.connection, UUID(following)) if following else None
    return Route(lesson, standing.course_completed)


def get_user_progress(
    database: Database, copies: Copies, user_id: UUID, course_id: UUID, role: str
) -> queries.CourseProgress:
    """Return how far someone is in a course that they may know of."""

    def find() -> queries.Progress | None:
        with database.single_statement() as unit_of_work:
            return queries.course_progress(unit_of_work.connection, user_id, course_id, role)

    def refuse(progress: queries.Progress) -> Refusal | None:
        return access.refusal_to_know(progress.access, progress.status)

    def ask_purchase(_: object) -> None:
        copies.entitlements.refresh(user_id, course_id)

    return _allowed(find, refuse, lambda: copies.outlines.refresh_course(course_id), ask_purchase).answer


def mark_lesson_as_completed(
    database: Database, copies: Copies, user_id: UUID, lesson_id: UUID, role: str, time_zone: str, now: datetime
) -> FinishedLesson:
    """Finish a lesson, once: the event goes out with the first call, later ones answer the same.

    When it seems the course's last, catalog is asked whether it is; while catalog is silent the course stays pending.
    """
    _local_date(now, time_zone)

    def find() -> Finish | None:
        return finish_lesson(database, user_id, lesson_id, role, time_zone, now)

    def refuse(finish: Finish) -> Refusal | None:
        return access.refusal_to_complete(finish.access, finish.status, finish.kind)

    owners = _owners(copies, user_id, lesson_id)
    done = _allowed(find, refuse, *owners)
    if not done.enrolled:
        with database.single_statement() as unit_of_work:
            enroll(unit_of_work.connection, [(user_id, done.course_id, now)])
        done = _allowed(find, refuse, *owners)
    standing = done.standing
    if done.is_pending:
        with suppress(Unavailable, NotFound):
            confirm_course(database, copies.outlines, done.course_id, user_id, now)
    if done.is_pending or standing is None:
        with database.single_statement() as unit_of_work:
            standing = queries.standing(unit_of_work.connection, user_id, done.course_id, lesson_id)
    return FinishedLesson(
        lesson_id=lesson_id,
        course_id=done.course_id,
        completed_at=done.completed_at,
        first_time=done.first_time,
        percent=standing.percent,
        next_lesson_id=standing.next_lesson_id,
        course_completed=standing.course_completed,
    )


def import_completion(
    database: Database,
    copies: Copies,
    user_id: UUID,
    lesson_id: UUID,
    completed_at: datetime,
    time_zone: str,
) -> FinishedLesson:
    """Finish a lesson in the past, after having looked at it for as long as it lasts; for demo data."""
    lesson = _learned(database, copies, user_id, lesson_id, "student")
    with database.single_statement() as unit_of_work:
        opened_at = completed_at - timedelta(seconds=lesson.duration_seconds)
        _open(unit_of_work.connection, user_id, lesson_id, opened_at)
    return mark_lesson_as_completed(database, copies, user_id, lesson_id, "student", time_zone, completed_at)


def set_lesson_position(
    database: Database,
    copies: Copies,
    user_id: UUID,
    lesson_id: UUID,
    seconds: float,
    role: str,
    time_zone: str,
    now: datetime,
) -> None:
    """Keep where a student is in a lesson, and count the advance towards their day of study."""
    if not 0 <= seconds <= study.POSITION_SECONDS:
        raise Invalid(
            errors=(FieldError("/seconds", "out-of-range", {"minimum": 0, "maximum": study.POSITION_SECONDS}),)
        )
    today = _local_date(now, time_zone)
    lesson = _learned(database, copies, user_id, lesson_id, role)
    with database.unit_of_work() as unit_of_work:
        connection = unit_of_work.connection
        report = connection.execute(
            _REPORT,
            {
                "user_id": user_id,
                "course_id": lesson.course_id,
                "lesson_id": lesson_id,
                "seconds": seconds,
                "now": now,
            },
        ).one()
        counted = study.counted_advance(seconds, report.previous_seconds, now, report.previous_at)
        if counted > 0 and _study(connection, user_id, today, counted, now):
            unit_of_work.tell(DayStudied(user_id=user_id, local_date=today, time_zone=time_zone, studied_at=now))


_REPORT = text(
    """
    with clock as (
        insert into study_clocks (user_id, reported_at) values (:user_id, :now)
        on conflict (user_id) do update set
            previous_at = study_clocks.reported_at,
            reported_at = greatest(study_clocks.reported_at, excluded.reported_at)
        returning previous_at
    ),
    position as (
        insert into positions (user_id, course_id, lesson_id, seconds)
        select :user_id, :course_id, :lesson_id, :seconds from clock
        on conflict (user_id, course_id, lesson_id) do update set
            previous_seconds = positions.seconds,
            seconds = excluded.seconds
        returning previous_seconds
    )
    select previous_at, previous_seconds from clock, position
    """
).bindparams(
    bindparam("user_id", type_=Uuid),
    bindparam("course_id", type_=Uuid),
    bindparam("lesson_id", type_=Uuid),
    bindparam("seconds", type_=Double),
    bindparam("now", type_=DateTime(timezone=True)),
)
"""Keeps a position; the student's last report and the lesson's last position, under the lock of the student's clock."""

_STUDY = text(
    """
    insert into study_days (user_id, local_date, seconds) values (:user_id, :today, :seconds)
    on conflict (user_id, local_date) do update set seconds = study_days.seconds + excluded.seconds
    returning seconds, told_at
    """
)


def _study(connection: Connection, user_id: UUID, today: date, counted: float, now: datetime) -> bool:
    """Add advance to a day; whether that makes it a day of study, for the first time."""
    day = connection.execute(_STUDY, {"user_id": user_id, "today": today, "seconds": counted}).one()
    if day.told_at is not None or not study.is_studied(day.seconds):
        return False
    connection.execute(
        update(study_days).where(study_days.c.user_id == user_id, study_days.c.local_date == today).values(told_at=now)
    )
    return True


def keep_outlines(unit_of_work: UnitOfWork, heard: Iterable[tuple[CourseChanged, int]]) -> None:
    """Copy the newest outline heard of each course; the courses are locked in the order of their ids."""
    newest: dict[UUID, tuple[CourseChanged, int]] = {}
    for course, sequence in heard:
        if course.course_id not in newest or newest[course.course_id][1] < sequence:
            newest[course.course_id] = (course, sequence)
    for course_id in sorted(newest):
        keep_outline(unit_of_work.connection, *newest[course_id])


def _local_date(at: datetime, time_zone: str) -> date:
    try:
        return study.local_date(at, time_zone)
    except ValueError as error:
        raise Invalid(errors=(FieldError("/time_zone", "unacceptable"),)) from error
