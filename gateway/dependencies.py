"""What the views stand on, made once per process and found again by each request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, cast

from flask import current_app

from chassis import clock
from chassis.database import Database
from chassis.settings import Settings
from contracts.envelope import Envelope
from contracts.events.base import Event
from gateway.cache import PageCache
from gateway.idempotency import IdempotencyKeys
from gateway.mail import Mailer, PostRoom, mailer_for
from gateway.passwords import Passwords
from gateway.people import People
from gateway.rates import RateLimiter
from gateway.streams import Streams
from gateway.tokens import AccessTokens, access_tokens

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
    """What `create_app` needs from outside; `database` is the accounts', `cached` hears the bus's events."""

    database: Database
    upstream: Upstream
    now: Callable[[], datetime] = clock.now
    mailer: Mailer | None = None
    cached: tuple[Cached, ...] = ()


class Parts:
    """What one process's app is made of."""

    def __init__(self, settings: Settings, dependencies: Dependencies) -> None:
        self.settings = settings
        self.database = dependencies.database
        self.upstream = dependencies.upstream
        self.now = dependencies.now
        self.people = People(dependencies.database, dependencies.now)
        self.pages = PageCache()
        # the people first: what is read again must not find an old name
        self.streams = Streams(dependencies.upstream, lambda: self.people)
        self.cached: tuple[Cached, ...] = (self.people, self.pages, *dependencies.cached, self.streams)
        self.passwords = Passwords()
        self.tokens: AccessTokens = access_tokens(settings, dependencies.now)
        self.rates = RateLimiter(dependencies.database, dependencies.now)
        self.idempotency = IdempotencyKeys(dependencies.database, self.tokens.keys.secrets, dependencies.now)
        self.post_room = PostRoom(dependencies.mailer or mailer_for(settings), settings.front_url)

    def on_event(self, envelope: Envelope, event: Event) -> None:
        """Let everything that is kept in memory hear the event."""
        for cached in self.cached:
            cached.on_event(envelope, event)

    def drop_all(self) -> None:
        """Let everything that is kept in memory be forgotten."""
        for cached in self.cached:
            cached.drop_all()

    def close(self) -> None:
        """Finish what waits behind the requests."""
        self.post_room.close()
        self.streams.close()


def parts() -> Parts:
    """The parts of the app that is answering."""
    return cast(Parts, current_app.extensions[EXTENSION])


def upstream() -> Upstream:
    """The services, for the view that runs."""
    return parts().upstream


def settings() -> Settings:
    """The settings, for the view that runs."""
    return parts().settings


def pages() -> PageCache:
    """The catalogue's pages that this process keeps, for the view that runs."""
    return parts().pages


def people() -> People:
    """The people, for the view that runs: names to be added to answers."""
    return parts().people
