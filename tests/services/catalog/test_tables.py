"""The migrations make what tables.py says, and wrong states are refused by the database itself."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from chassis.database import Database
from services.catalog import handlers
from services.catalog.tables import metadata
from tests.services.catalog.catalogue import QUESTIONS, Catalogue

SHAPE = {
    "columns": """
        select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               pg_get_expr(d.adbin, d.adrelid)
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where c.relkind = 'r' and c.relnamespace = cast(:schema as regnamespace) and a.attnum > 0 and not a.attisdropped
    """,
    "constraints": """
        select c.relname, k.conname, pg_get_constraintdef(k.oid)
        from pg_constraint k join pg_class c on c.oid = k.conrelid
        where k.connamespace = cast(:schema as regnamespace) and k.contype <> 'n'
    """,
    "indexes": "select tablename, indexname, indexdef from pg_indexes where schemaname = :schema",
}


def shape(connection: Connection, schema: str, kind: str) -> set[tuple[Any, ...]]:
    """The columns, constraints or indexes of the catalog's tables in a schema, without the schema's name."""
    rows = connection.execute(text(SHAPE[kind]), {"schema": schema})
    return {
        tuple(value.replace(f"{schema}.", "") if isinstance(value, str) else value for value in row)
        for row in rows
        if row[0] in metadata.tables
    }


@pytest.mark.parametrize("kind", SHAPE)
def test_migrations_make_the_tables_as_they_are_declared(database: Database, kind: str) -> None:
    engine = create_engine(database.url, connect_args={"options": "-c search_path=declared"})
    with engine.begin() as connection:
        connection.execute(text("create schema if not exists declared"))
        metadata.create_all(connection)
        declared = shape(connection, "declared", kind)
    engine.dispose()
    with database.unit_of_work() as unit_of_work:
        migrated = shape(unit_of_work.connection, "public", kind)
    assert migrated == declared
    assert {row[0] for row in migrated} == set(metadata.tables)


@pytest.mark.parametrize(
    "damage",
    [
        "update courses set slug = 'a-un-autre'",
        "update courses set slug = null",
        "update courses set status = 'lost'",
        "update courses set published_at = null",
        "update courses set price_amount = -1",
        "update courses set price_amount = 100, unlock_streak_days = 3",
        "update courses set category = 'inconnue'",
        "update lessons set position = position + 1 where position = 1",
        "update lessons set project_brief = 'Pour une leçon de texte'",
        "update lessons set video_id = gen_random_uuid()",
        "update lessons set course_id = gen_random_uuid()",
        "update quizzes set questions = '[]'",
    ],
)
def test_a_wrong_state_is_refused_by_the_database(catalogue: Catalogue, damage: str) -> None:
    course = catalogue.published(lessons=2)
    outline = catalogue.course_events(course.id)[-1].event
    chapter_id = outline.chapters[0].id  # type: ignore[attr-defined]
    catalogue.do(handlers.set_quiz, catalogue.author, chapter_id, 20, QUESTIONS)
    with pytest.raises(IntegrityError):
        catalogue.execute(damage)


def test_a_slug_cannot_have_two_courses(catalogue: Catalogue) -> None:
    course = catalogue.course(slug="python")
    with pytest.raises(IntegrityError):
        catalogue.execute("insert into course_slugs values ('python', :id)", id=uuid4())
    with pytest.raises(IntegrityError):
        catalogue.execute("delete from course_slugs where course_id = :id", id=course.id)
