"""Tables: emptied between tests, compared with their migrations, and which constraint refuses what must not be."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from chassis.database import Database

_COLUMNS = """
    select table_name, column_name, data_type, udt_name, is_nullable, column_default
    from information_schema.columns where table_schema = current_schema() and table_name = any(:tables)
    order by 1, 2
"""
_CONSTRAINTS = """
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
    where connamespace = current_schema()::regnamespace and conrelid::regclass::text = any(:tables) order by 1, 2
"""
_INDEXES = """
    select tablename, indexname, replace(indexdef, schemaname || '.', '') from pg_indexes
    where schemaname = current_schema() and tablename = any(:tables) order by 1, 2
"""


def empty(connection: Connection, tables: Iterable[Table]) -> None:
    """Delete all rows of the tables, which are given with those that are referred to first.

    To truncate them would make each table and index a new file, which takes ten times as long.
    """
    connection.exec_driver_sql("; ".join(f"delete from {table.name}" for table in reversed([*tables])))


def assert_migrated_as_coded(database: Database, metadata: MetaData) -> None:
    """Compare columns, constraints and indexes of the migrated tables with those that the code would make."""
    engine = create_engine(database.url)
    with engine.connect() as connection:
        migrated = _shape(connection, metadata)
        connection.execute(text("create schema as_in_code"))
        connection.execute(text("set local search_path to as_in_code"))
        metadata.create_all(connection)
        coded = _shape(connection, metadata)
        connection.rollback()
    engine.dispose()
    assert {row[0] for row in migrated} == set(metadata.tables)
    assert migrated == coded


def refusal(attempt: Callable[[], Any]) -> str | None:
    """The name of the constraint that refuses it."""
    with pytest.raises(IntegrityError) as refused:
        attempt()
    name: str | None = refused.value.orig.diag.constraint_name  # type: ignore[union-attr]
    return name


def _shape(connection: Connection, metadata: MetaData) -> list[tuple[Any, ...]]:
    tables = {"tables": sorted(metadata.tables)}
    return [
        tuple(row) for query in (_COLUMNS, _CONSTRAINTS, _INDEXES) for row in connection.execute(text(query), tables)
    ]
