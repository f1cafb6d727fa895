"""The reads of analytics: sums over counts, whatever the number of sales and students behind them."""

import base64
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Row, cast, exists, func, literal, select, tuple_, union_all
from sqlalchemy.engine import Connection

from contracts.errors import FieldError, Invalid
from contracts.events.base import Instant
from contracts.events.catalog import CourseChanged, Money
from services.analytics.answers import (
    Amounts,
    CourseFigures,
    CoursePerformance,
    DayFigures,
    FunnelStep,
    InstructorStats,
    MadeRef,
    RefFigures,
    RefPage,
    Revenue,
)
from services.analytics.domain import figures
from services.analytics.domain.days import MAXIMUM_DAYS, TooLong, is_backwards, shown_days, span
from services.analytics.domain.figures import Selling
from services.analytics.domain.money import main_currency
from services.analytics.domain.refs import link
from services.analytics.projection import LIVE, use
from services.analytics.tables import (
    cohort_durations,
    cohort_lessons,
    cohorts,
    courses,
    lesson_days,
    people,
    ref_days,
    ref_registrations,
    refs,
    registrations,
    sales_days,
    student_days,
)


@dataclass(frozen=True)
class Course:
    """A course as last heard of; `lessons` are ids and titles in their order."""

    course_id: UUID
    instructor_id: UUID
    title: str
    status: str
    lessons: tuple[tuple[UUID, str], ...]


@dataclass(frozen=True)
class Days:
    """A range of local days, both ends included; an open end is None."""

    first: date | None = None
    last: date | None = None

    def hold(self, day: ColumnElement[date]) -> ColumnElement[bool]:
        """Return the condition that a day lies in the range."""
        return day.between(self.first or date.min, self.last or date.max)


@dataclass(frozen=True)
class _Takings:
    sales: int = 0
    gross: int = 0
    refunds: int = 0

    @property
    def net(self) -> int:
        return self.gross - self.refunds

    def __add__(self, other: "_Takings") -> "_Takings":
        return _Takings(self.sales + other.sales, self.gross + other.gross, self.refunds + other.refunds)


class _Books:
    """Takings by a key (a course, day or link) and currency; `currency` is the main one."""

    def __init__(self, rows: Iterable[Any], currency: str) -> None:
        self.currency = currency
        self._takings: defaultdict[Any, defaultdict[str, _Takings]] = defaultdict(lambda: defaultdict(_Takings))
        for key, sold_in, sales, gross, refunds in rows:
            self._takings[key][sold_in] = _Takings(sales, gross, refunds)

    @property
    def keys(self) -> set[Any]:
        """Of what money moved."""
        return set(self._takings)

    def sales(self, key: Any) -> int:
        """The sales in all currencies."""
        return sum(takings.sales for takings in self._takings[key].values()) if key in self._takings else 0

    def net(self, key: Any) -> Money:
        """The net in the main currency."""
        return Money(self._takings[key][self.currency].net if key in self._takings else 0, self.currency)

    def revenue(self, keys: Iterable[Any]) -> Revenue:
        """The revenue of several keys together."""
        total: defaultdict[str, _Takings] = defaultdict(_Takings)
        for key in keys:
            for currency, takings in self._takings[key].items():
                total[currency] += takings
        main = _amounts(self.currency, total.pop(self.currency, _Takings()))
        others = [_amounts(currency, takings) for currency, takings in sorted(total.items()) if takings != _Takings()]
        return Revenue(main.gross, main.refunds, main.net, others)


def _amounts(currency: str, takings: _Takings) -> Amounts:
    return Amounts(Money(takings.gross, currency), Money(takings.refunds, currency), Money(takings.net, currency))


@dataclass(frozen=True)
class _Teaching:
    """An instructor's courses as they did in a range of days; `cohorts` are students, and how many completed."""

    courses: dict[UUID, Course]
    books: _Books
    cohorts: defaultdict[UUID, tuple[int, int]]
    ranks: dict[UUID, int]

    def completion_rate(self, course_id: UUID) -> float:
        students, completed = self.cohorts[course_id]
        return figures.completion_rate(completed, students)


