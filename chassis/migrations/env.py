"""Alembic's environment, the same for every service."""

from alembic import context
from sqlalchemy import create_engine, text

_LOCK = 7_402_117

engine = create_engine(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        context.run_migrations()
    connection.commit()
engine.dispose()
