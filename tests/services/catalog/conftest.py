"""A catalog on a throwaway database."""

from collections.abc import Iterator

import pytest

from chassis.database import Database
from chassis.outbox import outbox
from services.catalog import handlers
from services.catalog.tables import metadata
from tests.conftest import DatabaseFactory
from tests.services.catalog.catalogue import Catalogue
from tests.services.tables import empty


@pytest.fixture(scope="module")
def database(module_database_url_for: DatabaseFactory) -> Iterator[Database]:
    database = Database(module_database_url_for("catalog"), pool_size=20)
    yield database
    database.close()


@pytest.fixture
def catalogue(database: Database) -> Catalogue:
    """A catalog with one category and nothing else."""
    catalogue = Catalogue(database)
    with database.unit_of_work() as unit_of_work:
        empty(unit_of_work.connection, [*metadata.sorted_tables, outbox])
    catalogue.do(handlers.create_category, "admin", "dev-web", "Développement web")
    return catalogue
