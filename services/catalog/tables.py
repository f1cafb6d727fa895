"""The catalog's tables. What must never be is forbidden here, whatever the code does."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

categories = Table(
    "categories",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("name", Text, nullable=False),
)

courses = Table(
    "courses",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("instructor_id", Uuid, nullable=False),
    Column("slug", Text),
    Column("title", Text, nullable=False),
    Column("subtitle", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("category", Text, ForeignKey("categories.slug"), nullable=False),
    Column("level", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("cover_url", Text),
    Column("price_amount", BigInteger, nullable=False),
    Column("price_currency", Text, nullable=False),
    Column("unlock_streak_days", Integer),
    Column("practical", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("excerpt", Text, nullable=False),
    Column("search", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("published_at", DateTime(timezone=True)),
    ForeignKeyConstraint(
        ["slug", "id"],
        ["course_slugs.slug", "course_slugs.course_id"],
        name="courses_slug_id_fkey",
        deferrable=True,
        initially="DEFERRED",
        use_alter=True,
    ),
    CheckConstraint("level in ('beginner', 'intermediate', 'advanced')", name="level"),
    CheckConstraint("status in ('draft', 'published', 'unpublished', 'archived', 'deleted')", name="status"),
    CheckConstraint("(slug is null) = (status = 'deleted')", name="slug"),
    CheckConstraint("(published_at is null) = (status in ('draft', 'deleted'))", name="published_at"),
    CheckConstraint("price_amount >= 0 and price_currency ~ '^[A-Z]{3}$'", name="price"),
    CheckConstraint("unlock_streak_days is null or (unlock_streak_days > 0 and price_amount = 0)", name="unlock"),
    Index(
        "courses_published_idx",
        text("published_at desc"),
        text("id desc"),
        postgresql_where=text("status = 'published'"),
    ),
    Index(
        "courses_published_category_idx",
        "category",
        text("published_at desc"),
        text("id desc"),
        postgresql_where=text("status = 'published'"),
    ),
    Index("courses_instructor_idx", "instructor_id", text("created_at desc"), text("id desc")),
)
"""`version` is the sequence of the events, `excerpt` and `search` are made of its texts; a tombstone has no slug."""

course_slugs = Table(
    "course_slugs",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("course_id", Uuid, nullable=False),
    ForeignKeyConstraint(["course_id"], ["courses.id"], deferrable=True, initially="DEFERRED"),
    UniqueConstraint("slug", "course_id"),
    Index("course_slugs_course_id_idx", "course_id"),
)
"""Every slug that a course has or had."""

chapters = Table(
    "chapters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id"), nullable=False),
    Column("title", Text, nullable=False),
    Column("position", Integer, nullable=False),
    UniqueConstraint("course_id", "position", deferrable=True, initially="DEFERRED"),
    UniqueConstraint("id", "course_id"),
    CheckConstraint("position > 0", name="position"),
)

lessons = Table(
    "lessons",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, nullable=False),
    Column("chapter_id", Uuid, nullable=False),
    Column("title", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("project_brief", Text),
    Column("duration_seconds", Integer, nullable=False),
    Column("free_preview", Boolean, nullable=False),
    Column("video_id", Uuid),
    Column("video_status", Text),
    Column("position", Integer, nullable=False),
    ForeignKeyConstraint(["chapter_id", "course_id"], ["chapters.id", "chapters.course_id"], ondelete="CASCADE"),
    UniqueConstraint("chapter_id", "position", deferrable=True, initially="DEFERRED"),
    CheckConstraint("kind in ('video', 'text', 'project')", name="kind"),
    CheckConstraint("duration_seconds >= 0", name="duration"),
    CheckConstraint("project_brief is null or kind = 'project'", name="project_brief"),
    CheckConstraint(
        "(video_id is null) = (video_status is null) and "
        "video_status in ('waiting', 'preparing', 'ready', 'errored', 'cancelled', 'timed_out')",
        name="video",
    ),
    CheckConstraint("position > 0", name="position"),
    Index("lessons_course_id_idx", "course_id"),
)
"""`video_id` and `video_status` are what the video service says of the lesson's upload."""

transcripts = Table(
    "transcripts",
    metadata,
    Column("lesson_id", Uuid, ForeignKey("lessons.id", ondelete="CASCADE"), primary_key=True),
    Column("vtt", Text, nullable=False),
    Column("cues", JSONB, nullable=False),
)
"""The WebVTT file as it was given, and its cues: `[{start_seconds, end_seconds, text}]`."""

quizzes = Table(
    "quizzes",
    metadata,
    Column("chapter_id", Uuid, ForeignKey("chapters.id", ondelete="CASCADE"), primary_key=True),
    Column("time_limit_seconds", Integer, nullable=False),
    Column("questions", JSONB, nullable=False),
    CheckConstraint("time_limit_seconds > 0", name="time_limit"),
    CheckConstraint("jsonb_array_length(questions) > 0", name="questions"),
)
"""A chapter's quiz; `questions` is `[{text, choices, answer}]`, the time limit is per question."""
