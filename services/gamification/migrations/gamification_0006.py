"""Squads, and the standings of squads and students with what makes ranks cheap to read."""

import os

from alembic import op
from sqlalchemy import text

revision = "gamification_0006"
down_revision = "gamification_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and fill the standings of students from the ledger."""
    for statement in _TABLES:
        op.execute(statement)
    time_zone = os.environ.get("ACADEMY_TIME_ZONE") or "UTC"
    op.get_bind().execute(_FILL, {"time_zone": time_zone})


_TABLES = (
    """
    create table squads (
        squad_id uuid primary key,
        name text not null,
        name_key text not null,
        motto text not null,
        official boolean not null,
        creator_id uuid not null,
        captain_id uuid,
        members integer not null,
        hidden boolean not null default false,
        created_at timestamptz not null,
        closed_at timestamptz,
        closed_in text,
        constraint squads_closed_check check ((closed_at is null) = (closed_in is null)),
        constraint squads_members_check check (members >= 0 and (official or members <= 50)),
        constraint squads_captain_check check (
            case when official then captain_id is null and closed_at is null
            else (members > 0) = (closed_at is null) and (captain_id is null) = (closed_at is not null) end
        )
    )
    """,
    "create unique index squads_name_key on squads (name_key) where closed_at is null",
    """
    create table memberships (
        membership_id uuid primary key,
        user_id uuid not null references students (user_id),
        squad_id uuid not null references squads (squad_id),
        joined_at timestamptz not null,
        left_at timestamptz,
        removed boolean not null default false,
        constraint memberships_order_check check (left_at >= joined_at),
        constraint memberships_removed_check check (left_at is not null or not removed)
    )
    """,
    "create unique index memberships_one_squad on memberships (user_id) where left_at is null",
    "create index memberships_of_squad on memberships (squad_id, joined_at, user_id) where left_at is null",
    "create index memberships_of_user on memberships (user_id, joined_at)",
    "alter table ledger add column squad_id uuid references squads (squad_id)",
    "create index ledger_of_squad on ledger (squad_id, at) where squad_id is not null",
    "create index ledger_earned on ledger (at) where xp > 0",
    """
    create table standings (
        holder_id uuid not null,
        board text not null,
        period text not null,
        score bigint not null,
        reached_at timestamptz not null,
        listed boolean not null,
        primary key (holder_id, board, period),
        constraint standings_board_check check (board in ('students', 'squads', 'official')),
        constraint standings_period_check check (period = 'all' or period ~ '^[0-9]{4}-W[0-9]{2}$'),
        constraint standings_score_check check (score > 0)
    )
    """,
    "create index standings_in_order on standings (board, period, score desc, reached_at, holder_id) where listed",
    """
    create table rank_totals (
        board text not null,
        period text not null,
        score bigint not null,
        holders bigint not null,
        primary key (board, period, score)
    )
    """,
    """
    create table rank_spans (
        board text not null,
        period text not null,
        score bigint not null,
        reached_from timestamptz not null,
        holders bigint not null,
        primary key (board, period, score, reached_from)
    )
    """,
    "create index rank_spans_empty on rank_spans (board) where holders = 0",
    """
    create table rank_changes (
        id bigint primary key generated always as identity,
        board text not null,
        period text not null,
        score bigint not null,
        reached_from timestamptz not null,
        holders bigint not null
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)
    """,
    "create index rank_changes_by_score on rank_changes (board, period, score)",
    # rank_changes is empty each second and full of dead rows the next: a plan made for the one is slow for the other
    """
    create function places_ahead(
        in_board text, in_period text,
        of_score bigint, of_span timestamptz, of_reached_at timestamptz, of_holder_id uuid
    ) returns bigint language sql stable set enable_seqscan = off set enable_bitmapscan = off as $$
    select (
        select coalesce(sum(holders), 0) from (
            select holders from rank_totals where board = in_board and period = in_period and score > of_score
            union all
            select holders from rank_changes where board = in_board and period = in_period and score > of_score
            union all
            select holders from rank_spans
            where board = in_board and period = in_period and score = of_score and reached_from < of_span
            union all
            select holders from rank_changes
            where board = in_board and period = in_period and score = of_score and reached_from < of_span
        ) as before
    )::bigint + (
        select count(*) from standings
        where board = in_board and period = in_period and listed and score = of_score
        and reached_at >= of_span and (reached_at, holder_id) < (of_reached_at, of_holder_id)
    )
    $$
    """,
    """
    create function is_listed(board text, period text, holder_id uuid) returns boolean language sql stable as $$
    select case board
        when 'students' then not exists (
            select from people where people.user_id = is_listed.holder_id and people.status <> 'active'
        ) and not exists (
            select from students where students.user_id = is_listed.holder_id and students.leaderboard_opt_out
        )
        else not exists (
            select from squads where squads.squad_id = is_listed.holder_id
            and (squads.hidden or squads.closed_in <= is_listed.period)
        )
    end
    $$
    """,
    """
    create function span_of(period text, reached_at timestamptz) returns timestamptz language sql immutable as $$
    select date_trunc(case span_of.period when 'all' then 'day' else 'hour' end, span_of.reached_at, 'UTC')
    $$
    """,
    """
    create function standings_inserted() returns trigger language plpgsql as $$
    begin
        insert into rank_changes (board, period, score, reached_from, holders)
        select board, period, score, span_of(period, reached_at), count(*)
        from after where listed group by 1, 2, 3, 4;
        return null;
    end $$
    """,
    """
    create function standings_updated() returns trigger language plpgsql as $$
    begin
        insert into rank_changes (board, period, score, reached_from, holders)
        select board, period, score, span_of(period, reached_at), sum(change)
        from (select *, 1 as change from after union all select *, -1 from before) as changed
        where listed group by 1, 2, 3, 4 having sum(change) <> 0;
        return null;
    end $$
    """,
    """
    create function standings_deleted() returns trigger language plpgsql as $$
    begin
        insert into rank_changes (board, period, score, reached_from, holders)
        select board, period, score, span_of(period, reached_at), -count(*)
        from before where listed group by 1, 2, 3, 4;
        return null;
    end $$
    """,
    """
    create trigger standings_inserted after insert on standings
    referencing new table as after for each statement execute function standings_inserted()
    """,
    """
    create trigger standings_updated after update on standings
    referencing old table as before new table as after for each statement execute function standings_updated()
    """,
    """
    create trigger standings_deleted after delete on standings
    referencing old table as before for each statement execute function standings_deleted()
    """,
    """
    create table squads_of_the_week (
        week text primary key,
        squad_id uuid references squads (squad_id),
        chosen_at timestamptz not null
    )
    """,
)

_FILL = text(
    """
    insert into standings (board, period, holder_id, score, reached_at, listed)
    select 'students', period, user_id, sum(xp), max(at), true
    from ledger
    cross join lateral (values ('all'), (to_char(at at time zone :time_zone, 'IYYY-"W"IW'))) as counts_in (period)
    where xp > 0 group by period, user_id
    """
)