def instructor_stats(
    connection: Connection, instructor_id: UUID, days: Days, academy_currency: str, now: datetime
) -> InstructorStats:
    """An instructor's numbers in a range of days; of one who never taught, nothing.

    Raises `Invalid` for a range that ends before it begins or is too long.
    """
    use(connection, LIVE)
    _refuse_backwards(days)
    zone = ZoneInfo(connection.scalar(select(people.c.time_zone).where(people.c.user_id == instructor_id)) or "UTC")
    teaching = _teaching(connection, _courses_of(connection, instructor_id), days, academy_currency)
    course_ids = list(teaching.courses)
    by_day = _Books(_takings(connection, sales_days.c.day, course_ids, days), teaching.books.currency)
    joined = _students_by_day(connection, instructor_id, days)
    finished = _lessons_by_day(connection, course_ids, days)
    shown = _shown(days, now.astimezone(zone).date(), by_day.keys | set(joined) | set(finished))
    return InstructorStats(
        from_date=days.first,
        to_date=days.last,
        time_zone=zone.key,
        revenue=teaching.books.revenue(course_ids),
        students=sum(joined.values()),
        sales=sum(teaching.books.sales(course_id) for course_id in course_ids),
        courses=[
            _course_figures(teaching, course_id) for course_id in sorted(course_ids, key=teaching.ranks.__getitem__)
        ],
        daily=[
            DayFigures(day, by_day.sales(day), by_day.net(day), joined.get(day, 0), finished.get(day, 0))
            for day in shown
        ],
        refs=_refs(connection, instructor_id, days, zone, teaching.books.currency),
    )


def course_performance(connection: Connection, course: Course, days: Days, academy_currency: str) -> CoursePerformance:
    """How a course, among its instructor's others, sells and is learned by those who joined in a range of days.

    Raises `Invalid` for a range that ends before it begins.
    """
    use(connection, LIVE)
    _refuse_backwards(days)
    teaching = _teaching(connection, [*_courses_of(connection, course.instructor_id), course], days, academy_currency)
    students, _ = teaching.cohorts[course.course_id]
    finished = _finishers(connection, course.course_id, days)
    completed = [finished.get(lesson_id, 0) for lesson_id, _ in course.lessons]
    steps = zip(course.lessons, completed, figures.drop_offs(students, completed), strict=True)
    return CoursePerformance(
        course_id=course.course_id,
        title=course.title,
        sales=teaching.books.sales(course.course_id),
        revenue=teaching.books.revenue([course.course_id]),
        rank=teaching.ranks[course.course_id],
        students=students,
        completion_rate=teaching.completion_rate(course.course_id),
        median_days_to_complete=figures.median(_durations(connection, course.course_id, days)),
        funnel=[FunnelStep(lesson_id, title, number, drop_off) for (lesson_id, title), number, drop_off in steps],
    )


def course(connection: Connection, course_id: UUID) -> Course | None:
    """A course; None when no event has told of it yet."""
    use(connection, LIVE)
    row = connection.execute(select(courses).where(courses.c.course_id == course_id)).first()
    return None if row is None else _course(row)


def course_as_told(told: CourseChanged) -> Course:
    """The course that catalog tells of."""
    lessons = tuple((lesson.id, lesson.title) for chapter in told.chapters for lesson in chapter.lessons)
    return Course(told.course_id, told.instructor_id, told.title, told.status, lessons)


