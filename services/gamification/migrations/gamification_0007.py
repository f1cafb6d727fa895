"""Squads of the week whose members have the badge; counts of nobody can be swept; names compare without case."""

from alembic import op

revision = "gamification_0007"
down_revision = "gamification_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the table of weeks and the sweeps need, and mend the keys of names whose letters had kept their case."""
    for statement in _STATEMENTS:
        op.execute(statement)


_STATEMENTS = (
    "alter table squads_of_the_week add column awarded_squad_id uuid references squads (squad_id)",
    # where the choice was corrected its members have no badge yet
    """
    update squads_of_the_week as chosen set awarded_squad_id = squad_id where exists (
        select from badge_awards join ledger using (user_id)
        where badge_awards.code = 'squad_of_the_week' and badge_awards.reason = chosen.week
        and ledger.squad_id = chosen.squad_id
    )
    """,
    "alter table squads_of_the_week add column doubtful boolean not null default false",
    "create index rank_totals_empty on rank_totals (board) where holders = 0",
    "alter table rank_totals set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)",
    "alter table rank_spans set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)",
    # where two names have become the same, both stay
    """
    update squads set name_key = lower(name_key) where name_key <> lower(name_key)
    and not exists (
        select from squads as other where other.squad_id <> squads.squad_id and other.closed_at is null
        and lower(other.name_key) = lower(squads.name_key)
    )
    """,
)
