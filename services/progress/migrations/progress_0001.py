"""Copies of courses, entitlements, and how far each student has come."""

from alembic import op

revision = "progress_0001"
down_revision = None
branch_labels = ("progress",)
depends_on = None

_STATEMENTS = (
    """
    create table course_copies (
        course_id uuid primary key,
        sequence bigint not null,
        status text not null constraint ck_course_copies_status
            check (status in ('draft', 'published', 'unpublished', 'archived', 'deleted')),
        instructor_id uuid not null,
        price_amount bigint not null constraint ck_course_copies_price check (price_amount >= 0),
        unlock_streak_days integer,
        lesson_ids uuid[] not null,
        to_recount boolean not null default false
    )
    """,
    "create index course_copies_to_recount on course_copies (course_id) where to_recount",
    """
    create table lesson_copies (
        lesson_id uuid primary key,
        course_id uuid not null references course_copies (course_id),
        chapter_id uuid not null,
        title text not null,
        kind text not null constraint ck_lesson_copies_kind check (kind in ('video', 'text', 'project')),
        duration_seconds integer not null constraint ck_lesson_copies_duration check (duration_seconds >= 0),
        free_preview boolean not null
    )
    """,
    "create index lesson_copies_course on lesson_copies (course_id)",
    """
    create table entitlements (
        entitlement_id uuid primary key,
        user_id uuid not null,
        course_id uuid not null,
        source text not null constraint ck_entitlements_source
            check (source in ('purchase', 'free', 'gift', 'unlock')),
        live boolean not null,
        sequence bigint not null,
        granted_at timestamptz not null
    )
    """,
    "create index entitlements_live on entitlements (user_id, course_id) where live",
    "create unique index entitlements_one_free on entitlements (user_id, course_id) where live and source = 'free'",
    """
    create table openings (
        user_id uuid not null,
        lesson_id uuid not null,
        opened_at timestamptz not null,
        primary key (user_id, lesson_id)
    )
    """,
    """
    create table positions (
        user_id uuid not null,
        course_id uuid not null,
        lesson_id uuid not null,
        seconds double precision not null constraint ck_positions_seconds check (seconds >= 0),
        previous_seconds double precision not null default 0,
        primary key (user_id, course_id, lesson_id)
    )
    """,
    """
    create table lesson_completions (
        user_id uuid not null,
        course_id uuid not null,
        lesson_id uuid not null,
        completed_at timestamptz not null,
        hasty boolean not null,
        primary key (user_id, course_id, lesson_id)
    )
    """,
    """
    create table enrollments (
        user_id uuid not null,
        course_id uuid not null,
        started_at timestamptz not null,
        completed_lessons integer not null default 0 constraint ck_enrollments_completed_lessons
            check (completed_lessons >= 0),
        counted_sequence bigint not null default 0,
        access text,
        time_zone text,
        pending_since timestamptz,
        completed_at timestamptz,
        primary key (user_id, course_id),
        constraint ck_enrollments_pending check (pending_since is null or completed_at is null)
    )
    """,
    "create index enrollments_course on enrollments (course_id, user_id)",
    "create index enrollments_pending on enrollments (course_id, user_id) where pending_since is not null",
    """
    create table study_clocks (
        user_id uuid primary key,
        reported_at timestamptz not null,
        previous_at timestamptz
    )
    """,
    """
    create table study_days (
        user_id uuid not null,
        local_date date not null,
        seconds double precision not null constraint ck_study_days_seconds check (seconds >= 0),
        told_at timestamptz,
        primary key (user_id, local_date)
    )
    """,
)


def upgrade() -> None:
    """Make the tables of progress."""
    for statement in _STATEMENTS:
        op.execute(statement)
