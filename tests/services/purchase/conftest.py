"""A shop on a throwaway database of its own."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from chassis.database import Database
from tests.conftest import DatabaseFactory
from tests.services.purchase.shop import Shop


@pytest.fixture(scope="module")
def database(module_database_url_for: DatabaseFactory) -> Iterator[Database]:
    database = Database(module_database_url_for("purchase"), pool_size=20)
    yield database
    database.close()


@pytest.fixture
def shop(database: Database) -> Shop:
    """Purchase with nothing in it."""
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(
            text(
                "truncate course_copies, orders, payments, refunds, disputes, stripe_events, refund_requests, "
                "entitlements, outbox"
            )
        )
    return Shop(database)
