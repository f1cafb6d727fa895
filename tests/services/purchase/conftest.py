"""A shop on a throwaway database of its own."""

from collections.abc import Iterator

import pytest

from chassis.database import Database
from chassis.outbox import outbox
from services.purchase.tables import metadata
from tests.conftest import DatabaseFactory
from tests.services.purchase.shop import Shop
from tests.services.tables import empty


@pytest.fixture(scope="module")
def database(module_database_url_for: DatabaseFactory) -> Iterator[Database]:
    database = Database(module_database_url_for("purchase"), pool_size=20)
    yield database
    database.close()


@pytest.fixture
def shop(database: Database) -> Shop:
    """Purchase with nothing in it."""
    with database.unit_of_work() as unit_of_work:
        empty(unit_of_work.connection, [*metadata.sorted_tables, outbox])
    return Shop(database)
