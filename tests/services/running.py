"""A service as a process of its own, called over RabbitMQ."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chassis.local.processes import free_ports
from chassis.rpc_client import RpcClient
from chassis.settings import Settings
from contracts.errors import ServiceError, Unavailable

Call = Callable[..., Any]
"""`call("method", argument=value)`: the service's answer."""


@contextmanager
def running(service: str, settings: Settings) -> Iterator[Call]:
    """Calls to the service, which runs as long as the context and must end well."""
    environment = os.environ | {
        "AMQP_URI": settings.amqp_uri,
        "BUS_PREFIX": settings.bus_prefix,
        "BUS_RETRY_DELAYS": ",".join(map(str, settings.bus_retry_delays)),
        f"DATABASE_URL_{service.upper()}": settings.database_url_for(service),
        "SMTP_URL": settings.smtp_url,
    }
    command = [sys.executable, "-m", "chassis.local.single", service, str(free_ports(1)[0])]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    client = RpcClient(settings.amqp_uri, prefix=settings.bus_prefix)

    def call(method: str, **arguments: Any) -> Any:
        assert process.poll() is None, f"{service} ended"
        return client.call(service, method, **arguments)

    try:
        eventually(lambda: _answers(call))
        yield call
    finally:
        client.stop()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def eventually(found: Callable[[], Any], patience: float = 20.0) -> Any:
    """What `found` gives as soon as it is true; fails after `patience` seconds."""
    until = time.monotonic() + patience
    while not (result := found()):
        assert time.monotonic() < until, "not in time"
        time.sleep(0.02)
    return result


def _answers(call: Call) -> bool:
    try:
        call("ping", deadline=0.5)
    except Unavailable:
        return False
    except ServiceError:
        return True
    return True
