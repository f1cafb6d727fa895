"""The gateway's app on a database of its own, a clock that tests move, and a letter box."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.database import Database
from chassis.outbox import outbox
from chassis.settings import Settings
from gateway.app import Gateway, create_app
from gateway.dependencies import Dependencies
from gateway.tables import metadata
from tests.conftest import DatabaseFactory
from tests.services.tables import empty

PASSWORD = "tanka-azerty"
FRONT = "http://front.example"


@dataclass
class Clock:
    """A time of day that only tests move on."""

    at: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, **time: float) -> None:
        """Let time go by."""
        self.at += timedelta(**time)


@dataclass
class LetterBox:
    """Keeps the mails instead of sending them."""

    mails: list[tuple[str, str, str]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def send(self, to: str, subject: str, text: str) -> None:
        """Keep a mail."""
        with self.arrived:
            self.mails.append((to, subject, text))
            self.arrived.notify_all()

    def wait_for(self, link: str, count: int = 1) -> list[str]:
        """The tokens of the first `count` mails that link to this page of the front end."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self._tokens(link)) >= count, timeout=10), self.mails
            return self._tokens(link)

    def _tokens(self, link: str) -> list[str]:
        pattern = re.compile(re.escape(f"{FRONT}/{link}?token=") + r"([\w-]+)")
        return [found[1] for _, _, text in self.mails if (found := pattern.search(text))]


class SilentServices:
    """Services that these tests do not need."""

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """Nobody answers."""
        raise AssertionError(f"{service}.{method} was called")

    def ready(self) -> dict[str, bool]:
        """Who answers."""
        return {"catalog": True, "progress": False}


class Someone:
    """A person at a device: calls the gateway, logged in or not."""

    def __init__(self, app: Gateway, address: str = "192.0.2.1") -> None:
        self._app = app
        self.address = address
        self.access: str | None = None
        self.refresh: str = ""
        self.user: dict[str, Any] = {}

    def call(self, method: str, path: str, json: Any = None, *, key: str | None = None, **options: Any) -> TestResponse:
        """One request; `key` is its Idempotency-Key."""
        headers = dict(options.pop("headers", {}))
        if self.access is not None:
            headers.setdefault("Authorization", f"Bearer {self.access}")
        if key is not None:
            headers["Idempotency-Key"] = key
        client: FlaskClient = self._app.test_client()
        if json is not None:
            options["json"] = json
        return client.open(path, method=method, headers=headers, environ_base={"REMOTE_ADDR": self.address}, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        """A read."""
        return self.call("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        """A POST."""
        return self.call("POST", path, json, **options)

    def register(self, email: str = "ber@tanka.example", **more: Any) -> "Someone":
        """Make an account and be logged in."""
        body = {"email": email, "password": PASSWORD, "display_name": "Ber", **more}
        return self._take(self.post("/v1/auth/register", body), 201)

    def log_in(self, email: str = "ber@tanka.example", password: str = PASSWORD) -> "Someone":
        """Be logged in."""
        return self._take(self.post("/v1/auth/login", {"email": email, "password": password}), 200)

    def renew(self, token: str | None = None, key: str | None = None) -> TestResponse:
        """Exchange a refresh token, one's own unless another is given; keeps nothing."""
        return self.post("/v1/auth/refresh", {"refresh_token": token or self.refresh}, key=key)

    def _take(self, answer: TestResponse, status: int) -> "Someone":
        assert answer.status_code == status, answer.text
        assert answer.json is not None
        self.access = answer.json["access_token"]
        self.refresh = answer.json["refresh_token"]
        self.user = answer.json["user"]
        return self


@pytest.fixture
def clock() -> Clock:
    """The clock of the app."""
    return Clock()


@pytest.fixture
def letter_box() -> LetterBox:
    """Where the app's mails end up."""
    return LetterBox()


@pytest.fixture(scope="module")
def module_database(module_database_url_for: DatabaseFactory) -> Iterator[Database]:
    """The accounts database that the tests of a module share."""
    database = Database(module_database_url_for("accounts"), pool_size=16)
    yield database
    database.close()


@pytest.fixture
def database(module_database: Database) -> Database:
    """The accounts database, with nothing in it."""
    with module_database.unit_of_work() as unit_of_work:
        empty(unit_of_work.connection, [*metadata.sorted_tables, outbox])
    return module_database


@pytest.fixture
def accounts_settings(database: Database) -> Settings:
    """Settings with the accounts database and no bus."""
    urls = {"accounts": database.url}
    return Settings(database_urls=urls, front_url=FRONT, front_origins=(FRONT,), public_url="http://api.example")


@pytest.fixture
def app(accounts_settings: Settings, database: Database, clock: Clock, letter_box: LetterBox) -> Iterator[Gateway]:
    """The gateway's app without services."""
    dependencies = Dependencies(database=database, upstream=SilentServices(), now=clock, mailer=letter_box)
    app = create_app(accounts_settings, dependencies)
    yield app
    app.parts.close()


@pytest.fixture
def someone(app: Gateway) -> Callable[..., Someone]:
    """`someone()`: a person who calls the gateway; `someone("192.0.2.7")` from that address."""

    def make(address: str = "192.0.2.1") -> Someone:
        return Someone(app, address)

    return make


@pytest.fixture
def ber(someone: Callable[..., Someone]) -> Someone:
    """A student who has just registered."""
    return someone().register()


@pytest.fixture
def admin(someone: Callable[..., Someone], database: Database) -> Someone:
    """An admin, made from the command line."""
    from gateway.commands import create_admin

    create_admin(database.url, "admin@tanka.example", PASSWORD)
    return someone().log_in("admin@tanka.example")


def at_once(count: int, do: Callable[[int], Any]) -> list[Any]:
    """What `do` gives, called by so many threads at the same instant."""
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(index: int) -> None:
        barrier.wait()
        results[index] = do(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    return results


def soon(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until the condition holds; fail when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
