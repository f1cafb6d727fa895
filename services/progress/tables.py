"""The tables of progress. Ids of users, courses and lessons are other services', so few of them are foreign keys."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})


def _instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


course_copies = Table(
    "course_copies",
    metadata,
    Column("course_id", Uuid, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("instructor_id", Uuid, nullable=False),
    Column("lesson_ids", ARRAY(Uuid), nullable=False),
    Column("to_recount", Boolean, nullable=False, server_default=false()),
    CheckConstraint("status in ('draft', 'published', 'unpublished', 'archived', 'deleted')", "status"),
    Index("course_copies_to_recount", "course_id", postgresql_where=text("to_recount")),
)
"""Catalog's courses as last heard of; a deleted one stays as a tombstone.

`lesson_ids` is the order of the whole course.

`to_recount`: lessons were lost, and the enrollments' counters are not yet counted anew.
"""

lesson_copies = Table(
    "lesson_copies",
    metadata,
    Column("lesson_id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("course_copies.course_id"), nullable=False),
    Column("chapter_id", Uuid, nullable=False),
    Column("title", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("duration_seconds", Integer, nullable=False),
    Column("free_preview", Boolean, nullable=False),
    CheckConstraint("kind in ('video', 'text', 'project')", "kind"),
    CheckConstraint("duration_seconds >= 0", "duration"),
    Index("lesson_copies_course", "course_id"),
)
"""The lessons that exist."""

entitlements = Table(
    "entitlements",
    metadata,
    Column("entitlement_id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("course_id", Uuid, nullable=False),
    Column("source", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    _instant("granted_at"),
    CheckConstraint("source in ('purchase', 'free', 'gift', 'unlock')", "source"),
    Index("entitlements_live", "user_id", "course_id", postgresql_where=text("live")),
)
"""Purchase's rights to courses as last heard of; access is any live one, and one that ended stays as a tombstone."""

openings = Table(
    "openings",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("lesson_id", Uuid, primary_key=True),
    _instant("opened_at"),
)
"""When a student first opened a lesson."""

positions = Table(
    "positions",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("course_id", Uuid, primary_key=True),
    Column("lesson_id", Uuid, primary_key=True),
    Column("seconds", Double, nullable=False),
    Column("previous_seconds", Double, nullable=False, server_default=text("0")),
    CheckConstraint("seconds >= 0", "seconds"),
)
"""Where a student last was in a lesson, and the time before."""

lesson_completions = Table(
    "lesson_completions",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("course_id", Uuid, primary_key=True),
    Column("lesson_id", Uuid, primary_key=True),
    _instant("completed_at"),
    Column("hasty", Boolean, nullable=False),
)
"""Lessons finished, also such as no longer exist."""

enrollments = Table(
    "enrollments",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("course_id", Uuid, primary_key=True),
    _instant("started_at"),
    Column("completed_lessons", Integer, nullable=False, server_default=text("0")),
    Column("counted_sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("access", Text),
    Column("time_zone", Text),
    _instant("pending_since", nullable=True),
    _instant("completed_at", nullable=True),
    CheckConstraint("completed_lessons >= 0", "completed_lessons"),
    CheckConstraint("pending_since is null or completed_at is null", "pending"),
    Index("enrollments_course", "course_id", "user_id"),
    Index("enrollments_pending", "course_id", "user_id", postgresql_where=text("pending_since is not null")),
)
"""A student in a course, made before the first lesson is finished. Its row lock orders all that counts lessons.

`completed_lessons` counts lessons that exist, last counted from scratch against the outline of `counted_sequence`;
`access` and `time_zone` are those of the last lesson finished. `pending_since`: from then on all lessons of our copy
seem finished, which catalog is yet to confirm; `completed_at` stays whatever is added later.
"""

study_clocks = Table(
    "study_clocks",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    _instant("reported_at"),
    _instant("previous_at", nullable=True),
)
"""When a student last reported a position in any lesson, and the time before; its lock orders the reports."""

study_days = Table(
    "study_days",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("local_date", Date, primary_key=True),
    Column("seconds", Double, nullable=False),
    _instant("told_at", nullable=True),
    CheckConstraint("seconds >= 0", "seconds"),
)
"""The advance counted on a student's local date, and when it was told to be a day of study."""
