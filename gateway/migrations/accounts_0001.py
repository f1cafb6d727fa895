"""Accounts, sessions, mailed tokens, idempotency keys, rate limits and images."""

from alembic import op

revision = "accounts_0001"
down_revision = None
branch_labels = ("accounts",)
depends_on = None


def upgrade() -> None:
    """Make the tables of the accounts."""
    for statement in _STATEMENTS:
        op.execute(statement)


_STATEMENTS = (
    """
    create table users (
        id uuid primary key,
        email text not null,
        email_key text not null unique,
        password_hash text not null,
        display_name text not null,
        role text not null constraint users_role check (role in ('student', 'instructor', 'admin')),
        status text not null constraint users_status check (status in ('active', 'erased')),
        time_zone text not null,
        locale text not null constraint users_locale check (locale in ('fr', 'en')),
        birth_year smallint,
        avatar_url text,
        bio text not null,
        ref text,
        email_verified boolean not null,
        version bigint not null,
        created_at timestamptz not null
    )
    """,
    "create index users_by_creation on users (created_at, id)",
    """
    create table sessions (
        id uuid primary key,
        user_id uuid not null references users (id) on delete cascade,
        created_at timestamptz not null,
        revoked_at timestamptz
    )
    """,
    "create index ix_sessions_user_id on sessions (user_id)",
    """
    create table refresh_tokens (
        digest bytea primary key,
        session_id uuid not null references sessions (id) on delete cascade,
        expires_at timestamptz not null,
        used_at timestamptz,
        retry_key bytea,
        successor bytea
    )
    """,
    "create index ix_refresh_tokens_session_id on refresh_tokens (session_id)",
    "create index ix_refresh_tokens_expires_at on refresh_tokens (expires_at)",
    """
    create table mailed_tokens (
        digest bytea primary key,
        user_id uuid not null references users (id) on delete cascade,
        purpose text not null
            constraint mailed_tokens_purpose check (purpose in ('verify-email', 'reset-password')),
        expires_at timestamptz not null
    )
    """,
    "create index ix_mailed_tokens_user_id on mailed_tokens (user_id)",
    "create index ix_mailed_tokens_expires_at on mailed_tokens (expires_at)",
    """
    create table idempotency_keys (
        scope text not null,
        route text not null,
        key text not null,
        owner uuid not null,
        fingerprint bytea not null,
        running_until timestamptz not null,
        expires_at timestamptz not null,
        status smallint,
        headers jsonb,
        body bytea,
        primary key (scope, route, key)
    )
    """,
    "create index ix_idempotency_keys_expires_at on idempotency_keys (expires_at)",
    """
    create unlogged table rate_limits (
        key bytea primary key,
        spent integer not null,
        ends_at timestamptz not null
    )
    """,
    "create index ix_rate_limits_ends_at on rate_limits (ends_at)",
    """
    create table images (
        id uuid primary key,
        owner_id uuid references users (id) on delete set null,
        media_type text not null
            constraint images_media_type check (media_type in ('image/png', 'image/jpeg', 'image/webp')),
        content bytea not null,
        created_at timestamptz not null
    )
    """,
)