def refs_page(connection: Connection, instructor_id: UUID, front_url: str, limit: int, cursor: str | None) -> RefPage:
    """A page of the links that an instructor made, newest first. Raises `Invalid` when the cursor is none of ours."""
    key = (refs.c.created_at, refs.c.ref)
    statement = select(refs).where(refs.c.instructor_id == instructor_id)
    if cursor is not None:
        statement = statement.where(tuple_(*key) < tuple_(*_read_cursor(cursor)))
    rows = connection.execute(statement.order_by(*(column.desc() for column in key)).limit(limit + 1)).all()
    items = [made_ref(row, front_url) for row in rows[:limit]]
    return RefPage(items, _cursor(items[-1]) if len(rows) > limit else None)


def made_ref(row: Row[Any], front_url: str) -> MadeRef:
    """The link in a row."""
    return MadeRef(row.ref, link(front_url, row.target, row.ref), row.target, row.created_at)


def _course(row: Row[Any]) -> Course:
    lessons = tuple(zip(row.lesson_ids, row.lesson_titles, strict=True))
    return Course(row.course_id, row.instructor_id, row.title, row.status, lessons)


def _courses_of(connection: Connection, instructor_id: UUID) -> list[Course]:
    """Those that were published at least once, or sold."""
    sold = exists().where(sales_days.c.course_id == courses.c.course_id)
    rows = connection.execute(
        select(courses).where(courses.c.instructor_id == instructor_id, courses.c.published | sold)
    )
    return [_course(row) for row in rows]


def _teaching(connection: Connection, known: Iterable[Course], days: Days, academy_currency: str) -> _Teaching:
    by_id = {course.course_id: course for course in known}
    course_ids = list(by_id)
    sold_in = connection.scalars(
        select(sales_days.c.currency).where(sales_days.c.course_id.in_(course_ids)).distinct()
    ).all()
    takings = _takings(connection, sales_days.c.course_id, course_ids, days)
    books = _Books(takings, main_currency(academy_currency, sold_in))
    found = _cohorts(connection, course_ids, days)
    selling = [
        Selling(course_id, books.net(course_id).amount, books.sales(course_id), found[course_id][0], course.title)
        for course_id, course in by_id.items()
    ]
    return _Teaching(by_id, books, found, figures.ranks(selling))


def _course_figures(teaching: _Teaching, course_id: UUID) -> CourseFigures:
    return CourseFigures(
        course_id=course_id,
        title=teaching.courses[course_id].title,
        sales=teaching.books.sales(course_id),
        net=teaching.books.net(course_id),
        students=teaching.cohorts[course_id][0],
        completion_rate=teaching.completion_rate(course_id),
        rank=teaching.ranks[course_id],
    )


def _total(column: ColumnElement[int]) -> ColumnElement[int]:
    return cast(func.sum(column), BigInteger)


def _takings(
    connection: Connection, key: ColumnElement[Any], course_ids: Sequence[UUID], days: Days
) -> Sequence[Row[Any]]:
    moved = sales_days.c
    return connection.execute(
        select(key, moved.currency, _total(moved.sales), _total(moved.gross), _total(moved.refunds))
        .where(moved.course_id.in_(course_ids), days.hold(moved.day))
        .group_by(key, moved.currency)
    ).all()


def _cohorts(connection: Connection, course_ids: Sequence[UUID], days: Days) -> defaultdict[UUID, tuple[int, int]]:
    rows = connection.execute(
        select(cohorts.c.course_id, _total(cohorts.c.students), _total(cohorts.c.completed))
        .where(cohorts.c.course_id.in_(course_ids), days.hold(cohorts.c.joined_on))
        .group_by(cohorts.c.course_id)
    )
    return defaultdict(lambda: (0, 0), {course_id: (students, completed) for course_id, students, completed in rows})


def _students_by_day(connection: Connection, instructor_id: UUID, days: Days) -> dict[date, int]:
    rows = connection.execute(
        select(student_days.c.joined_on, student_days.c.students).where(
            student_days.c.instructor_id == instructor_id, days.hold(student_days.c.joined_on)
        )
    )
    return {row.joined_on: row.students for row in rows}


