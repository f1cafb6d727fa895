"""The migrations make what tables.py says."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, text

from chassis.database import Database
from services.progress.tables import metadata

_COLUMNS = """
    select table_name, column_name, data_type, udt_name, is_nullable, column_default
    from information_schema.columns where table_schema = current_schema() and table_name = any(:tables)
    order by table_name, column_name
"""
_CONSTRAINTS = """
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
    where connamespace = current_schema()::regnamespace and conrelid::regclass::text = any(:tables)
    order by 1, 2
"""
_INDEXES = """
    select tablename, indexname, replace(indexdef, schemaname || '.', '') from pg_indexes
    where schemaname = current_schema() and tablename = any(:tables) order by 1, 2
"""


def shape(connection: Connection) -> list[list[tuple[object, ...]]]:
    tables = {"tables": sorted(metadata.tables)}
    return [
        [tuple(row) for row in connection.execute(text(query), tables)] for query in (_COLUMNS, _CONSTRAINTS, _INDEXES)
    ]


@contextmanager
def made_from_tables(url: str) -> Iterator[Connection]:
    """A schema with the tables as the code has them, rolled back afterwards."""
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(text("create schema as_in_code"))
        connection.execute(text("set local search_path to as_in_code"))
        metadata.create_all(connection)
        yield connection
        connection.rollback()
    engine.dispose()


def test_the_migrated_tables_are_those_of_the_code(database: Database) -> None:
    with database.unit_of_work() as unit_of_work, made_from_tables(database.url) as in_code:
        migrated, coded = shape(unit_of_work.connection), shape(in_code)

    assert len(migrated[0]) > 40
    assert migrated == coded
