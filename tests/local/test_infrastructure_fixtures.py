"""The fixtures themselves: what every other test of a service stands on."""

import psycopg

from chassis.local import rabbitmq
from chassis.settings import Settings
from tests.conftest import DatabaseFactory, SettingsFactory
from tests.infrastructure import throwaway_database


def _databases(server_url: str) -> set[str]:
    with psycopg.connect(f"{server_url}/postgres") as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}


def test_a_throwaway_database_is_migrated_and_gone_afterwards(postgres_url: str) -> None:
    with throwaway_database(postgres_url, "progress") as url:
        name = url.rsplit("/", 1)[1]
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            outbox = connection.execute("SELECT to_regclass('outbox')").fetchone()

    assert outbox == ("outbox",)
    assert name not in _databases(postgres_url)


def test_each_test_has_one_database_per_service(database_url_for: DatabaseFactory) -> None:
    assert database_url_for("progress") == database_url_for("progress")
    assert database_url_for("progress") != database_url_for("catalog")


def test_the_settings_name_the_databases_asked_for(settings_for: SettingsFactory) -> None:
    settings = settings_for("catalog", rpc_deadline=0.5)

    assert settings.database_url_for("catalog").rsplit("/", 1)[1].startswith("catalog_")
    assert settings.rpc_deadline == 0.5


def test_the_broker_lets_us_in_and_refuses_a_wrong_password(settings: Settings) -> None:
    assert rabbitmq.answers(settings.amqp_uri)
    credentials = settings.amqp_uri.split("@")[0]
    assert not rabbitmq.answers(settings.amqp_uri.replace(credentials, "amqp://tanka:wrong"))
