"""The tables of the accounts database."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("birth_year", SmallInteger),
    Column("avatar_url", Text),
    Column("bio", Text, nullable=False),
    Column("ref", Text),
    Column("email_verified", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("pseudonym_seed", Uuid, nullable=False, server_default=func.gen_random_uuid()),
    CheckConstraint("role in ('student', 'instructor', 'admin')", name="users_role"),
    CheckConstraint("status in ('active', 'erased')", name="users_status"),
    CheckConstraint("locale in ('fr', 'en')", name="users_locale"),
    Index("users_by_creation", "created_at", "id"),
)
"""`email` is as it was typed, `email_key` what makes it unique; `version` grows with each change others may know.

`pseudonym_seed` is random: from an id nobody can tell the pseudonym, nor from the pseudonym the id.
"""

sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
)
"""One log-in, and so one family of refresh tokens."""

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("session_id", Uuid, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    Column("used_at", DateTime(timezone=True)),
    Column("retry_key", LargeBinary),
    Column("successor", LargeBinary),
)
"""Tokens by their digest. `successor` is the pair that replaced it, readable only with the token itself."""

mailed_tokens = Table(
    "mailed_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("purpose", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    CheckConstraint("purpose in ('verify-email', 'reset-password')", name="mailed_tokens_purpose"),
)
"""Tokens sent by mail, by their digest; gone once used."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("owner", Uuid, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("running_until", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    Column("status", SmallInteger),
    Column("headers", JSONB),
    Column("body", LargeBinary),
)
"""The first answer to a request with an Idempotency-Key, sealed; without `status` it is still running, by `owner`."""

rate_limits = Table(
    "rate_limits",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("spent", Integer, nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False, index=True),
    prefixes=["UNLOGGED"],
)
"""How much of a limit was spent in the window that ends then; may be lost in a crash."""

images = Table(
    "images",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner_id", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    Column("media_type", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("media_type in ('image/png', 'image/jpeg', 'image/webp')", name="images_media_type"),
)
"""Covers and avatars, re-encoded; never changed."""

reports = Table(
    "reports",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("item_id", Uuid, nullable=False),
    Column("reporter_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("handled_at", DateTime(timezone=True)),
    CheckConstraint("kind in ('student', 'squad')", name="reports_kind"),
)
"""What people reported, with the words as they were `shown` then; open until an admin has decided."""

Index(
    "reports_open",
    reports.c.kind,
    reports.c.item_id,
    reports.c.reporter_id,
    unique=True,
    postgresql_where=reports.c.handled_at.is_(None),
)

hidden_items = Table(
    "hidden_items",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("item_id", Uuid, primary_key=True),
    Column("hidden_by", Uuid, ForeignKey("users.id"), nullable=False),
    Column("hidden_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("kind in ('student', 'squad')", name="hidden_items_kind"),
)
"""What admins have hidden: display names of students, names and mottos of squads."""
stream_tickets = Table(
    "stream_tickets",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("access_ends_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)
"""Tickets that open a live stream, by their digest; gone once used. The stream ends when the access does."""
