"""Points are won, lost, spent and held; accounts and courses are known from their events."""

from alembic import op

revision = "gamification_0002"
down_revision = "gamification_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the ledger, and make the copies of accounts and courses."""
    op.execute("alter table ledger drop constraint ledger_kind_check")
    op.execute(
        "alter table ledger add constraint ledger_kind_check "
        "check (kind in ('lesson', 'course', 'duel_won', 'duel_lost', 'purchase'))"
    )
    op.execute(
        "alter table students add column points_held bigint not null default 0 "
        "constraint students_points_held_check check (points_held >= 0)"
    )
    op.execute(
        """
        create table people (
            user_id uuid primary key,
            sequence bigint not null,
            role text not null,
            status text not null,
            time_zone text not null,
            email_verified_at timestamptz
        )
        """
    )
    op.execute(
        """
        create table course_copies (
            course_id uuid primary key,
            sequence bigint not null,
            status text not null,
            slug text not null,
            title text not null,
            instructor_id uuid not null,
            unlock_streak_days integer
        )
        """
    )
