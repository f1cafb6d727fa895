"""Whether the database is away or the work is wrong: the one waits, the other is counted and put aside."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from chassis.database import Database, is_database_away, is_locked_out
from chassis.local.processes import wait_until
from contracts.topology import GAMIFICATION_LEARNING
from tests.chassis.proxy import Door
from tests.chassis.specimen import PATIENCE, Laboratory, Specimen


@pytest.fixture
def database(shared_laboratory: Laboratory, database_door: tuple[Door, str]) -> Iterator[Database]:
    """A database with one connection, whose way leads through the door."""
    database = Database(database_door[0].url_of(shared_laboratory.database.url), pool_size=1)
    yield database
    database.close()


def test_a_connection_that_is_refused_means_that_the_database_is_away(
    database: Database, database_door: tuple[Door, str]
) -> None:
    database_door[0].shut()

    assert is_database_away(_error(database, "select 1"))


def test_a_connection_that_breaks_means_that_the_database_is_away_and_the_next_one_goes_through(
    database: Database, database_door: tuple[Door, str]
) -> None:
    database.ping()
    database_door[0].break_connections()

    assert is_database_away(_error(database, "select 1"))
    database.ping()


def test_a_connection_that_the_server_ends_means_that_the_database_is_away(
    database: Database, shared_laboratory: Laboratory
) -> None:
    database.ping()
    shared_laboratory.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )

    assert is_database_away(_error(database, "select 1"))


def test_a_pool_without_a_free_connection_means_that_the_database_has_no_room(database: Database) -> None:
    with database.unit_of_work():
        assert is_database_away(_error(database, "select 1"))


def test_a_lock_that_others_hold_for_long_says_nothing_against_the_work(shared_laboratory: Laboratory) -> None:
    waiting = Database(shared_laboratory.database.url, pool_size=1, lock_seconds=0.1)
    holding = Database(shared_laboratory.database.url, pool_size=1)

    with holding.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(text("lock table inbox"))
        error = _error(waiting, "select from inbox")

    assert is_locked_out(error)
    assert not is_database_away(error)
    assert not is_locked_out(_error(waiting, "select 1 / 0"))
    waiting.close()
    holding.close()


@pytest.mark.parametrize(
    "statement",
    ["select 1 / 0", "select from nowhere", "nonsense", "do $$ begin raise serialization_failure; end $$"],
)
def test_a_statement_that_fails_is_wrong_work(database: Database, statement: str) -> None:
    assert not is_database_away(_error(database, statement))


def test_a_statement_that_cannot_even_be_sent_is_wrong_work(database: Database) -> None:
    numbers = ",".join(["%s"] * 70_000)

    with pytest.raises(Exception) as raised, database.unit_of_work() as unit_of_work:  # noqa: PT011
        unit_of_work.connection.exec_driver_sql(f"select {numbers}", tuple(range(70_000)))

    assert not is_database_away(raised.value)


def test_an_event_whose_statement_cannot_be_sent_is_put_aside_and_holds_up_no_other(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    shared_laboratory.publish("too-many-parameters")

    (behind,) = shared_laboratory.publish("")

    shared_laboratory.wait_for_effects(behind)
    assert wait_until(lambda: shared_laboratory.depth(f"{GAMIFICATION_LEARNING.name}.dead") == 1, PATIENCE)


def _error(database: Database, statement: str) -> BaseException:
    try:
        with database.unit_of_work() as unit_of_work:
            unit_of_work.connection.execute(text(statement))
    except Exception as error:
        return error
    raise AssertionError("no error")
