"""The tables of analytics: those of the projection, which a rebuild makes anew, and those that stay.

The projection has facts as they were heard, what follows of them for one student or order, and counts by local date in
the instructor's present time zone. One writer at a time (`projection.lock`) keeps the counts equal to the facts; a
count of nothing has no row. Ids are other services', so few of them are foreign keys.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

_NAMES = {"ck": "ck_%(table_name)s_%(constraint_name)s"}
metadata = MetaData(naming_convention=_NAMES)
"""What stays whatever becomes of the projection."""
projection = MetaData(naming_convention=_NAMES)
"""What can be counted again from retained events; unqualified, since a rebuild fills a second schema of them."""


def _id(name: str, *, key: bool = False) -> Column[Any]:
    return Column(name, Uuid, primary_key=key, nullable=False)


def _instant(name: str, *, key: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), primary_key=key, nullable=False)


def _day(name: str) -> Column[Any]:
    return Column(name, Date, primary_key=True)


def _count(name: str) -> Column[Any]:
    return Column(name, Integer, nullable=False)


def _amount(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False)


refs = Table(
    "refs",
    metadata,
    Column("ref", Text, primary_key=True),
    _id("instructor_id"),
    Column("target", Text, nullable=False),
    _instant("created_at"),
    CheckConstraint("ref ~ '^[a-z0-9]{8,10}$'", "ref"),
    Index("refs_instructor", "instructor_id", "created_at", "ref"),
)
"""The links that instructors made."""

rebuilds = Table(
    "rebuilds",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=true()),
    _instant("started_at"),
    Column("handled", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("one", "one"),
    CheckConstraint("handled >= 0", "handled"),
)
"""The rebuild under way, if any, and how many of the events sent again it has handled."""

time_zones = Table("time_zones", metadata, Column("name", Text, primary_key=True))
"""The time zones that this PostgreSQL knows by name."""

courses = Table(
    "courses",
    projection,
    _id("course_id", key=True),
    Column("sequence", BigInteger, nullable=False),
    _id("instructor_id"),
    Column("title", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("published", Boolean, nullable=False),
    Column("lesson_ids", ARRAY(Uuid), nullable=False),
    Column("lesson_titles", ARRAY(Text), nullable=False),
    CheckConstraint("status in ('draft', 'published', 'unpublished', 'archived', 'deleted')", "status"),
    CheckConstraint("cardinality(lesson_ids) = cardinality(lesson_titles)", "lessons"),
    Index("courses_instructor", "instructor_id"),
)
"""Courses as last heard of, lessons in their order; `published`: it was so at least once."""

people = Table(
    "people",
    projection,
    _id("user_id", key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("time_zone", Text, nullable=False),
)
"""Where people are, as last heard; UTC where PostgreSQL does not know the zone."""

registrations = Table(
    "registrations",
    projection,
    _id("user_id", key=True),
    Column("ref", Text),
    _instant("registered_at"),
    Index("registrations_ref", "ref", "registered_at", postgresql_where=text("ref is not null")),
)
"""When people made their accounts, and by which link."""

entitlements = Table(
    "entitlements",
    projection,
    _id("entitlement_id", key=True),
    Column("sequence", BigInteger, nullable=False),
    _id("user_id"),
    _id("course_id"),
    Column("live", Boolean, nullable=False),
    _instant("granted_at"),
    Index("entitlements_live", "course_id", "user_id", postgresql_where=text("live")),
)
"""Rights to courses as last heard of."""

students = Table(
    "students",
    projection,
    _id("course_id", key=True),
    _id("user_id", key=True),
    _instant("joined_at"),
    Index("students_user", "user_id"),
)
"""Who has a live right to a course, since the earliest of them."""

completions = Table(
    "completions",
    projection,
    _id("course_id", key=True),
    _id("user_id", key=True),
    _id("lesson_id", key=True),
    _instant("completed_at"),
)
"""Lessons finished, but those of authors and admins."""

course_completions = Table(
    "course_completions",
    projection,
    _id("course_id", key=True),
    _id("user_id", key=True),
    _instant("completed_at"),
)
"""Courses finished, but those of authors and admins."""

sales = Table(
    "sales",
    projection,
    _id("order_id", key=True),
    _id("user_id"),
    _id("course_id"),
    _amount("amount"),
    Column("currency", Text, nullable=False),
    Column("ref", Text),
    _instant("placed_at"),
    _instant("paid_at"),
    Column("credited_ref", Text),
    CheckConstraint("amount >= 0 and currency ~ '^[A-Z]{3}$'", "amount"),
    Index("sales_course", "course_id"),
    Index("sales_user", "user_id"),
)
"""Orders paid; `ref` is the order's own link, `credited_ref` the one that it is owed to."""

