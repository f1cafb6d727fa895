"""Analytics on a throwaway database."""

from collections.abc import Iterator

import pytest

from chassis.database import Database
from tests.conftest import DatabaseFactory
from tests.services.analytics.books import Books


@pytest.fixture(scope="module")
def module_books(module_database_url_for: DatabaseFactory) -> Iterator[Books]:
    """The database that the tests of a module share."""
    database = Database(module_database_url_for("analytics"))
    yield Books(database)
    database.close()


@pytest.fixture
def books(module_books: Books) -> Books:
    """Analytics that has heard nothing."""
    module_books.clear()
    return module_books
