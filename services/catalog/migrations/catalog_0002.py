"""The game keeps copies of courses and quizzes now: it is told of those that are there."""

from alembic import op

revision = "catalog_0002"
down_revision = "catalog_0001"
branch_labels = None
depends_on = "bus_0001"


def upgrade() -> None:
    """Tell every course's and every quiz's state again; a copy that knows it already ignores it."""
    op.execute(
        """
        insert into outbox (id, type, partition_key, sequence, data)
        select gen_random_uuid(), 'catalog.course_changed.v1', courses.id::text, courses.version, json_build_object(
            'course_id', courses.id, 'slug', coalesce(courses.slug, ''), 'title', courses.title,
            'instructor_id', courses.instructor_id, 'status', courses.status, 'category', courses.category,
            'price', json_build_object('amount', courses.price_amount, 'currency', courses.price_currency),
            'practical', courses.practical,
            'unlock', case when courses.unlock_streak_days is not null
                then json_build_object('streak_days', courses.unlock_streak_days) end,
            'published_at', courses.published_at,
            'chapters', (
                select coalesce(json_agg(json_build_object(
                    'id', chapters.id, 'title', chapters.title,
                    'has_quiz', exists (select from quizzes where quizzes.chapter_id = chapters.id),
                    'lessons', (
                        select coalesce(json_agg(json_build_object(
                            'id', lessons.id, 'title', lessons.title, 'kind', lessons.kind,
                            'duration_seconds', lessons.duration_seconds, 'free_preview', lessons.free_preview
                        ) order by lessons.position), '[]')
                        from lessons where lessons.chapter_id = chapters.id
                    )
                ) order by chapters.position), '[]')
                from chapters where chapters.course_id = courses.id
            )
        )
        from courses order by courses.created_at, courses.id
        """
    )
    op.execute(
        """
        insert into outbox (id, type, partition_key, sequence, data)
        select gen_random_uuid(), 'catalog.quiz_changed.v1', chapters.id::text, courses.version, json_build_object(
            'chapter_id', chapters.id, 'course_id', courses.id,
            'time_limit_seconds', quizzes.time_limit_seconds, 'questions', quizzes.questions
        )
        from quizzes join chapters on chapters.id = quizzes.chapter_id join courses on courses.id = chapters.course_id
        order by courses.created_at, chapters.id
        """
    )
