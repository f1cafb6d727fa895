"""The game on a throwaway database; every test has students of its own."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from chassis.database import Database
from tests.conftest import DatabaseFactory
from tests.services.gamification.arena import HANDS, Arena
from tests.services.gamification.boards import Boards
from tests.services.gamification.game import Game


@pytest.fixture(scope="module")
def game(module_database_url_for: DatabaseFactory) -> Iterator[Game]:
    database = Database(module_database_url_for("gamification"))
    yield Game(database)
    database.close()


@pytest.fixture(scope="module")
def crowded_game(module_database_url_for: DatabaseFactory) -> Iterator[Game]:
    """The game with room for 32 threads at once."""
    database = Database(module_database_url_for("gamification"), pool_size=32)
    yield Game(database)
    database.close()


@pytest.fixture(scope="module")
def arena_database(module_database_url_for: DatabaseFactory) -> Iterator[Database]:
    database = Database(module_database_url_for("gamification"), pool_size=HANDS)
    yield database
    database.close()


@pytest.fixture
def arena(arena_database: Database) -> Arena:
    """Duels among players of their own, on Monday evening."""
    return Arena(arena_database)


@pytest.fixture
def student() -> UUID:
    """Someone of whom nothing is known."""
    return uuid4()


@pytest.fixture(scope="module")
def whole(module_database_url_for: DatabaseFactory) -> Iterator[Boards]:
    # whoever waits so long would wait for ever
    database = Database(module_database_url_for("gamification"), lock_seconds=3)
    yield Boards(database)
    database.close()


@pytest.fixture
def boards(whole: Boards) -> Boards:
    """Leaderboards with nobody on them."""
    whole.forget()
    return whole
