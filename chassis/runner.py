"""Runs one service in this process until it is told to stop, then drains it."""

import gc
import signal
import sys
from importlib import import_module
from typing import Any

import eventlet
from nameko import config
from nameko.containers import ServiceContainer

from chassis import health, telemetry
from chassis.bus.service import Resources, Service
from chassis.packages import package_of
from chassis.settings import Settings

MAX_WORKERS = 64

_log = telemetry.get_logger("runner")


def run_service(name: str, private_port: int) -> None:
    """Run the service until SIGTERM or SIGINT. The process must have been greened by `chassis.greening.patch`."""
    settings = Settings.from_environment()
    telemetry.configure_logs(name, settings.log_level)
    run(load_service(name), settings, private_port)


def run(service_class: type[Service], settings: Settings, private_port: int) -> None:
    """Run a service's class with these settings until SIGTERM or SIGINT."""
    name = service_class.name
    service_class.check(settings)
    service_class.resources = resources = Resources(settings, name)
    with config.patch({"AMQP_URI": settings.amqp_uri, "max_workers": MAX_WORKERS}):
        container = ServiceContainer(service_class)
        # first, since the start waits for the broker: meanwhile the process is live, but not ready
        health.serve(settings.private_address, private_port, resources.faults)
        # beside the wait, which ends with an error as soon as a part of the service fails, also while it starts
        eventlet.spawn_n(_start, container, resources)
        container.wait()
    resources.close()
    _log.info("stopped", service=name)


def _start(container: ServiceContainer, resources: Resources) -> None:
    try:
        container.start()
        resources.relay.start()
    except Exception:
        container.kill(sys.exc_info())
        return

    def stop(_number: int, _frame: Any) -> None:
        eventlet.spawn_n(container.stop)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    resources.started = True
    # what is there by now stays: the collector need not look at it again and again
    gc.collect()
    gc.freeze()
    _log.info("ready", service=container.service_name)


def load_service(name: str) -> type[Service]:
    """The service's class. Raises `ValueError` when there is no such service."""
    try:
        module = import_module(f"{package_of(name)}.service")
    except ModuleNotFoundError as error:
        raise ValueError(f"there is no service {name!r}") from error
    for candidate in vars(module).values():
        if isinstance(candidate, type) and issubclass(candidate, Service) and getattr(candidate, "name", None) == name:
            return candidate
    raise ValueError(f"{package_of(name)}.service has no service class of that name")
