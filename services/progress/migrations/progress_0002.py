"""Purchase owns the entitlements now: it is told of the free ones that were made here."""

from alembic import op

revision = "progress_0002"
down_revision = "progress_0001"
branch_labels = None
depends_on = "bus_0001"


def upgrade() -> None:
    """Hand over what is there; from now on the table is a copy, and purchase holds what must be unique."""
    op.execute("drop index entitlements_one_free")
    op.execute("alter table course_copies drop column price_amount, drop column unlock_streak_days")
    op.execute(
        """
        insert into outbox (id, type, partition_key, sequence, data)
        select gen_random_uuid(), 'progress.free_entitlement_granted.v1', entitlement_id::text, 0, json_build_object(
            'entitlement_id', entitlement_id, 'user_id', user_id, 'course_id', course_id, 'granted_at', granted_at
        )
        from entitlements where live and source = 'free' order by granted_at, entitlement_id
        """
    )
