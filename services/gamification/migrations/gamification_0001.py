"""Students, the ledger, and learning days."""

from alembic import op

revision = "gamification_0001"
down_revision = None
branch_labels = ("gamification",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.execute(
        """
        create table students (
            user_id uuid primary key,
            xp bigint not null default 0,
            points bigint not null default 0,
            streak_current integer not null default 0,
            streak_longest integer not null default 0,
            streak_one_zone boolean not null default true,
            learned_at timestamptz,
            learned_on date,
            learned_in text,
            constraint students_xp_check check (xp >= 0),
            constraint students_points_check check (points >= 0),
            constraint students_streak_check check (streak_current between 0 and streak_longest),
            constraint students_learned_check
                check (num_nulls(learned_at, learned_on, learned_in) = case when streak_current = 0 then 3 else 0 end)
        )
        """
    )
    op.execute(
        """
        create table ledger (
            user_id uuid not null references students (user_id),
            kind text not null,
            source_id uuid not null,
            xp integer not null,
            points integer not null,
            at timestamptz not null,
            hasty_on date,
            recorded_at timestamptz not null default clock_timestamp(),
            primary key (user_id, kind, source_id),
            constraint ledger_kind_check check (kind in ('lesson', 'course')),
            constraint ledger_xp_check check (xp >= 0)
        )
        """
    )
    op.execute("create index ledger_by_time on ledger (user_id, at)")
    op.execute("create index ledger_hasty on ledger (user_id, hasty_on) where hasty_on is not null")
    op.execute(
        """
        create table learning_days (
            user_id uuid not null references students (user_id),
            local_date date not null,
            time_zone text not null,
            first_at timestamptz not null,
            last_at timestamptz not null,
            primary key (user_id, local_date, time_zone),
            constraint learning_days_order_check check (first_at <= last_at)
        )
        """
    )
