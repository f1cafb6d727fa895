"""The game and the notifications keep copies of accounts now: they are told of those that are there."""

from alembic import op

revision = "accounts_0002"
down_revision = "accounts_0001"
branch_labels = None
depends_on = "bus_0001"


def upgrade() -> None:
    """Tell every account's state again; a copy that knows it already ignores it."""
    op.execute(
        """
        insert into outbox (id, type, partition_key, sequence, data)
        select gen_random_uuid(), 'accounts.user_changed.v1', id::text, version, json_build_object(
            'user_id', id, 'role', role, 'status', status, 'time_zone', time_zone, 'locale', locale,
            'email_verified', email_verified
        )
        from users order by created_at, id
        """
    )
