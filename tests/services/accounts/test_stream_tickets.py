"""Given a ticket, it opens one stream, soon or never."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from chassis.database import Database
from gateway.domain.sessions import ACCESS_LIFETIME
from gateway.process import forget_the_past
from gateway.tables import stream_tickets
from tests.services.accounts.conftest import Clock, Someone, at_once


def ticket_of(ber: Someone) -> str:
    answer = ber.post("/v1/me/stream-ticket")
    assert answer.status_code == 201
    assert answer.json is not None
    assert answer.json["expires_in"] == 30
    return str(answer.json["ticket"])


def nobody(ber: Someone) -> Someone:
    """The same device, not logged in."""
    return Someone(ber._app, ber.address)


def test_a_ticket_opens_one_stream_however_many_try_at_once(ber: Someone) -> None:
    path = f"/v1/me/stream?ticket={ticket_of(ber)}"

    statuses = at_once(6, lambda _: nobody(ber).get(path).status_code)

    assert sorted(statuses) == [200] + [401] * 5


def test_a_ticket_is_stored_so_that_nobody_can_use_it_and_ends_with_the_access(
    ber: Someone, database: Database, clock: Clock
) -> None:
    clock.pass_by(minutes=10)
    ticket = ticket_of(ber)

    with database.single_statement() as unit_of_work:
        row = unit_of_work.connection.execute(select(stream_tickets)).one()

    assert ticket not in repr(row)
    assert row.access_ends_at == datetime(2026, 11, 23, 12, tzinfo=UTC) + ACCESS_LIFETIME
    assert row.expires_at == clock.at + timedelta(seconds=30)


def test_a_ticket_that_is_too_old_or_made_up_opens_nothing(ber: Someone, database: Database, clock: Clock) -> None:
    ticket = ticket_of(ber)
    clock.pass_by(seconds=30)

    for tried in (ticket, "made-up"):
        refused = nobody(ber).get(f"/v1/me/stream?ticket={tried}")
        assert refused.status_code == 401
        assert refused.json is not None
        assert refused.json["type"] == "/problems/bad-ticket"

    forget_the_past(database, clock.at + timedelta(seconds=1))
    with database.single_statement() as unit_of_work:
        assert unit_of_work.connection.execute(select(stream_tickets)).all() == []


def test_tickets_are_for_people_and_not_without_limit(ber: Someone) -> None:
    assert nobody(ber).post("/v1/me/stream-ticket").status_code == 401

    statuses = [ber.post("/v1/me/stream-ticket").status_code for _ in range(61)]

    assert statuses == [201] * 60 + [429]
