"""What one worker of the gateway connects, and what it does by itself."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select

from chassis.database import Database
from gateway.cache import Page, page
from gateway.domain.sessions import REFRESH_LIFETIME
from gateway.process import Process, forget_the_past
from gateway.tables import sessions
from tests.conftest import SettingsFactory
from tests.services.accounts.conftest import Clock, Someone


@pytest.fixture
def process(settings_for: SettingsFactory) -> Iterator[Process]:
    """A worker that was not started: it hears nothing."""
    process = Process(settings_for("accounts"))
    yield process
    process.app.parts.close()


def test_a_worker_that_hears_no_events_gives_no_kept_page_unasked(process: Process) -> None:
    reads = 0

    def load() -> Page:
        nonlocal reads
        reads += 1
        return page(b"a course", ())

    for _ in range(2):
        process.app.parts.pages.read("key", load, lambda: 1.0)

    assert reads == 2


def test_log_ins_whose_last_token_has_ended_are_forgotten(
    ber: Someone, someone: Callable[..., Someone], database: Database, clock: Clock
) -> None:
    ended = _sessions(database)
    clock.pass_by(days=20)
    phone = someone().log_in()
    used = _sessions(database) - ended
    ended_by_hand = someone().log_in()
    ended_by_hand.post("/v1/auth/logout", {"refresh_token": ended_by_hand.refresh})
    revoked = _sessions(database) - ended - used
    clock.pass_by(days=20)
    assert phone.renew().status_code == 200

    forget_the_past(database, clock.at)
    assert _sessions(database) == used | revoked

    clock.pass_by(days=15)
    forget_the_past(database, clock.at)
    assert _sessions(database) == used


def test_however_many_log_ins_have_ended_all_are_forgotten(ber: Someone, database: Database, clock: Clock) -> None:
    kept = _sessions(database)
    long_ago = clock.at - REFRESH_LIFETIME - timedelta(seconds=1)
    rows = [{"id": uuid4(), "user_id": UUID(ber.user["id"]), "created_at": long_ago} for _ in range(2_500)]
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(insert(sessions), rows)

    forget_the_past(database, clock.at)

    assert _sessions(database) == kept


def _sessions(database: Database) -> set[UUID]:
    with database.single_statement() as unit_of_work:
        return set(unit_of_work.connection.execute(select(sessions.c.id)).scalars())
