"""The outbox: events are rows in the transaction of the change; once published they move to the event log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import BigInteger, Column, DateTime, Identity, MetaData, Table, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.engine import Connection

from chassis.context import current_trace
from contracts.events.base import Event

metadata = MetaData()


def _columns() -> list[Column[Any]]:
    return [
        Column("id", Uuid, nullable=False),
        Column("type", Text, nullable=False),
        Column("partition_key", Text, nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("data", JSON, nullable=False),
        Column("correlation_id", Text),
        Column("causation_id", Text),
        Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    ]


outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    *_columns(),
    Column("available_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)
"""Events not yet published; `available_at` lies ahead for one that no queue was bound for."""

inbox = Table(
    "inbox",
    metadata,
    Column("handler", Text, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("handled_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)
"""Which handler has had which event; written in the transaction of the effect."""

_encode = msgspec.json.Encoder().encode

_INSERT = text(
    "insert into outbox (id, type, partition_key, sequence, data, correlation_id, causation_id) values "
    "(:id, :type, :partition_key, :sequence, cast(:data as json), :correlation_id, :causation_id)"
)


def outbox_row(event: Event, sequence: int = 0) -> dict[str, Any]:
    """The event as the values of an outbox row (`data` as JSON text), under the trace of the present work."""
    trace = current_trace()
    return {
        "id": uuid4(),
        "type": event.type,
        "partition_key": event.partition_key(),
        "sequence": sequence,
        "data": _encode(event).decode(),
        "correlation_id": trace.correlation_id,
        "causation_id": trace.event_id,
    }


def record(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows made by `outbox_row` within the connection's transaction."""
    connection.execute(_INSERT, rows)


def ensure_log_partitions(connection: Connection, at: datetime) -> None:
    """Make the event log's partitions of `at`'s month and of the one after, where missing."""
    for month in (at, _next_month(at)):
        start = month.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        connection.execute(
            text(
                f"create table if not exists event_log_{start:%Y_%m} partition of event_log "
                f"for values from ('{start:%Y-%m-%d}') to ('{_next_month(start):%Y-%m-%d}')"
            )
        )


def _next_month(at: datetime) -> datetime:
    year, month = divmod(at.year * 12 + at.month, 12)
    return at.replace(year=year, month=month + 1, day=1)