refunds = Table(
    "refunds",
    projection,
    _id("order_id", key=True),
    Column("refunded", BigInteger, primary_key=True, autoincrement=False),
    _instant("refunded_at"),
    CheckConstraint("refunded > 0", "refunded"),
)
"""Totals given back, also of orders not yet heard of, each with the earliest instant of it."""

chargebacks = Table(
    "chargebacks",
    projection,
    Column("dispute_id", Text, primary_key=True),
    _id("order_id"),
    _amount("amount"),
    _instant("charged_back_at"),
    CheckConstraint("amount >= 0", "amount"),
    Index("chargebacks_order", "order_id"),
)
"""Disputes lost, also over orders not yet heard of."""

movements = Table(
    "movements",
    projection,
    Column("order_id", Uuid, ForeignKey("sales.order_id"), primary_key=True),
    _instant("at", key=True),
    _count("sales"),
    _amount("gross"),
    _amount("refunds"),
    CheckConstraint("sales in (0, 1) and gross >= 0 and refunds >= 0", "movement"),
)
"""What each order adds to the figures, instant by instant."""

sales_days = Table(
    "sales_days",
    projection,
    _id("course_id", key=True),
    _day("day"),
    Column("currency", Text, primary_key=True),
    _count("sales"),
    _amount("gross"),
    _amount("refunds"),
    CheckConstraint("sales >= 0 and gross >= 0 and refunds >= 0", "counts"),
)
"""Movements of a course's money."""

ref_days = Table(
    "ref_days",
    projection,
    _id("instructor_id", key=True),
    Column("ref", Text, primary_key=True),
    _day("day"),
    Column("currency", Text, primary_key=True),
    _count("sales"),
    _amount("gross"),
    _amount("refunds"),
    CheckConstraint("sales >= 0 and gross >= 0 and refunds >= 0", "counts"),
)
"""Movements of money on an instructor's courses that are owed to a link."""

ref_registrations = Table(
    "ref_registrations",
    projection,
    Column("ref", Text, primary_key=True),
    _day("day"),
    _count("registrations"),
    CheckConstraint("registrations > 0", "counts"),
)
"""Accounts made by a link, by day in UTC: whose numbers these are is not known, so neither is a time zone."""

lesson_days = Table(
    "lesson_days",
    projection,
    _id("course_id", key=True),
    _day("day"),
    _count("completed"),
    CheckConstraint("completed > 0", "counts"),
)
"""Lessons finished in a course on a day."""

cohorts = Table(
    "cohorts",
    projection,
    _id("course_id", key=True),
    _day("joined_on"),
    _count("students"),
    _count("completed"),
    CheckConstraint("completed between 0 and students", "counts"),
)
"""Students of a course by the day they joined, and how many of them have completed it."""

cohort_lessons = Table(
    "cohort_lessons",
    projection,
    _id("course_id", key=True),
    _id("lesson_id", key=True),
    _day("joined_on"),
    _count("completed"),
    CheckConstraint("completed > 0", "counts"),
)
"""How many students of a cohort have finished a lesson."""

cohort_durations = Table(
    "cohort_durations",
    projection,
    _id("course_id", key=True),
    _day("joined_on"),
    Column("days", Integer, primary_key=True, autoincrement=False),
    _count("completed"),
    CheckConstraint("days >= 0 and completed > 0", "counts"),
)
"""How many students of a cohort took so many whole days to complete the course."""

student_days = Table(
    "student_days",
    projection,
    _id("instructor_id", key=True),
    _day("joined_on"),
    _count("students"),
    CheckConstraint("students > 0", "counts"),
)
"""Students of an instructor, each once, by the day they joined the first of the courses."""
