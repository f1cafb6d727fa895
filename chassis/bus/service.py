"""What every service class is built on."""

from typing import Any, ClassVar

from chassis.bus.broker import delay_queue_name, event_queue_name, messages_in
from chassis.bus.consumer import DrainingConsumer
from chassis.bus.relay import Relay
from chassis.bus.trace import TraceProvider
from chassis.database import Database
from chassis.rpc_client import RpcClient
from chassis.settings import Settings
from contracts.topology import ConsumerQueue


class Resources:
    """What one process of a service has: its settings, database, relay, and its client for calls to other services."""

    def __init__(self, settings: Settings, service: str) -> None:
        self.settings = settings
        self.database = Database(settings.database_url_for(service), pool_size=settings.database_pool_size)
        self.rpc = RpcClient(
            settings.amqp_uri, prefix=settings.bus_prefix, deadline=settings.rpc_deadline, breakers=True
        )
        self.relay = Relay(self.database, settings)
        self.consumers: list[DrainingConsumer] = []
        self.started = False

    def faults(self) -> dict[str, str]:
        """What keeps this process from working, by the part's name; empty when it is ready."""
        found = {}
        try:
            self.database.ping()
        except Exception as error:
            found["database"] = type(error).__name__
        if not all(consumer.is_connected for consumer in self.consumers):
            found["broker"] = "not connected"
        if not self.started:
            found["service"] = "starting"
        return found

    def close(self) -> None:
        """Stop the relay, then close what is open."""
        self.relay.stop()
        self.rpc.stop()
        self.database.close()


class Service:
    """A nameko service: set `name`, decorate methods with `rpc` or `consumes(queue)`."""

    name: ClassVar[str]
    resources: ClassVar[Resources]
    trace: Any = TraceProvider()

    @classmethod
    def check(cls, settings: Settings) -> None:
        """Raise `SettingsError` when the service must not start with these settings."""

    @property
    def database(self) -> Database:
        """The service's own database."""
        return self.resources.database

    @property
    def rpc(self) -> RpcClient:
        """The client for calls to other services; never inside a unit of work."""
        return self.resources.rpc

    def events_waiting(self, queue: ConsumerQueue) -> int:
        """How many messages wait to be taken out of a queue of events, or to come again after they failed."""
        prefix = self.settings.bus_prefix
        put_off = [delay_queue_name(prefix, queue, delay) for delay in self.settings.bus_retry_delays]
        return messages_in(self.settings.amqp_uri, event_queue_name(prefix, queue), *put_off)

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return self.resources.settings
