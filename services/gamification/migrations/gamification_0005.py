"""Badges, also for what was earned before; who stays off the leaderboards."""

from alembic import op

revision = "gamification_0005"
down_revision = "gamification_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the badges, count lessons, and mark everybody as one whose badges are to be looked up."""
    op.execute("alter table students add column lessons integer not null default 0")
    op.execute(
        "update students set lessons = counted.lessons "
        "from (select user_id, count(*) as lessons from ledger where kind = 'lesson' group by user_id) as counted "
        "where counted.user_id = students.user_id"
    )
    op.execute("alter table students add column leaderboard_opt_out boolean not null default false")
    op.execute("alter table students add column badges_known boolean not null default false")
    op.execute("alter table students alter column badges_known set default true")
    op.execute("create index students_badges_unknown on students (user_id) where not badges_known")
    op.execute(
        """
        create table badge_awards (
            user_id uuid not null references students (user_id),
            code text not null,
            reason text not null,
            earned_at timestamptz not null,
            primary key (user_id, code, reason)
        )
        """
    )
