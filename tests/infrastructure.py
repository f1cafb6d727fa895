"""The PostgreSQL server and the RabbitMQ that tests use: from outside, from containers, or shared by the checkout."""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from chassis.bus.broker import connect, dead_letter_queue_name, delay_queue_name, event_queue_name, rpc_queue
from chassis.local import lifecycle, rabbitmq
from chassis.local.infrastructure import Infrastructure, locked, taken
from chassis.local.places import CHECKOUT, STATE
from chassis.local.processes import StartError, wait_until
from chassis.local.supervisor import service_names
from chassis.migrations import migrate
from chassis.packages import package_of
from contracts import topology

DATABASE_VARIABLE = "TANKA_TEST_DATABASE_URL"
AMQP_VARIABLE = "TANKA_TEST_AMQP_URI"
CONTAINERS_VARIABLE = "TANKA_TEST_CONTAINERS"
POSTGRES_IMAGE = "postgres:18"


_in_use = contextlib.ExitStack()
"""Held until the test run ends, so that `./tanka down` leaves it its servers."""


@dataclass(frozen=True)
class Servers:
    """Where the tests find PostgreSQL (a server URL) and RabbitMQ."""

    database_url: str
    amqp_uri: str


def servers() -> Servers:
    """Return the servers named by the environment, else the pair that all test runs of this checkout share."""
    database_url = os.environ.get(DATABASE_VARIABLE) or os.environ.get("DATABASE_URL")
    amqp_uri = os.environ.get(AMQP_VARIABLE) or os.environ.get("AMQP_URI")
    if database_url and amqp_uri:
        return Servers(server_url(database_url), amqp_uri)
    pair = shared_pair(database_url, amqp_uri)
    return Servers(server_url(pair.database_url), pair.amqp_uri)


def shared_pair(database_url: str | None = None, amqp_uri: str | None = None) -> Infrastructure:
    """Return the background pair of this checkout, started anew when it does not answer. `./tanka down` ends it."""
    _in_use.enter_context(taken(STATE / lifecycle.TESTS_IN_USE, shared=True))
    with locked(STATE / lifecycle.TESTS_LOCK):
        pair = Infrastructure(STATE / lifecycle.TESTS, lifecycle.TESTS, print, True, database_url, amqp_uri)
        # A pair that runs but is slow to answer is in use by others: it is given time before it is thrown away.
        if not wait_until(pair.answers, 30 if pair.alive() else 0):
            pair.remove()
            pair.start()
        return pair


@contextlib.contextmanager
def containers() -> Iterator[Servers]:
    """Run PostgreSQL and RabbitMQ in containers for as long as the block lasts."""
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.core.container import DockerContainer

    password = secrets.token_urlsafe(16)
    postgres = PostgresContainer(POSTGRES_IMAGE, username="tanka", password=password, dbname="postgres", driver=None)
    postgres.with_command("postgres -c max_connections=300 -c fsync=off")
    broker = DockerContainer(rabbitmq.IMAGE).with_exposed_ports(5672)
    broker.with_env("RABBITMQ_DEFAULT_USER", rabbitmq.USER).with_env("RABBITMQ_DEFAULT_PASS", password)
    with postgres, broker:
        host, port = broker.get_container_host_ip(), broker.get_exposed_port(5672)
        amqp_uri = f"amqp://{rabbitmq.USER}:{password}@{host}:{port}//"
        if not wait_until(lambda: rabbitmq.answers(amqp_uri), rabbitmq.START_PATIENCE, pause=0.5):
            raise StartError("RabbitMQ's container took no connections.")
        yield Servers(server_url(postgres.get_connection_url()), amqp_uri)


def server_url(url: str) -> str:
    """Return the URL of the server alone, of a URL that may name a database too."""
    named = make_url(url)
    server = URL.create("postgresql", named.username, named.password, named.host, named.port, query=named.query)
    return server.render_as_string(hide_password=False)


@contextlib.contextmanager
def throwaway_database(server_url: str, service: str) -> Iterator[str]:
    """Make a migrated database of the service for as long as the block lasts; yield its SQLAlchemy URL.

    It is a copy of a template that is migrated once per state of the migrations.
    """
    template = _template(server_url, service)
    name = f"{service}_{secrets.token_hex(6)}"
    with _connection(server_url) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    try:
        yield database_url(server_url, name)
    finally:
        with _connection(server_url) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def delete_bus(amqp_uri: str, prefix: str, retry_delays: Iterable[float]) -> None:
    """Delete everything that a deployment with this prefix has declared on the broker."""
    with connect(amqp_uri) as connection:
        channel = connection.channel()
        for consumer in topology.CONSUMER_QUEUES:
            channel.queue_delete(event_queue_name(prefix, consumer))
            channel.queue_delete(dead_letter_queue_name(prefix, consumer))
            for delay in retry_delays:
                channel.queue_delete(delay_queue_name(prefix, consumer, delay))
        for service in service_names():
            channel.queue_delete(rpc_queue(prefix, service).name)
        for exchange in (topology.EVENT_EXCHANGE, topology.RPC_EXCHANGE):
            channel.exchange_delete(prefix + exchange)


def database_url(server_url: str, name: str) -> str:
    """Return SQLAlchemy's URL of a database on the server."""
    url = make_url(server_url).set(drivername="postgresql+psycopg", database=name)
    return url.render_as_string(hide_password=False)


def _template(server_url: str, service: str) -> str:
    """Return the name of the service's migrated template database, made when it is missing."""
    name = f"template_{service}_{_migrations_digest(service)}"
    with _connection(server_url) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            unfinished = f"unfinished_{name}"
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(unfinished)))
            migrate(database_url(server_url, unfinished), service)
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(unfinished), sql.Identifier(name))
            )
    return name


def _migrations_digest(service: str) -> str:
    digest = hashlib.sha256()
    package = CHECKOUT.joinpath(*package_of(service).split("."))
    for folder in (CHECKOUT / "chassis" / "migrations", package / "migrations"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    for path in sorted(Path(package).rglob("tables.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def _connection(server_url: str) -> psycopg.Connection:
    url = make_url(server_url).set(drivername="postgresql", database="postgres")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True, connect_timeout=10)
