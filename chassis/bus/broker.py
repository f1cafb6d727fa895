"""Connections to the broker, and the one declaration of everything on it."""

from typing import Any

from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError
from kombu.transport.pyamqp import Channel, Transport

from contracts.topology import CONSUMER_QUEUES, EVENT_EXCHANGE, RPC_EXCHANGE, ConsumerQueue

HEARTBEAT = 10
POLL = 1.0
"""Seconds: the longest a reader waits for the socket before it looks around."""

ATTEMPT_HEADER = "x-attempt"
REASON_HEADER = "x-reason"
FAILED_AT_HEADER = "x-failed-at"

_NO_LIMIT = 1_000_000_000


def connect(amqp_uri: str, *, heartbeat: int = HEARTBEAT, **transport_options: Any) -> Connection:
    """A connection not yet made, with the time limits that nameko and kombu leave out; `heartbeat` is in seconds."""
    return Connection(
        amqp_uri,
        heartbeat=heartbeat,
        connect_timeout=3,
        transport_options={"read_timeout": 10, "write_timeout": 10, **transport_options},
    )


def establish(connection: Connection) -> None:
    """Make the connection, or raise at once; kombu's own `connect` waits 2 s and tries again."""
    connection.ensure_connection(max_retries=0)


def hang_up(connection: Connection) -> None:
    """End a connection without a farewell, for which a broker that fell silent would be waited for without limit."""
    if connection.connected:
        connection.connection.collect()
    connection.release()


def is_broker_away(error: BaseException) -> bool:
    """Whether the error says that the broker cannot be reached, rather than that the work is wrong."""
    away = (*Transport.connection_errors, *Transport.channel_errors, OperationalError, BrokerAway)
    return isinstance(error, away)


class BrokerAway(Exception):
    """The broker did not take or confirm what was published in time."""


class NotConfirmed(BrokerAway):
    """The broker took what was published, but refused it or did not confirm it in time."""


def event_exchange(prefix: str) -> Exchange:
    """The exchange that every event is published to, with its type as the routing key."""
    return Exchange(prefix + EVENT_EXCHANGE, type="topic", durable=True)


def rpc_exchange(prefix: str) -> Exchange:
    """The exchange of calls; the routing key is the service's name."""
    return Exchange(prefix + RPC_EXCHANGE, type="direct", durable=True)


def rpc_queue(prefix: str, service: str) -> Queue:
    """The queue of a service's calls; classic, since calls are transient."""
    return Queue(
        f"{prefix}rpc.{service}",
        exchange=rpc_exchange(prefix),
        routing_key=service,
        durable=True,
        queue_arguments={"x-queue-type": "classic"},
    )


def event_queue_name(prefix: str, queue: ConsumerQueue) -> str:
    """The name of a consumer's queue on this deployment's broker."""
    return prefix + queue.name


def delay_queue_name(prefix: str, queue: ConsumerQueue, delay: float) -> str:
    """The name of the queue in which a failed event waits `delay` seconds before it returns."""
    return f"{prefix}{queue.name}.retry.{delay:g}s"


def dead_letter_queue_name(prefix: str, queue: ConsumerQueue) -> str:
    """The name of the queue of what could not be handled."""
    return f"{prefix}{queue.name}.dead"


def _quorum(name: str, **arguments: Any) -> Queue:
    # RabbitMQ 4 drops a message after 20 deliveries and 3.10 knows no "unlimited": a number never met suits both
    return Queue(
        name, durable=True, queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": _NO_LIMIT, **arguments}
    )


def declare_all(channel: Channel, prefix: str, retry_delays: tuple[float, ...]) -> None:
    """Declare every exchange, queue and binding of `contracts.topology`; harmless when they are there already."""
    events = event_exchange(prefix)
    events(channel).declare()
    rpc_exchange(prefix)(channel).declare()
    for consumer in CONSUMER_QUEUES:
        name = event_queue_name(prefix, consumer)
        queue = _quorum(name)(channel)
        queue.queue_declare()
        for event in consumer.events:
            queue.bind_to(events, routing_key=event.type)
        for delay in retry_delays:
            _quorum(
                delay_queue_name(prefix, consumer, delay),
                **{
                    "x-message-ttl": int(delay * 1000),
                    "x-dead-letter-exchange": "",
                    "x-dead-letter-routing-key": name,
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                },
            )(channel).queue_declare()
        _quorum(dead_letter_queue_name(prefix, consumer))(channel).queue_declare()


def messages_in(amqp_uri: str, *queues: str) -> int:
    """How many messages wait in the queues, but for those that a consumer already holds."""
    with connect(amqp_uri) as connection:
        establish(connection)
        channel = connection.channel()
        return sum(int(channel.queue_declare(queue, passive=True).message_count) for queue in queues)
