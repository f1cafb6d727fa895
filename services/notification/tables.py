"""The tables of notifications.

Whoever adds to what somebody is told locks their inbox first, rows sorted by `user_id`: so its numbers become visible
in their order, and nothing is added for who was erased.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

inboxes = Table(
    "inboxes",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("last_number", BigInteger, nullable=False, server_default=text("0")),
    Column("erased", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("last_number >= 0", name="inboxes_last_number_check"),
)
"""Whom there was ever something to tell. `last_number` is the last given; an erased one stays as a tombstone."""

notifications = Table(
    "notifications",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("inboxes.user_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("link", Text, nullable=False),
    Column("number", BigInteger),
    Column("useless_after", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("read_at", DateTime(timezone=True)),
    UniqueConstraint("user_id", "kind", "key", name="notifications_once"),
    UniqueConstraint("user_id", "number", name="notifications_number"),
    CheckConstraint("link ~ '^/'", name="notifications_link_check"),
    CheckConstraint("number is not null or read_at is null", name="notifications_read_check"),
)
"""What people were told, once each. Without a `number` it is not in the inbox: its reader wants it by mail only."""

Index(
    "notifications_unread",
    notifications.c.user_id,
    notifications.c.number,
    postgresql_where=text("number is not null and read_at is null"),
)

settings = Table(
    "settings",
    metadata,
    Column("user_id", Uuid, ForeignKey("inboxes.user_id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("in_app", Boolean, nullable=False),
    Column("email", Boolean, nullable=False),
)
"""What people have chosen; of other kinds they are told as `domain.kinds.DEFAULTS` says."""

mails = Table(
    "mails",
    metadata,
    Column("notification_id", Uuid, ForeignKey("notifications.id", ondelete="CASCADE"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("due_at", DateTime(timezone=True), nullable=False),
    CheckConstraint(
        "state in ('waiting', 'sending', 'sent', 'dropped', 'failed', 'unknown')", name="mails_state_check"
    ),
    CheckConstraint("attempts >= 0", name="mails_attempts_check"),
)
"""One mail for a notification, at most. One that is `sending` since before `due_at` has lost its sender."""

Index("mails_due", mails.c.due_at, postgresql_where=text("state in ('waiting', 'sending')"))

duels = Table(
    "duels",
    metadata,
    Column("duel_id", Uuid, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("state", JSONB, nullable=False),
)
"""Duels as the newest event left them, `state` being its data."""

duel_players = Table(
    "duel_players",
    metadata,
    Column("user_id", Uuid, ForeignKey("inboxes.user_id"), primary_key=True),
    Column("duel_id", Uuid, ForeignKey("duels.duel_id"), primary_key=True),
    Column("number", BigInteger, nullable=False),
    UniqueConstraint("user_id", "number", name="duel_players_number"),
)
"""Where the duel's newest state stands in what its player is told."""
