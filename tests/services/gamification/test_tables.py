"""The tables: made by the migrations as the code has them, and refusing what must not be."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError

from services.gamification.tables import metadata
from tests.services.gamification.game import Game

_COLUMNS = """
    select table_name, ordinal_position, column_name, data_type, is_nullable, column_default
    from information_schema.columns where table_schema = current_schema() and table_name = any(:tables) order by 1, 2
"""
_CONSTRAINTS = """
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
    where connamespace = current_schema()::regnamespace and conrelid::regclass::text = any(:tables) order by 1, 2
"""
_INDEXES = """
    select tablename, indexname, replace(indexdef, schemaname || '.', '') from pg_indexes
    where schemaname = current_schema() and tablename = any(:tables) order by 1, 2
"""


def shape(connection: Connection) -> list[tuple[Any, ...]]:
    """Columns, constraints and indexes of our tables in the schema that comes first in the search path."""
    tables = {"tables": sorted(metadata.tables)}
    return [
        tuple(row) for query in (_COLUMNS, _CONSTRAINTS, _INDEXES) for row in connection.execute(text(query), tables)
    ]


def test_the_migrated_tables_are_those_of_the_code(game: Game) -> None:
    engine = create_engine(game.database.url)
    with engine.connect() as connection:
        migrated = shape(connection)
        connection.execute(text("create schema as_in_code"))
        connection.execute(text("set local search_path to as_in_code"))
        metadata.create_all(connection)
        in_code = shape(connection)
        connection.rollback()
    engine.dispose()

    assert len(migrated) > 30
    assert migrated == in_code


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("update students set xp = -1", "students_xp_check"),
        ("update students set points = -1", "students_points_check"),
        (
            "update students set streak_current = 2, streak_longest = 1, "
            "learned_at = now(), learned_on = '2026-11-23', learned_in = 'UTC'",
            "students_streak_check",
        ),
        ("update students set streak_current = 1, streak_longest = 1", "students_learned_check"),
        ("insert into ledger values (:user_id, 'gift', :user_id, 1, 1, now())", "ledger_kind_check"),
        ("insert into ledger values (:user_id, 'lesson', :user_id, -1, 0, now())", "ledger_xp_check"),
        ("insert into ledger values (:stranger, 'lesson', :user_id, 1, 1, now())", "ledger_user_id_fkey"),
        (
            "insert into ledger select :user_id, 'lesson', :user_id, 1, 1, now() from generate_series(1, 2)",
            "ledger_pkey",
        ),
        (
            "insert into learning_days values (:user_id, '2026-11-23', 'UTC', now(), now() - interval '1 s')",
            "learning_days_order_check",
        ),
    ],
    ids=lambda value: "" if " " in value else value,
)
def test_a_wrong_state_cannot_be_stored(game: Game, student: UUID, statement: str, constraint: str) -> None:
    def attempt() -> None:
        with game.database.unit_of_work() as unit_of_work:
            values = {"user_id": student, "stranger": uuid4()}
            unit_of_work.connection.execute(text("insert into students (user_id) values (:user_id)"), values)
            unit_of_work.connection.execute(text(statement), values)

    assert refusal(attempt) == constraint


def refusal(attempt: Callable[[], None]) -> str | None:
    """The name of the constraint that refuses it."""
    with pytest.raises(IntegrityError) as refused:
        attempt()
    name: str | None = refused.value.orig.diag.constraint_name  # type: ignore[union-attr]
    return name
