"""The projection in a schema of its own, links, and the rebuild under way."""

from alembic import op

revision = "analytics_0001"
down_revision = None
branch_labels = ("analytics",)
depends_on = None

_STATEMENTS = (
    """
    create table refs (
        ref text primary key,
        instructor_id uuid not null,
        target text not null,
        created_at timestamptz not null,
        constraint ck_refs_ref check (ref ~ '^[a-z0-9]{8,10}$')
    )
    """,
    "create index refs_instructor on refs (instructor_id, created_at, ref)",
    """
    create table rebuilds (
        one boolean primary key default true,
        started_at timestamptz not null,
        handled bigint not null default 0,
        constraint ck_rebuilds_one check (one),
        constraint ck_rebuilds_handled check (handled >= 0)
    )
    """,
    """
    create table time_zones (
        name text primary key
    )
    """,
    "insert into time_zones select name from pg_timezone_names",
    "create schema projection",
    """
    create table projection.courses (
        course_id uuid primary key,
        sequence bigint not null,
        instructor_id uuid not null,
        title text not null,
        status text not null,
        published boolean not null,
        lesson_ids uuid[] not null,
        lesson_titles text[] not null,
        constraint ck_courses_status check (status in ('draft', 'published', 'unpublished', 'archived', 'deleted')),
        constraint ck_courses_lessons check (cardinality(lesson_ids) = cardinality(lesson_titles))
    )
    """,
    "create index courses_instructor on projection.courses (instructor_id)",
    """
    create table projection.people (
        user_id uuid primary key,
        sequence bigint not null,
        time_zone text not null
    )
    """,
    """
    create table projection.registrations (
        user_id uuid primary key,
        ref text,
        registered_at timestamptz not null
    )
    """,
    "create index registrations_ref on projection.registrations (ref, registered_at) where ref is not null",
    """
    create table projection.entitlements (
        entitlement_id uuid primary key,
        sequence bigint not null,
        user_id uuid not null,
        course_id uuid not null,
        live boolean not null,
        granted_at timestamptz not null
    )
    """,
    "create index entitlements_live on projection.entitlements (course_id, user_id) where live",
    """
    create table projection.students (
        course_id uuid not null,
        user_id uuid not null,
        joined_at timestamptz not null,
        primary key (course_id, user_id)
    )
    """,
    "create index students_user on projection.students (user_id)",
    """
    create table projection.completions (
        course_id uuid not null,
        user_id uuid not null,
        lesson_id uuid not null,
        completed_at timestamptz not null,
        primary key (course_id, user_id, lesson_id)
    )
    """,
    """
    create table projection.course_completions (
        course_id uuid not null,
        user_id uuid not null,
        completed_at timestamptz not null,
        primary key (course_id, user_id)
    )
    """,
    """
    create table projection.sales (
        order_id uuid primary key,
        user_id uuid not null,
        course_id uuid not null,
        amount bigint not null,
        currency text not null,
        ref text,
        placed_at timestamptz not null,
        paid_at timestamptz not null,
        credited_ref text,
        constraint ck_sales_amount check (amount >= 0 and currency ~ '^[A-Z]{3}$')
    )
    """,
    "create index sales_course on projection.sales (course_id)",
    "create index sales_user on projection.sales (user_id)",
    """
    create table projection.refunds (
        order_id uuid not null,
        refunded bigint not null,
        refunded_at timestamptz not null,
        primary key (order_id, refunded),
        constraint ck_refunds_refunded check (refunded > 0)
    )
    """,
    """
    create table projection.chargebacks (
        dispute_id text primary key,
        order_id uuid not null,
        amount bigint not null,
        charged_back_at timestamptz not null,
        constraint ck_chargebacks_amount check (amount >= 0)
    )
    """,
    "create index chargebacks_order on projection.chargebacks (order_id)",
    """
    create table projection.movements (
        order_id uuid not null references projection.sales (order_id),
        at timestamptz not null,
        sales integer not null,
        gross bigint not null,
        refunds bigint not null,
        primary key (order_id, at),
        constraint ck_movements_movement check (sales in (0, 1) and gross >= 0 and refunds >= 0)
    )
    """,
    """
    create table projection.sales_days (
        course_id uuid not null,
        day date not null,
        currency text not null,
        sales integer not null,
        gross bigint not null,
        refunds bigint not null,
        primary key (course_id, day, currency),
        constraint ck_sales_days_counts check (sales >= 0 and gross >= 0 and refunds >= 0)
    )
    """,
    """
    create table projection.ref_days (
        instructor_id uuid not null,
        ref text not null,
        day date not null,
        currency text not null,
        sales integer not null,
        gross bigint not null,
        refunds bigint not null,
        primary key (instructor_id, ref, day, currency),
        constraint ck_ref_days_counts check (sales >= 0 and gross >= 0 and refunds >= 0)
    )
    """,
    """
    create table projection.ref_registrations (
        ref text not null,
        day date not null,
        registrations integer not null,
        primary key (ref, day),
        constraint ck_ref_registrations_counts check (registrations > 0)
    )
    """,
    """
    create table projection.lesson_days (
        course_id uuid not null,
        day date not null,
        completed integer not null,
        primary key (course_id, day),
        constraint ck_lesson_days_counts check (completed > 0)
    )
    """,
    """
    create table projection.cohorts (
        course_id uuid not null,
        joined_on date not null,
        students integer not null,
        completed integer not null,
        primary key (course_id, joined_on),
        constraint ck_cohorts_counts check (completed between 0 and students)
    )
    """,
    """
    create table projection.cohort_lessons (
        course_id uuid not null,
        lesson_id uuid not null,
        joined_on date not null,
        completed integer not null,
        primary key (course_id, lesson_id, joined_on),
        constraint ck_cohort_lessons_counts check (completed > 0)
    )
    """,
    """
    create table projection.cohort_durations (
        course_id uuid not null,
        joined_on date not null,
        days integer not null,
        completed integer not null,
        primary key (course_id, joined_on, days),
        constraint ck_cohort_durations_counts check (days >= 0 and completed > 0)
    )
    """,
    """
    create table projection.student_days (
        instructor_id uuid not null,
        joined_on date not null,
        students integer not null,
        primary key (instructor_id, joined_on),
        constraint ck_student_days_counts check (students > 0)
    )
    """,
)


def upgrade() -> None:
    """Make the tables of analytics."""
    for statement in _STATEMENTS:
        op.execute(statement)
