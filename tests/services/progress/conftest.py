"""An academy on a throwaway database of its own."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from chassis.database import Database
from tests.conftest import DatabaseFactory
from tests.services.progress.academy import Academy


@pytest.fixture(scope="module")
def database(module_database_url_for: DatabaseFactory) -> Iterator[Database]:
    database = Database(module_database_url_for("progress"), pool_size=20)
    yield database
    database.close()


@pytest.fixture
def academy(database: Database) -> Academy:
    """Progress with nothing in it."""
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(
            text(
                "truncate course_copies, lesson_copies, entitlements, openings, positions, lesson_completions, "
                "enrollments, study_clocks, study_days, outbox"
            )
        )
    return Academy(database)
