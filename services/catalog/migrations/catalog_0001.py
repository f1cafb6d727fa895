"""The catalog's tables."""

from alembic import op

revision = "catalog_0001"
down_revision = None
branch_labels = ("catalog",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.execute(
        """
        create table categories (
            slug text primary key,
            name text not null
        )
        """
    )
    op.execute(
        """
        create table courses (
            id uuid primary key,
            instructor_id uuid not null,
            slug text,
            title text not null,
            subtitle text not null,
            description text not null,
            category text not null references categories (slug),
            level text not null constraint courses_level_check
                check (level in ('beginner', 'intermediate', 'advanced')),
            language text not null,
            cover_url text,
            price_amount bigint not null,
            price_currency text not null,
            unlock_streak_days integer,
            practical boolean not null,
            status text not null constraint courses_status_check
                check (status in ('draft', 'published', 'unpublished', 'archived', 'deleted')),
            version bigint not null,
            excerpt text not null,
            search text not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            published_at timestamptz,
            constraint courses_slug_check check ((slug is null) = (status = 'deleted')),
            constraint courses_published_at_check check ((published_at is null) = (status in ('draft', 'deleted'))),
            constraint courses_price_check check (price_amount >= 0 and price_currency ~ '^[A-Z]{3}$'),
            constraint courses_unlock_check
                check (unlock_streak_days is null or (unlock_streak_days > 0 and price_amount = 0))
        )
        """
    )
    op.execute("create index courses_published_idx on courses (published_at desc, id desc) where status = 'published'")
    op.execute(
        "create index courses_published_category_idx on courses (category, published_at desc, id desc) "
        "where status = 'published'"
    )
    op.execute("create index courses_instructor_idx on courses (instructor_id, created_at desc, id desc)")
    op.execute(
        """
        create table course_slugs (
            slug text primary key,
            course_id uuid not null references courses (id) deferrable initially deferred,
            unique (slug, course_id)
        )
        """
    )
    op.execute("create index course_slugs_course_id_idx on course_slugs (course_id)")
    op.execute(
        "alter table courses add constraint courses_slug_id_fkey foreign key (slug, id) "
        "references course_slugs (slug, course_id) deferrable initially deferred"
    )
    op.execute(
        """
        create table chapters (
            id uuid primary key,
            course_id uuid not null references courses (id),
            title text not null,
            position integer not null constraint chapters_position_check check (position > 0),
            unique (course_id, position) deferrable initially deferred,
            unique (id, course_id)
        )
        """
    )
    op.execute(
        """
        create table lessons (
            id uuid primary key,
            course_id uuid not null,
            chapter_id uuid not null,
            title text not null,
            kind text not null constraint lessons_kind_check check (kind in ('video', 'text', 'project')),
            body text not null,
            project_brief text,
            duration_seconds integer not null constraint lessons_duration_check check (duration_seconds >= 0),
            free_preview boolean not null,
            video_id uuid,
            video_status text,
            position integer not null constraint lessons_position_check check (position > 0),
            unique (chapter_id, position) deferrable initially deferred,
            foreign key (chapter_id, course_id) references chapters (id, course_id) on delete cascade,
            constraint lessons_project_brief_check check (project_brief is null or kind = 'project'),
            constraint lessons_video_check check (
                (video_id is null) = (video_status is null) and
                video_status in ('waiting', 'preparing', 'ready', 'errored', 'cancelled', 'timed_out')
            )
        )
        """
    )
    op.execute("create index lessons_course_id_idx on lessons (course_id)")
    op.execute(
        """
        create table transcripts (
            lesson_id uuid primary key references lessons (id) on delete cascade,
            vtt text not null,
            cues jsonb not null
        )
        """
    )
    op.execute(
        """
        create table quizzes (
            chapter_id uuid primary key references chapters (id) on delete cascade,
            time_limit_seconds integer not null constraint quizzes_time_limit_check check (time_limit_seconds > 0),
            questions jsonb not null constraint quizzes_questions_check check (jsonb_array_length(questions) > 0)
        )
        """
    )
