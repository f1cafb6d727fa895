"""The outbox, the event log (partitioned by month) and the inbox."""

from datetime import UTC, datetime

from alembic import op

from chassis.outbox import ensure_log_partitions

revision = "bus_0001"
down_revision = None
branch_labels = ("bus",)
depends_on = None


def upgrade() -> None:
    """Make the tables of the bus."""
    op.execute(
        """
        create table outbox (
            position bigint generated always as identity primary key,
            id uuid not null,
            type text not null,
            partition_key text not null,
            sequence bigint not null,
            data json not null,
            correlation_id text,
            causation_id text,
            recorded_at timestamptz not null default clock_timestamp(),
            available_at timestamptz not null default clock_timestamp()
        )
        """
    )
    op.execute(
        """
        create table event_log (
            position bigint not null,
            id uuid not null,
            type text not null,
            partition_key text not null,
            sequence bigint not null,
            data json not null,
            correlation_id text,
            causation_id text,
            recorded_at timestamptz not null,
            published_at timestamptz not null default clock_timestamp(),
            primary key (recorded_at, position)
        ) partition by range (recorded_at)
        """
    )
    op.execute(
        """
        create table inbox (
            handler text not null,
            event_id uuid not null,
            handled_at timestamptz not null default clock_timestamp(),
            primary key (handler, event_id)
        )
        """
    )
    ensure_log_partitions(op.get_bind(), datetime.now(UTC))
