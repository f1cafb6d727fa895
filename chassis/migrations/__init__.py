"""Brings a database to its present shape: the bus's tables and the service's own, as two Alembic branches."""

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url

from chassis.packages import package_of

_HERE = Path(__file__).parent


def migrate(database_url: str, service: str) -> None:
    """Make the service's database if it is missing, and bring it to the newest revision. May run twice at once."""
    _make_database(database_url)
    command.upgrade(configuration(database_url, service), "heads")


def configuration(database_url: str, service: str) -> Config:
    """Alembic's view of the service's database. Raises `ValueError` when there is no such service."""
    spec = find_spec(package_of(service))
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"there is no service {service!r}")
    own = Path(spec.submodule_search_locations[0]) / "migrations"
    configuration = Config()
    configuration.set_main_option("script_location", str(_HERE))
    configuration.set_main_option("path_separator", "newline")
    configuration.set_main_option("version_locations", f"{_HERE / 'versions'}\n{own}")
    configuration.attributes["url"] = database_url
    return configuration


def _make_database(database_url: str) -> None:
    url = make_url(database_url)
    server = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", (url.database,)).fetchone()
        if not found:
            name = psycopg.sql.Identifier(url.database or "")
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(psycopg.sql.SQL("create database {}").format(name))
