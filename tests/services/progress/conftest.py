"""An academy on a throwaway database of its own."""

from collections.abc import Iterator

import pytest

from chassis.database import Database
from chassis.outbox import outbox
from services.progress.tables import metadata
from tests.conftest import DatabaseFactory
from tests.services.progress.academy import Academy
from tests.services.tables import empty


@pytest.fixture(scope="module")
def database(module_database_url_for: DatabaseFactory) -> Iterator[Database]:
    database = Database(module_database_url_for("progress"), pool_size=20)
    yield database
    database.close()


@pytest.fixture
def academy(database: Database) -> Academy:
    """Progress with nothing in it."""
    with database.unit_of_work() as unit_of_work:
        empty(unit_of_work.connection, [*metadata.sorted_tables, outbox])
    return Academy(database)
