"""Notifications on a throwaway database; every test has people of its own."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from chassis.database import Database
from tests.conftest import DatabaseFactory
from tests.services.notification.desk import Desk


@pytest.fixture(scope="module")
def desk(module_database_url_for: DatabaseFactory) -> Iterator[Desk]:
    database = Database(module_database_url_for("notification"))
    yield Desk(database)
    database.close()


@pytest.fixture
def awa() -> UUID:
    """Someone who was never told anything."""
    return uuid4()


@pytest.fixture
def ber() -> UUID:
    """Another one."""
    return uuid4()
