"""A laboratory for each test, or for each module where no test breaks anything."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from chassis.bus.broker import connect, rpc_queue
from chassis.settings import Settings
from tests import infrastructure
from tests.chassis import specimen
from tests.chassis.proxy import Door
from tests.chassis.specimen import Laboratory, Nursery, Specimen
from tests.infrastructure import Servers

RETRY_DELAYS = (0.2, 0.6)

LaboratoryFactory = Callable[..., Laboratory]


@pytest.fixture(scope="session")
def specimen_template(servers: Servers) -> Iterator[str]:
    """The name of a migrated database to copy."""
    name = f"template_specimen_{secrets.token_hex(6)}"
    with _administrator(servers) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    specimen.migrate(infrastructure.database_url(servers.database_url, name))
    yield name
    with _administrator(servers) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """The parent of all specimens."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def make_laboratory(
    servers: Servers, nursery: Nursery, specimen_template: str, tmp_path: Path
) -> Iterator[LaboratoryFactory]:
    """`make_laboratory(bus_retry_delays=...)`: a laboratory with these settings, thrown away after the test."""
    with _factory(servers, nursery, specimen_template, tmp_path) as make:
        yield make


@pytest.fixture
def laboratory(make_laboratory: LaboratoryFactory) -> Laboratory:
    """A laboratory of the test's own, for what breaks things."""
    return make_laboratory()


@pytest.fixture(scope="module")
def shared_laboratory(
    servers: Servers, nursery: Nursery, specimen_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laboratory]:
    """A laboratory that the tests of a module share, and leave as sound as they found it."""
    with _factory(servers, nursery, specimen_template, tmp_path_factory.mktemp("laboratory")) as make:
        yield make()


@pytest.fixture(scope="module")
def shared_specimen(shared_laboratory: Laboratory) -> Specimen:
    """A specimen that the tests of a module share."""
    return shared_laboratory.start()


@pytest.fixture
def broker_door(servers: Servers) -> Iterator[tuple[Door, str]]:
    """A door before the broker, and the URI that leads through it."""
    door, uri = Door.before(servers.amqp_uri)
    yield door, uri
    door.shut()


@pytest.fixture
def database_door(servers: Servers) -> Iterator[tuple[Door, str]]:
    """A door before PostgreSQL, and the URL that leads through it."""
    door, url = Door.before(servers.database_url)
    yield door, url
    door.shut()


@contextlib.contextmanager
def _factory(servers: Servers, nursery: Nursery, template: str, directory: Path) -> Iterator[LaboratoryFactory]:
    with contextlib.ExitStack() as stack:

        def make(**changes: Any) -> Laboratory:
            database = f"specimen_{secrets.token_hex(6)}"
            settings = Settings(
                amqp_uri=servers.amqp_uri,
                bus_prefix=f"test-{secrets.token_hex(6)}.",
                bus_retry_delays=RETRY_DELAYS,
                database_urls={"specimen": infrastructure.database_url(servers.database_url, database)},
            )
            settings = replace(settings, **changes)
            stack.callback(_forget, servers, settings, database)
            with _administrator(servers) as connection:
                connection.execute(
                    sql.SQL("create database {} template {}").format(sql.Identifier(database), sql.Identifier(template))
                )
            laboratory = Laboratory(nursery, settings, directory)
            stack.callback(laboratory.close)
            return laboratory

        yield make


def _forget(servers: Servers, settings: Settings, database: str) -> None:
    infrastructure.delete_bus(servers.amqp_uri, settings.bus_prefix, settings.bus_retry_delays)
    with connect(servers.amqp_uri) as connection:
        connection.channel().queue_delete(rpc_queue(settings.bus_prefix, "specimen").name)
    with _administrator(servers) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))


def _administrator(servers: Servers) -> psycopg.Connection:
    url = make_url(servers.database_url).set(drivername="postgresql", database="postgres")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True, connect_timeout=10)
