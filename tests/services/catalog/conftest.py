"""A catalog on a throwaway database."""

from collections.abc import Iterator

import pytest

from chassis.database import Database
from services.catalog import handlers
from tests.conftest import DatabaseFactory
from tests.services.catalog.catalogue import Catalogue


@pytest.fixture(scope="module")
def database(module_database_url_for: DatabaseFactory) -> Iterator[Database]:
    database = Database(module_database_url_for("catalog"), pool_size=20)
    yield database
    database.close()


@pytest.fixture
def catalogue(database: Database) -> Catalogue:
    """A catalog with one category and nothing else."""
    catalogue = Catalogue(database)
    catalogue.execute("truncate categories, courses, course_slugs, chapters, lessons, transcripts, quizzes, outbox")
    catalogue.do(handlers.create_category, "admin", "dev-web", "Développement web")
    return catalogue
