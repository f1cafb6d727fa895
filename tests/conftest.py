"""The infrastructure that tests stand on: real PostgreSQL databases, a real RabbitMQ, settings that name both."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from chassis.settings import Settings
from tests import infrastructure
from tests.infrastructure import AMQP_VARIABLE, CONTAINERS_VARIABLE, DATABASE_VARIABLE, Servers

DatabaseFactory = Callable[[str], str]
SettingsFactory = Callable[..., Settings]

_containers = contextlib.ExitStack()

# A busy machine makes an example slow, not wrong.
hypothesis.settings.register_profile("academy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("academy")


def pytest_configure(config: pytest.Config) -> None:
    """With TANKA_TEST_CONTAINERS=1, start the containers once, before the workers, which inherit the addresses."""
    if os.environ.get(CONTAINERS_VARIABLE) == "1" and not hasattr(config, "workerinput"):
        servers = _containers.enter_context(infrastructure.containers())
        os.environ[DATABASE_VARIABLE] = servers.database_url
        os.environ[AMQP_VARIABLE] = servers.amqp_uri


def pytest_unconfigure() -> None:
    """Stop the containers."""
    _containers.close()


class _Distribution(LoadFileScheduling):  # type: ignore[misc]
    """Gives each worker whole files, and one of them all of tests/system, which shares an academy."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/system" if nodeid.startswith("tests/system/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Distribute as above, whatever is asked for."""
    return _Distribution(config, log)


@pytest.fixture(scope="session")
def servers() -> Servers:
    """PostgreSQL and RabbitMQ for the whole run."""
    return infrastructure.servers()


@pytest.fixture(scope="session")
def postgres_url(servers: Servers) -> str:
    """The URL of the PostgreSQL server, without a database name."""
    return servers.database_url


@pytest.fixture(scope="session")
def amqp_uri(servers: Servers) -> str:
    """The URI of RabbitMQ."""
    return servers.amqp_uri


@pytest.fixture
def database_url_for(postgres_url: str) -> Iterator[DatabaseFactory]:
    """`database_url_for("progress")`: the URL of a migrated throwaway database, one per service and test."""
    with _database_factory(postgres_url) as factory:
        yield factory


@pytest.fixture(scope="module")
def module_database_url_for(postgres_url: str) -> Iterator[DatabaseFactory]:
    """As `database_url_for`, one database per service and test module."""
    with _database_factory(postgres_url) as factory:
        yield factory


@pytest.fixture
def settings_for(postgres_url: str, amqp_uri: str, database_url_for: DatabaseFactory) -> Iterator[SettingsFactory]:
    """`settings_for("progress", rpc_deadline=0.5)`: throwaway databases, a prefix, quick retries."""
    with _settings_factory(postgres_url, amqp_uri, database_url_for) as factory:
        yield factory


@pytest.fixture(scope="module")
def module_settings_for(
    postgres_url: str, amqp_uri: str, module_database_url_for: DatabaseFactory
) -> Iterator[SettingsFactory]:
    """As `settings_for`, for what the tests of a module share."""
    with _settings_factory(postgres_url, amqp_uri, module_database_url_for) as factory:
        yield factory


@pytest.fixture
def settings(settings_for: SettingsFactory) -> Settings:
    """Settings without a service's database: broker, prefix and quick retries."""
    return settings_for()


@contextlib.contextmanager
def _database_factory(server_url: str) -> Iterator[DatabaseFactory]:
    with contextlib.ExitStack() as databases:
        made: dict[str, str] = {}

        def make(service: str) -> str:
            if service not in made:
                made[service] = databases.enter_context(infrastructure.throwaway_database(server_url, service))
            return made[service]

        yield make


@contextlib.contextmanager
def _settings_factory(server_url: str, amqp_uri: str, database_url_for: DatabaseFactory) -> Iterator[SettingsFactory]:
    """What a deployment with these settings leaves on the broker is deleted afterwards."""
    prefix = f"test-{secrets.token_hex(6)}."
    retry_delays: set[float] = set()

    def make(*services: str, **changes: Any) -> Settings:
        values: dict[str, Any] = {
            "amqp_uri": amqp_uri,
            "bus_prefix": prefix,
            "bus_retry_delays": (0.05, 0.1),
            "database_url": server_url,
            "database_urls": {service: database_url_for(service) for service in services},
        }
        settings = Settings(**(values | changes))
        retry_delays.update(settings.bus_retry_delays)
        return settings

    yield make
    infrastructure.delete_bus(amqp_uri, prefix, retry_delays)
