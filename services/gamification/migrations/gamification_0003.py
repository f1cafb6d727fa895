"""Streak freezes and what they cost; what is told of a streak's days; bonus courses."""

from alembic import op

revision = "gamification_0003"
down_revision = "gamification_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the students' streaks, and make the tables; look at every flame that may still burn."""
    op.execute(
        "alter table students add column freezes integer not null default 0, "
        "add column late_freezes integer[] not null default '{}', "
        "add column look_at timestamptz, "
        "add constraint students_freezes_check check (freezes >= 0 and 0 < all (late_freezes)), "
        "add constraint students_late_freezes_check check (late_freezes = '{}' or learned_at is not null), "
        "add constraint students_look_at_check check (look_at is null or learned_at is not null)"
    )
    op.execute("create index students_to_look_at on students (look_at) where look_at is not null")
    op.execute("update students set look_at = now() where learned_at > now() - interval '4 days'")
    op.execute(
        "alter table ledger add constraint ledger_purchase_check check (kind <> 'purchase' or (xp = 0 and points < 0))"
    )
    op.execute(
        """
        create table purchases (
            user_id uuid not null,
            purchase_id uuid not null,
            kind text not null default 'purchase',
            item text not null,
            bought_at timestamptz not null,
            time_zone text not null,
            primary key (user_id, purchase_id),
            foreign key (user_id, kind, purchase_id) references ledger (user_id, kind, source_id),
            constraint purchases_kind_check check (kind = 'purchase'),
            constraint purchases_item_check check (item in ('streak_freeze'))
        )
        """
    )
    op.execute(
        """
        create table streak_notices (
            user_id uuid not null references students (user_id),
            kind text not null,
            local_date date not null,
            primary key (user_id, kind, local_date),
            constraint streak_notices_kind_check check (kind in ('frozen', 'endangered'))
        )
        """
    )
    op.execute(
        """
        create table unlocked_courses (
            user_id uuid not null references students (user_id),
            course_id uuid not null,
            unlocked_at timestamptz not null,
            primary key (user_id, course_id)
        )
        """
    )
    op.execute(
        """
        create table unlock_sweeps (
            course_id uuid primary key references course_copies (course_id),
            after uuid
        )
        """
    )