def _lessons_by_day(connection: Connection, course_ids: Sequence[UUID], days: Days) -> dict[date, int]:
    rows = connection.execute(
        select(lesson_days.c.day, _total(lesson_days.c.completed).label("completed"))
        .where(lesson_days.c.course_id.in_(course_ids), days.hold(lesson_days.c.day))
        .group_by(lesson_days.c.day)
    )
    return {row.day: row.completed for row in rows}


def _finishers(connection: Connection, course_id: UUID, days: Days) -> dict[UUID, int]:
    rows = connection.execute(
        select(cohort_lessons.c.lesson_id, _total(cohort_lessons.c.completed).label("completed"))
        .where(cohort_lessons.c.course_id == course_id, days.hold(cohort_lessons.c.joined_on))
        .group_by(cohort_lessons.c.lesson_id)
    )
    return {row.lesson_id: row.completed for row in rows}


def _durations(connection: Connection, course_id: UUID, days: Days) -> dict[int, int]:
    rows = connection.execute(
        select(cohort_durations.c.days, _total(cohort_durations.c.completed).label("completed"))
        .where(cohort_durations.c.course_id == course_id, days.hold(cohort_durations.c.joined_on))
        .group_by(cohort_durations.c.days)
    )
    return {row.days: row.completed for row in rows}


def _refs(connection: Connection, instructor_id: UUID, days: Days, zone: ZoneInfo, currency: str) -> list[RefFigures]:
    """The links that the instructor made, and others that sold; best first."""
    moved = ref_days.c
    takings = connection.execute(
        select(moved.ref, moved.currency, _total(moved.sales), _total(moved.gross), _total(moved.refunds))
        .where(moved.instructor_id == instructor_id, days.hold(moved.day))
        .group_by(moved.ref, moved.currency)
    )
    books = _Books(takings, currency)
    own = set(connection.scalars(select(refs.c.ref).where(refs.c.instructor_id == instructor_id)))
    others = set(connection.scalars(select(refs.c.ref).where(refs.c.ref.in_(books.keys - own))))
    registered = _registrations(connection, (own | books.keys) - others, days, zone)
    found = [RefFigures(ref, registered.get(ref, 0), books.sales(ref), books.net(ref)) for ref in own | books.keys]
    return sorted(found, key=lambda one: (-one.net.amount, -one.sales, -one.registrations, one.ref))


def _registrations(connection: Connection, wanted: Collection[str], days: Days, zone: ZoneInfo) -> dict[str, int]:
    """Sums over whole days; only what lies beside them is counted one by one."""
    within = span(days.first, days.last, zone)
    whole = select(ref_registrations.c.ref, ref_registrations.c.registrations).where(
        ref_registrations.c.ref.in_(wanted),
        ref_registrations.c.day >= within.first_day,
        ref_registrations.c.day < within.end_day,
    )
    edges = [
        select(registrations.c.ref, literal(1)).where(
            registrations.c.ref.in_(wanted),
            registrations.c.registered_at >= begin,
            registrations.c.registered_at < end,
        )
        for begin, end in within.edges
    ]
    found = union_all(whole, *edges).subquery()
    rows = connection.execute(select(found.c.ref, _total(found.c.registrations).label("number")).group_by(found.c.ref))
    return {row.ref: row.number for row in rows}


def _refuse_backwards(days: Days) -> None:
    if is_backwards(days.first, days.last):
        raise Invalid(errors=(FieldError("/to", "before-from"),))


def _shown(days: Days, today: date, active: Collection[date]) -> list[date]:
    try:
        return shown_days(days.first, days.last, today, (min(active), max(active)) if active else None)
    except TooLong as error:
        raise Invalid(errors=(FieldError("/to", "range-too-long", {"maximum": MAXIMUM_DAYS}),)) from error


def _cursor(item: MadeRef) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((item.created_at, item.ref))).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=tuple[Instant, str])
    except ValueError as error:
        raise Invalid(errors=(FieldError("/cursor", "bad-cursor"),)) from error
