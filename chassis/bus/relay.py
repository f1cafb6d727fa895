"""The relay: takes what was committed to the outbox, publishes it, and moves it to the event log."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.engine import Connection

from chassis import telemetry
from chassis.bus.broker import BrokerAway
from chassis.bus.publisher import ConfirmedPublisher, Outgoing
from chassis.database import Database, is_database_away
from chassis.outbox import ensure_log_partitions
from chassis.settings import Settings
from contracts.envelope import CONTENT_TYPE, Envelope, encode
from contracts.events import BY_TYPE
from contracts.topology import EVENT_EXCHANGE, has_durable_consumer

BATCH = 200
POLL = 0.25
PAUSE = 0.01
"""Seconds between two batches: what is committed meanwhile shares the next one's confirms."""
BUSY = 0.025
"""Seconds until it looks again whether another relay has finished: that one may not have seen our last events."""
RETRY = 1.0
UNROUTABLE_RETRY = timedelta(seconds=30)

LOCK = 7_402_118
"""Of the advisory lock that whoever publishes a database's outbox holds until the events are in its log."""

_TAKE = text(
    "select position, id, type, partition_key, sequence, data::text as data, correlation_id, causation_id, recorded_at "
    "from outbox where available_at <= clock_timestamp() order by position limit :batch"
)
_MOVE = text(
    "with published as (delete from outbox where position = any(:positions) returning *) "
    "insert into event_log "
    "(position, id, type, partition_key, sequence, data, correlation_id, causation_id, recorded_at) "
    "select position, id, type, partition_key, sequence, data, correlation_id, causation_id, recorded_at from published"
)
_POSTPONE = text("update outbox set available_at = clock_timestamp() + :delay where position = any(:positions)")

_log = telemetry.get_logger("relay")


def envelope_of(row: Any) -> Envelope:
    """The envelope of an outbox or event log row (`data` as JSON text)."""
    event = BY_TYPE[row.type]
    return Envelope(
        id=row.id,
        source=event.event_source(),
        type=row.type,
        time=row.recorded_at,
        subject=row.partition_key,
        data=msgspec.Raw(row.data.encode()),
        dataschema=event.data_schema(),
        partition_key=row.partition_key,
        sequence=row.sequence,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
    )


class Relay:
    """Publishes one database's outbox on a thread of its own. Several may run; one at a time publishes."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._exchange = settings.bus_prefix + EVENT_EXCHANGE
        self._publisher = ConfirmedPublisher(settings.amqp_uri, settings.bus_prefix, settings.bus_retry_delays)
        self._wakened = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._partitioned: set[tuple[int, int]] = set()

    def start(self) -> None:
        """Begin to publish; `database.on_told` wakes the relay from now on."""
        self._database.on_told = self.wake
        self._thread.start()

    def wake(self) -> None:
        """Say that events were committed."""
        self._wakened.set()

    def stop(self) -> None:
        """Finish the batch under way and end."""
        self._stopping.set()
        self._wakened.set()
        self._thread.join(timeout=10)
        self._publisher.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wakened.wait(POLL)
            self._wakened.clear()
            try:
                while (taken := self._publish_batch()) == BATCH and not self._stopping.is_set():
                    self._stopping.wait(PAUSE)
                if taken is None:
                    self._wakened.set()
                self._stopping.wait(BUSY if taken is None else PAUSE)
            except Exception as error:
                away = isinstance(error, BrokerAway) or is_database_away(error)
                _log.warning("events wait in the outbox", reason=str(error), exc_info=not away)
                # a partition made in the failed transaction is gone with it
                self._partitioned.clear()
                self._stopping.wait(RETRY)

    def _publish_batch(self) -> int | None:
        """How many rows were taken; None when another relay is at work."""
        with self._database.unit_of_work() as unit_of_work:
            connection = unit_of_work.connection
            if not connection.scalar(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}):
                return None
            rows = connection.execute(_TAKE, {"batch": BATCH}).all()
            telemetry.OUTBOX_WAITING.set(len(rows))
            if not rows:
                return 0
            self._ensure_partitions(connection, rows)
            known = [row for row in rows if row.type in BY_TYPE]
            returned = self._publisher.publish([self._outgoing(row) for row in known])
            published = [row.position for row in known if str(row.id) not in returned]
            connection.execute(_MOVE, {"positions": published})
            telemetry.EVENTS_PUBLISHED.inc(len(published))
            self._alarm(connection, "no queue is bound", [row for row in known if str(row.id) in returned])
            self._alarm(connection, "unknown type", [row for row in rows if row.type not in BY_TYPE])
            return len(rows)

    def _outgoing(self, row: Any) -> Outgoing:
        return Outgoing(
            id=str(row.id),
            exchange=self._exchange,
            routing_key=row.type,
            body=encode(envelope_of(row)),
            content_type=CONTENT_TYPE,
            headers={},
            mandatory=has_durable_consumer(row.type),
        )

    def _alarm(self, connection: Connection, reason: str, rows: list[Any]) -> None:
        if not rows:
            return
        positions = [row.position for row in rows]
        connection.execute(_POSTPONE, {"positions": positions, "delay": UNROUTABLE_RETRY})
        telemetry.EVENTS_RETURNED.inc(len(rows))
        types = sorted({row.type for row in rows})
        _log.error("these events cannot be published; they stay in the outbox", reason=reason, types=types)

    def _ensure_partitions(self, connection: Connection, rows: Sequence[Any]) -> None:
        # a row may have waited over the turn of a month in which this database published nothing
        months = {(row.recorded_at.year, row.recorded_at.month): row.recorded_at for row in rows}
        for month, at in months.items():
            if month not in self._partitioned:
                ensure_log_partitions(connection, at)
                self._partitioned.add(month)
