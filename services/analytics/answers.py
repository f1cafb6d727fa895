"""The answers of analytics to calls. Money is in the smallest unit of its currency, rates are between 0 and 1."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from contracts.events.catalog import Money


class Amounts(msgspec.Struct, frozen=True):
    """Payments, what was given back of them (lost disputes included), and what is left."""

    gross: Money
    refunds: Money
    net: Money


class Revenue(msgspec.Struct, frozen=True):
    """Revenue in the main currency; `others` is what was sold in further ones."""

    gross: Money
    refunds: Money
    net: Money
    others: list[Amounts]


class CourseFigures(msgspec.Struct, frozen=True):
    """A course among its instructor's."""

    course_id: UUID
    title: str
    sales: int
    net: Money
    students: int
    completion_rate: float
    rank: int


class DayFigures(msgspec.Struct, frozen=True):
    """A local day of an instructor's."""

    date: date
    sales: int
    net: Money
    new_students: int
    lessons_completed: int


class RefFigures(msgspec.Struct, frozen=True):
    """What a link brought."""

    ref: str
    registrations: int
    sales: int
    net: Money


class InstructorStats(msgspec.Struct, frozen=True, rename={"from_date": "from", "to_date": "to"}):
    """An instructor's numbers; the days are those of `time_zone`."""

    from_date: date | None
    to_date: date | None
    time_zone: str
    revenue: Revenue
    students: int
    sales: int
    courses: list[CourseFigures]
    daily: list[DayFigures]
    refs: list[RefFigures]


class FunnelStep(msgspec.Struct, frozen=True):
    """How many finished a lesson, and which share of those who finished the one before did not."""

    lesson_id: UUID
    title: str
    completed: int
    drop_off: float


class CoursePerformance(msgspec.Struct, frozen=True):
    """A course's numbers."""

    course_id: UUID
    title: str
    sales: int
    revenue: Revenue
    rank: int
    students: int
    completion_rate: float
    median_days_to_complete: float | None
    funnel: list[FunnelStep]


class MadeRef(msgspec.Struct, frozen=True):
    """A link that an instructor made."""

    ref: str
    url: str
    target: str
    created_at: datetime


class RefPage(msgspec.Struct, frozen=True):
    """A page of links, newest first."""

    items: list[MadeRef]
    next_cursor: str | None


class RebuildState(msgspec.Struct, frozen=True):
    """Whether a rebuild is under way, and how many of the events sent again it has handled."""

    state: Literal["running", "none"]
    handled: int = 0
    started_at: datetime | None = None


class Rebuilt(msgspec.Struct, frozen=True):
    """The end of a rebuild: of how many events, and how many rows of counts were not the same before."""

    events: int
    rows: int
    differing: int
