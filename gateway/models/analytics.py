"""An instructor's numbers on the wire. Money is in the smallest unit of its currency; days are local dates."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from gateway.models.catalog import MoneyOut
from gateway.schemas import In, Line, Out


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("date", "must be a date") from None
    return text


Day = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d{2}-\d{2}$", min_length=10, max_length=10, json_schema_extra={"format": "date"}),
    AfterValidator(_day),
]
"""A local date, `YYYY-MM-DD`."""


class RangeQuery(In):
    """From which day to which, both included; all time unless said."""

    from_date: Day | None = Field(default=None, alias="from")
    to_date: Day | None = Field(default=None, alias="to")


class Amounts(Out):
    """Payments, what was given back of them (lost disputes included), and what is left."""

    gross: MoneyOut
    refunds: MoneyOut
    net: MoneyOut


class Revenue(Amounts):
    """Revenue in the academy's currency; `others` is what was sold in further currencies."""

    others: list[Amounts]


class CourseFigures(Out):
    """A course among an instructor's; `rank` 1 sells best, `completion_rate` is between 0 and 1."""

    course_id: UUID
    title: str
    sales: int
    net: MoneyOut
    students: int
    completion_rate: float
    rank: int


class DayFigures(Out):
    """A day of an instructor's."""

    date: date
    sales: int
    net: MoneyOut
    new_students: int
    lessons_completed: int


class RefFigures(Out):
    """What a link brought."""

    ref: str
    registrations: int
    sales: int
    net: MoneyOut


class Stats(Out):
    """An instructor's numbers; the days are those of `time_zone`."""

    time_zone: str
    revenue: Revenue
    students: int
    sales: int
    courses: list[CourseFigures]
    daily: list[DayFigures]
    refs: list[RefFigures]


class FunnelStep(Out):
    """How many finished a lesson, and which share (0 to 1) of those who finished the one before did not."""

    lesson_id: UUID
    title: str
    completed: int
    drop_off: float


class Performance(Out):
    """A course's numbers; `median_days_to_complete` is null until somebody has completed it."""

    course_id: UUID
    title: str
    sales: int
    revenue: Revenue
    rank: int
    students: int
    completion_rate: float
    median_days_to_complete: float | None
    funnel: list[FunnelStep]


class NewRef(In):
    """A link to be made: a path within the front end, of a course, a duel or a squad."""

    target: Annotated[Line, Field(min_length=1, max_length=300)]


class RefOut(Out):
    """A link to be put under a video; who comes by it is counted under `ref`."""

    ref: str
    url: str
    target: str
    created_at: datetime


class Refs(Out):
    """A page of an instructor's links."""

    items: list[RefOut]
    next_cursor: str | None


CSV: dict[int | str, Any] = {
    200: {"description": "The figures", "content": {"text/csv": {"schema": {"type": "string"}}}}
}
"""What a route that also answers CSV adds to the document."""
