"""Telling again what was told: the owners' event logs, sent in batches to one consumer's private queue."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any
from uuid import uuid4

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

from chassis.bus.broker import BrokerAway, event_queue_name
from chassis.bus.publisher import ConfirmedPublisher, Outgoing
from chassis.bus.relay import LOCK, envelope_of
from chassis.settings import Settings
from contracts.envelope import BATCH_CONTENT_TYPE, encode_batch
from contracts.topology import ConsumerQueue

EVENTS_IN_MESSAGE = 500
MESSAGES_AT_ONCE = 4

_WAIT_FOR_RELAY = text("select pg_advisory_xact_lock(:lock)")
_COUNT = text("select count(*) from event_log where type = any(:types)")
_READ = text(
    "select id, type, partition_key, sequence, data::text as data, correlation_id, causation_id, recorded_at "
    "from event_log where type = any(:types) order by recorded_at, position"
)


class Retained:
    """The retained events of some types as they were at one instant, owner by owner."""

    def __init__(self, logs: Sequence[tuple[Connection, list[str]]]) -> None:
        self._logs = logs
        self.events = sum(connection.scalar(_COUNT, {"types": types}) for connection, types in logs)
        """How many there are."""

    def messages(self) -> Iterator[list[Any]]:
        """The events in the order in which each owner told them, in as many parts as messages."""
        for connection, types in self._logs:
            rows = connection.execution_options(yield_per=MESSAGES_AT_ONCE * EVENTS_IN_MESSAGE).execute(
                _READ, {"types": types}
            )
            while part := list(islice(rows, EVENTS_IN_MESSAGE)):
                yield part


@contextmanager
def retained(settings: Settings, consumer: ConsumerQueue) -> Iterator[Retained]:
    """All that a consumer should have heard until now, for as long as the block lasts.

    What is published after this began and is not among it reaches the consumer's own queue later. An event is
    published before its row is in the log: so each owner's relay is let finish first.
    """
    types_of: dict[str, list[str]] = {}
    for event in consumer.events:
        types_of.setdefault(event.type.split(".")[0], []).append(event.type)
    with ExitStack() as stack:
        logs = []
        for owner, types in types_of.items():
            engine = create_engine(settings.database_url_for(owner), isolation_level="REPEATABLE READ")
            stack.callback(engine.dispose)
            with engine.begin() as connection:
                connection.execute(_WAIT_FOR_RELAY, {"lock": LOCK})
            logs.append((stack.enter_context(engine.connect()), types))
        yield Retained(logs)


def replay(settings: Settings, events: Retained, to: ConsumerQueue) -> Generator[int, None, None]:
    """Send the events to the queue; yields how many were taken by the broker, each time that it confirms some.

    It waits while its caller does. Raises `BrokerAway` when the broker does not confirm in time.
    """
    queue = event_queue_name(settings.bus_prefix, to)
    publisher = ConfirmedPublisher(settings.amqp_uri, settings.bus_prefix, settings.bus_retry_delays)
    try:
        messages = events.messages()
        while parts := list(islice(messages, MESSAGES_AT_ONCE)):
            if publisher.publish([_message(queue, rows) for rows in parts]):
                raise BrokerAway(f"the queue {queue} is missing")
            yield sum(map(len, parts))
    finally:
        publisher.close()


def _message(queue: str, rows: Sequence[Any]) -> Outgoing:
    body = encode_batch([envelope_of(row) for row in rows])
    return Outgoing(str(uuid4()), "", queue, body, BATCH_CONTENT_TYPE, {})
