"""What the views stand on, made once per process and found again by each request."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, cast

from flask import current_app

from chassis import clock
from chassis.database import Database
from chassis.settings import Settings
from contracts.envelope import Envelope
from contracts.events.base import Event
from gateway.cache import PageCache

EXTENSION = "tanka"


class Upstream(Protocol):
    """How the services are called: by name, with a deadline; refusals are raised as `contracts.errors`."""

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """The service's answer as decoded JSON. Raises `contracts.errors.ServiceError`."""
        ...

    def ready(self) -> dict[str, bool]:
        """Each service by name, and whether it answers."""
        ...


class Cached(Protocol):
    """Something kept in memory that events of other processes make stale."""

    def on_event(self, envelope: Envelope, event: Event) -> None:
        """Drop what the event makes stale."""
        ...

    def drop_all(self) -> None:
        """Drop everything: events may have been missed."""
        ...


@dataclass(frozen=True)
class Dependencies:
    """What `create_app` needs from outside. `pages` and `cached` hear the events of the bus."""

    database: Database
    upstream: Upstream
    pages: PageCache = field(default_factory=PageCache)
    now: Callable[[], datetime] = clock.now
    cached: tuple[Cached, ...] = field(default=())


def upstream() -> Upstream:
    """The services, for the view that runs."""
    return cast(Upstream, current_app.extensions[EXTENSION].dependencies.upstream)


def pages() -> PageCache:
    """The catalogue's pages that this process keeps, for the view that runs."""
    return cast(PageCache, current_app.extensions[EXTENSION].dependencies.pages)


def settings() -> Settings:
    """The settings, for the view that runs."""
    return cast(Settings, current_app.extensions[EXTENSION].settings)
