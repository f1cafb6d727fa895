"""The tables are made by the migrations as the code has them, and hand over to purchase what it owns now."""

from datetime import timedelta
from uuid import UUID, uuid4

import msgspec
from alembic import command
from sqlalchemy import create_engine, text

from chassis.database import Database
from chassis.migrations import configuration, migrate
from contracts.events.progress import FreeEntitlementGranted
from services.progress.tables import metadata
from tests.conftest import DatabaseFactory
from tests.services.progress.academy import NOON
from tests.services.tables import assert_migrated_as_coded


def test_the_migrated_tables_are_those_of_the_code(database: Database) -> None:
    assert_migrated_as_coded(database, metadata)


def test_free_entitlements_from_before_purchase_are_told_to_it(database_url_for: DatabaseFactory) -> None:
    url = database_url_for("progress")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("drop schema public cascade; create schema public"))
    command.upgrade(configuration(url, "progress"), "progress_0001")
    ids: dict[str, UUID] = {}
    with engine.begin() as connection:
        for name, source, live in (("free", "free", True), ("ended", "free", False), ("gift", "gift", True)):
            ids[name] = uuid4()
            connection.execute(
                text("insert into entitlements values (:id, :id, :id, :source, :live, 0, :at)"),
                {"id": ids[name], "source": source, "live": live, "at": NOON + timedelta(microseconds=5)},
            )

    migrate(url, "progress")

    with engine.connect() as connection:
        [told] = connection.execute(text("select type, partition_key, data::text from outbox")).all()
    engine.dispose()
    assert (told.type, told.partition_key) == (FreeEntitlementGranted.type, str(ids["free"]))
    id, granted_at = ids["free"], NOON + timedelta(microseconds=5)
    assert msgspec.json.decode(told.data, type=FreeEntitlementGranted) == FreeEntitlementGranted(
        entitlement_id=id, user_id=id, course_id=id, granted_at=granted_at
    )
