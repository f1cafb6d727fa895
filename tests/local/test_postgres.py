"""The PostgreSQL server of our own, on data that outlives what is known of it."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from chassis.local.infrastructure import Infrastructure, read_private
from chassis.local.places import STATE, private_directory
from chassis.local.postgres import PostgresServer

MakeServer = Callable[[str], PostgresServer]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    directory = private_directory(f"test-{secrets.token_hex(4)}") / "postgres"
    servers = []

    def make(password: str) -> PostgresServer:
        server = PostgresServer(directory, tmp_path / "postgres.log", password, throwaway=True)
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.remove()


def _ask(server: PostgresServer, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(f"{server.url}/postgres", autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_data_is_kept_over_a_stop_and_the_next_start(make_server: MakeServer) -> None:
    server = make_server("first")
    server.start()
    _ask(server, "CREATE TABLE kept AS SELECT 7 AS number")

    server.stop()
    server.start()

    assert _ask(server, "SELECT number FROM kept") == [(7,)]


def test_data_whose_password_was_forgotten_is_used_with_the_new_one(make_server: MakeServer) -> None:
    server = make_server("first")
    server.start()
    _ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
    server.stop()

    later = make_server("second")
    later.start()

    assert _ask(later, "SELECT number FROM kept") == [(7,)]


def test_a_server_that_nothing_knows_any_more_makes_way(make_server: MakeServer) -> None:
    forgotten = make_server("first")
    forgotten.start()
    old = forgotten.identity
    assert old is not None

    later = make_server("second")
    later.start()

    assert later.answers()
    assert later.identity != old


def test_a_wrong_password_is_refused(make_server: MakeServer) -> None:
    server = make_server("first")
    server.start()

    server.password = "wrong"

    assert not server.answers()


def test_a_start_with_the_servers_of_others_forgets_nothing_of_our_own() -> None:
    name = f"test-{secrets.token_hex(4)}"
    own = Infrastructure(STATE / name, name, print, throwaway=True, amqp_uri="amqp://elsewhere")
    try:
        own.save()
        before = read_private(STATE / name / "infrastructure.json")["postgres"]

        Infrastructure(STATE / name, name, print, database_url="postgresql://elsewhere", amqp_uri="amqp://there").save()

        assert read_private(STATE / name / "infrastructure.json")["postgres"] == before
    finally:
        own.remove()
