"""Tickets that open a live stream where no header can be sent."""

from alembic import op

revision = "accounts_0004"
down_revision = "accounts_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their table."""
    op.execute(
        """
        create table stream_tickets (
            digest bytea primary key,
            user_id uuid not null references users (id) on delete cascade,
            access_ends_at timestamptz not null,
            expires_at timestamptz not null
        )
        """
    )
    op.execute("create index ix_stream_tickets_user_id on stream_tickets (user_id)")
    op.execute("create index ix_stream_tickets_expires_at on stream_tickets (expires_at)")
