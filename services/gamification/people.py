"""The copy of accounts: what the game needs to know of people, from their events."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection

from contracts.envelope import Envelope
from contracts.events.accounts import UserChanged

_KEEP = text(
    "insert into people (user_id, sequence, role, status, time_zone, email_verified_at) "
    "values (:user_id, :sequence, :role, :status, :time_zone, :email_verified_at) "
    "on conflict (user_id) do update set "
    "sequence = greatest(people.sequence, excluded.sequence), "
    "role = case when excluded.sequence > people.sequence then excluded.role else people.role end, "
    "status = case when excluded.sequence > people.sequence then excluded.status else people.status end, "
    "time_zone = case when excluded.sequence > people.sequence then excluded.time_zone else people.time_zone end, "
    "email_verified_at = least(people.email_verified_at, excluded.email_verified_at)"
)
_TIME_ZONES = text("select user_id, time_zone from people where user_id = any(cast(:user_ids as uuid[]))")


def keep_people(connection: Connection, heard: Iterable[tuple[Envelope, UserChanged]]) -> None:
    """Copy the newest state heard of each account, in whatever order the states come."""
    for envelope, person in sorted(heard, key=lambda item: (item[1].user_id, item[0].sequence)):
        connection.execute(
            _KEEP,
            {
                "user_id": person.user_id,
                "sequence": envelope.sequence,
                "role": person.role,
                "status": person.status,
                "time_zone": person.time_zone,
                "email_verified_at": envelope.time if person.email_verified else None,
            },
        )


def time_zones(connection: Connection, user_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The present time zones of those whose accounts are known."""
    rows = connection.execute(_TIME_ZONES, {"user_ids": list(user_ids)})
    return {row.user_id: row.time_zone for row in rows}
