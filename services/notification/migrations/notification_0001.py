"""Inboxes, notifications, settings, mails, and the duels that streams tell of."""

from alembic import op

revision = "notification_0001"
down_revision = None
branch_labels = ("notification",)
depends_on = None

_STATEMENTS = (
    """
    create table inboxes (
        user_id uuid primary key,
        last_number bigint not null default 0 constraint inboxes_last_number_check check (last_number >= 0),
        erased boolean not null default false
    )
    """,
    """
    create table notifications (
        id uuid primary key,
        user_id uuid not null references inboxes (user_id),
        kind text not null,
        key text not null,
        message text not null,
        parameters jsonb not null,
        link text not null constraint notifications_link_check check (link ~ '^/'),
        number bigint,
        useless_after timestamptz,
        created_at timestamptz not null,
        read_at timestamptz,
        constraint notifications_once unique (user_id, kind, key),
        constraint notifications_number unique (user_id, number),
        constraint notifications_read_check check (number is not null or read_at is null)
    )
    """,
    """
    create index notifications_unread on notifications (user_id, number)
        where number is not null and read_at is null
    """,
    """
    create table settings (
        user_id uuid not null references inboxes (user_id),
        kind text not null,
        in_app boolean not null,
        email boolean not null,
        primary key (user_id, kind)
    )
    """,
    """
    create table mails (
        notification_id uuid primary key references notifications (id) on delete cascade,
        state text not null constraint mails_state_check
            check (state in ('waiting', 'sending', 'sent', 'dropped', 'failed', 'unknown')),
        attempts integer not null default 0 constraint mails_attempts_check check (attempts >= 0),
        due_at timestamptz not null
    )
    """,
    "create index mails_due on mails (due_at) where state in ('waiting', 'sending')",
    """
    create table duels (
        duel_id uuid primary key,
        sequence bigint not null,
        state jsonb not null
    )
    """,
    """
    create table duel_players (
        user_id uuid not null references inboxes (user_id),
        duel_id uuid not null references duels (duel_id),
        number bigint not null,
        primary key (user_id, duel_id),
        constraint duel_players_number unique (user_id, number)
    )
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
