"""Shows what could not be handled, and sends it back to its consumer."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kombu.transport.pyamqp import Channel

from chassis.bus.broker import (
    FAILED_AT_HEADER,
    REASON_HEADER,
    connect,
    dead_letter_queue_name,
    declare_all,
    event_queue_name,
)
from chassis.bus.publisher import ConfirmedPublisher, Outgoing
from chassis.settings import Settings
from contracts.envelope import CONTENT_TYPE
from contracts.events import Undecodable, read_all
from contracts.topology import CONSUMER_QUEUES, ConsumerQueue


@dataclass(frozen=True)
class DeadLetter:
    """A message that waits in a dead-letter queue; id and type are None where it cannot be read, a batch has no id."""

    queue: str
    event_id: str | None
    type: str | None
    reason: str
    failed_at: str
    body: str


def list_dead_letters(settings: Settings, queue: str | None = None) -> list[DeadLetter]:
    """Every dead letter, or those of one consumer's queue; they stay where they are."""
    found = []
    with connect(settings.amqp_uri) as connection:
        channel = connection.channel()
        declare_all(channel, settings.bus_prefix, settings.bus_retry_delays)
        for consumer in _chosen(queue):
            messages = _take_all(channel, dead_letter_queue_name(settings.bus_prefix, consumer))
            found += [_describe(consumer.name, message) for message in messages]
            for message in messages:
                channel.basic_reject(message.delivery_tag, requeue=True)
    return found


def replay_dead_letters(settings: Settings, queue: str | None = None) -> int:
    """Send dead letters back to their consumer, attempts counted anew; how many. The inbox makes a repeat harmless."""
    replayed = 0
    publisher = ConfirmedPublisher(settings.amqp_uri, settings.bus_prefix, settings.bus_retry_delays)
    with connect(settings.amqp_uri) as connection:
        channel = connection.channel()
        declare_all(channel, settings.bus_prefix, settings.bus_retry_delays)
        for consumer in _chosen(queue):
            for message in _take_all(channel, dead_letter_queue_name(settings.bus_prefix, consumer)):
                publisher.publish([_back_to(event_queue_name(settings.bus_prefix, consumer), message)])
                channel.basic_ack(message.delivery_tag)
                replayed += 1
    publisher.close()
    return replayed


def _chosen(queue: str | None) -> list[ConsumerQueue]:
    chosen = [consumer for consumer in CONSUMER_QUEUES if queue in (None, consumer.name)]
    if not chosen:
        raise ValueError(f"there is no queue {queue!r}; there are {', '.join(item.name for item in CONSUMER_QUEUES)}")
    return chosen


def _take_all(channel: Channel, name: str) -> list[Any]:
    messages = []
    while (message := channel.basic_get(name)) is not None:
        messages.append(message)
    return messages


def _describe(queue: str, message: Any) -> DeadLetter:
    headers = message.headers
    event_id: str | None = None
    event_type: str | None = None
    with suppress(Undecodable):
        envelopes = [envelope for envelope, _event in read_all(message.body, message.content_type)]
        if len(envelopes) == 1:
            event_id, event_type = str(envelopes[0].id), envelopes[0].type
        else:
            event_type = f"a batch of {len(envelopes)} events"
    body = message.body if isinstance(message.body, str) else bytes(message.body).decode("utf-8", "backslashreplace")
    return DeadLetter(
        queue, event_id, event_type, headers.get(REASON_HEADER, ""), headers.get(FAILED_AT_HEADER, ""), body[:2000]
    )


def _back_to(queue: str, message: Any) -> Outgoing:
    body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
    return Outgoing(str(message.delivery_tag), "", queue, body, message.content_type or CONTENT_TYPE, {})
