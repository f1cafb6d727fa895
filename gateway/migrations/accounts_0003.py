"""Pseudonyms, reports, and what admins have hidden."""

from alembic import op

revision = "accounts_0003"
down_revision = "accounts_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give everybody the seed of a pseudonym; make the tables of moderation."""
    op.execute("alter table users add column pseudonym_seed uuid not null default gen_random_uuid()")
    op.execute(
        """
        create table reports (
            id uuid primary key,
            kind text not null constraint reports_kind check (kind in ('student', 'squad')),
            item_id uuid not null,
            reporter_id uuid not null references users (id) on delete cascade,
            reason text not null,
            shown text not null,
            created_at timestamptz not null,
            handled_at timestamptz
        )
        """
    )
    op.execute("create unique index reports_open on reports (kind, item_id, reporter_id) where handled_at is null")
    op.execute("create index ix_reports_reporter_id on reports (reporter_id)")
    op.execute(
        """
        create table hidden_items (
            kind text not null constraint hidden_items_kind check (kind in ('student', 'squad')),
            item_id uuid not null,
            hidden_by uuid not null references users (id),
            hidden_at timestamptz not null,
            primary key (kind, item_id)
        )
        """
    )
