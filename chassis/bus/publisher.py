"""Publishing with confirms: a batch goes out at once and returns when the broker has answered for all of it."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from amqp import spec
from kombu import Connection
from kombu.transport.pyamqp import Channel, Message

from chassis.bus.broker import BrokerAway, NotConfirmed, connect, declare_all, establish, hang_up

PUBLISH_SIGNATURE = "Bssbb"


class Outgoing(NamedTuple):
    """A message to publish; `id` is unique in its batch."""

    id: str
    exchange: str
    routing_key: str
    body: bytes
    content_type: str
    headers: dict[str, Any]
    mandatory: bool = True


def send(channel: Channel, message: Message, exchange: str, routing_key: str, *, mandatory: bool = False) -> None:
    """Write a message to the channel and return; another thread may be reading the same connection.

    py-amqp's own `basic_publish` reads the socket first, which must stay with the one reader.
    """
    channel.send_method(spec.Basic.Publish, PUBLISH_SIGNATURE, (0, exchange, routing_key, mandatory, False), message)


class ConfirmedPublisher:
    """Publishes durable messages from one thread on a connection of its own, which it makes again when it breaks."""

    def __init__(self, amqp_uri: str, prefix: str, retry_delays: tuple[float, ...], *, timeout: float = 5.0) -> None:
        self._amqp_uri = amqp_uri
        self._prefix = prefix
        self._retry_delays = retry_delays
        self._timeout = timeout
        self._connection: Connection | None = None
        self._channel: Channel | None = None
        self._last_tag = 0
        self._waiting: set[int] = set()
        self._refused: set[int] = set()
        self._returned: set[str] = set()

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        """Publish all; the ids of those that no queue was bound for.

        Raises `BrokerAway` when not every message was confirmed in time; any of them may have been delivered.
        """
        was_open = self._channel is not None
        try:
            return self._publish(messages)
        except BrokerAway as error:
            # a connection that lay idle may have died unseen; only a new one tells
            if not was_open or isinstance(error, NotConfirmed):
                raise
            return self._publish(messages)

    def _publish(self, messages: Sequence[Outgoing]) -> set[str]:
        try:
            channel = self._ready_channel()
            for message in messages:
                self._last_tag += 1
                self._waiting.add(self._last_tag)
                send(
                    channel,
                    channel.prepare_message(
                        message.body,
                        content_type=message.content_type,
                        headers=message.headers,
                        properties={"delivery_mode": 2, "message_id": message.id},
                    ),
                    message.exchange,
                    message.routing_key,
                    mandatory=message.mandatory,
                )
            self._await_confirms()
            if self._refused:
                raise NotConfirmed("the broker refused a message")
        except Exception as error:
            self.close()
            raise error if isinstance(error, BrokerAway) else BrokerAway(str(error) or type(error).__name__) from error
        returned, self._returned = self._returned, set()
        return returned

    def close(self) -> None:
        """Close the connection; the next `publish` makes a new one."""
        connection, self._connection, self._channel = self._connection, None, None
        self._waiting.clear()
        self._refused.clear()
        self._returned.clear()
        if connection is not None:
            hang_up(connection)

    def _ready_channel(self) -> Channel:
        if self._channel is None:
            # nobody reads this connection while it is idle, so nobody could answer heartbeats: TCP keepalive instead
            connection = connect(self._amqp_uri, heartbeat=0)
            establish(connection)
            channel = connection.channel()
            declare_all(channel, self._prefix, self._retry_delays)
            channel.confirm_select()
            channel.events["basic_ack"].add(self._on_ack)
            channel.events["basic_nack"].add(self._on_nack)
            channel.events["basic_return"].add(self._on_return)
            self._connection, self._channel, self._last_tag = connection, channel, 0
        return self._channel

    def _await_confirms(self) -> None:
        assert self._connection is not None
        until = time.monotonic() + self._timeout
        while self._waiting:
            left = until - time.monotonic()
            try:
                self._connection.drain_events(timeout=max(left, 0.001))
            except TimeoutError:
                raise NotConfirmed("the broker did not confirm in time") from None

    def _settle(self, tag: int, multiple: bool) -> set[int]:
        settled = {waiting for waiting in self._waiting if waiting <= tag} if multiple else {tag}
        self._waiting -= settled
        return settled

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._settle(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._refused |= self._settle(tag, multiple)

    def _on_return(self, _error: Exception, _exchange: str, _routing_key: str, message: Message) -> None:
        self._returned.add(message.properties["message_id"])
