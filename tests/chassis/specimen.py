"""Runs the specimen service as a process, and looks at it from outside."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen
from uuid import UUID, uuid4

import msgspec
from alembic import command
from alembic.config import Config
from kombu.transport.pyamqp import Channel
from sqlalchemy import text

import chassis.migrations
from chassis.bus.broker import connect, messages_in
from chassis.bus.publisher import ConfirmedPublisher, Outgoing
from chassis.clock import now
from chassis.database import Database
from chassis.local.processes import free_ports, wait_until
from chassis.rpc_client import RpcClient
from chassis.settings import Settings
from contracts.envelope import CONTENT_TYPE, Envelope, encode
from contracts.events import LessonCompleted
from contracts.topology import EVENT_EXCHANGE
from tests.told import envelope_of

CHECKOUT = Path(__file__).parents[2]
PATIENCE = 15.0

_TABLES = (
    "create table effects (id bigserial primary key, key text not null, source text not null, pid integer not null, "
    "batch uuid, at timestamptz not null default clock_timestamp())",
    "create table attempts (id bigserial primary key, event_id uuid not null, batch uuid not null, "
    "at timestamptz not null default clock_timestamp())",
    "create table timed (key text not null)",
)


def migrate(database_url: str) -> None:
    """Give an empty database the tables of the bus and those of the specimen."""
    here = Path(chassis.migrations.__file__).parent
    configuration = Config()
    configuration.set_main_option("script_location", str(here))
    configuration.set_main_option("path_separator", "newline")
    configuration.set_main_option("version_locations", str(here / "versions"))
    configuration.attributes["url"] = database_url
    command.upgrade(configuration, "heads")
    database = Database(database_url)
    with database.unit_of_work() as unit_of_work:
        for table in _TABLES:
            unit_of_work.connection.execute(text(table))
    database.close()


class Nursery:
    """The parent of all specimens: it has imported everything, so that one is there at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "chassis.local.nursery", "tests.chassis.specimen_service"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._started: SimpleQueue[int] = SimpleQueue()
        self._statuses: dict[int, int] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, port: int, log: Path, environment: dict[str, str]) -> int:
        """Start a specimen; its process id."""
        command = {"name": "specimen", "port": port, "log": str(log), "environment": environment}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        return self._started.get(timeout=PATIENCE)

    def status(self, pid: int) -> int | None:
        """The exit status of a specimen; None while it lives."""
        return self._statuses.get(pid)

    def close(self) -> None:
        """End it and what is left of its children."""
        self._process.communicate(timeout=PATIENCE)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "started" in told:
                self._started.put(told["pid"])
            elif "ended" in told:
                self._statuses[told["pid"]] = told["status"]


class Specimen:
    """One process of the specimen service, its log, its private port, and a client for its calls."""

    def __init__(self, nursery: Nursery, settings: Settings, log: Path, environment: dict[str, str]) -> None:
        self.settings = settings
        self.port = free_ports(1)[0]
        self.rpc = RpcClient(settings.amqp_uri, prefix=settings.bus_prefix, deadline=5.0)
        self._nursery = nursery
        self._log = log
        self._pid = nursery.start(self.port, log, _environment(settings) | environment)

    def wait_until_ready(self) -> "Specimen":
        """Wait until it says that it is ready."""
        assert wait_until(self.is_ready, PATIENCE), f"the specimen is not ready:\n{self.log}"
        return self

    def is_ready(self) -> bool:
        """Whether it says that it is ready."""
        return bool(self.health("ready").get("ready"))

    def health(self, kind: str) -> dict[str, Any]:
        """What `/health/live` or `/health/ready` says; empty when nobody answers."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health/{kind}", timeout=5) as answer:
                return dict(msgspec.json.decode(answer.read()))
        except HTTPError as error:
            return dict(msgspec.json.decode(error.read()))
        except (URLError, OSError):
            return {}

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            page = answer.read().decode()
        return sum(
            float(value) for value in re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", page, re.MULTILINE)
        )

    @property
    def log(self) -> str:
        """All that it has written."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """The structured log lines that say this."""
        lines = []
        for line in self.log.splitlines():
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and found.get("event") == event:
                    lines.append(found)
        return lines

    def wait_for_log(self, event: str, wanted: Callable[[dict[str, Any]], bool], count: int = 1) -> bool:
        """Wait until so many wanted lines that say this are in the log; whether they came."""
        return wait_until(lambda: len([line for line in self.log_lines(event) if wanted(line)]) >= count, PATIENCE)

    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._nursery.status(self._pid) is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        os.kill(self._pid, number)

    def wait(self, seconds: float) -> int:
        """The exit status, when the process ends in that time; fails when it does not."""
        ended = wait_until(lambda: not self.is_alive(), seconds, pause=0.01)
        assert ended, f"the specimen did not end in {seconds} s:\n{self.log[-4000:]}"
        status = self._nursery.status(self._pid)
        assert status is not None
        return status

    def close(self) -> None:
        """End the process, hard if need be, and the client."""
        self.rpc.stop()
        if self.is_alive():
            self.send(signal.SIGKILL)
            self.wait(PATIENCE)


class Laboratory:
    """A prefix on the broker, a database, and as many processes of the specimen as a test wants."""

    def __init__(self, nursery: Nursery, settings: Settings, directory: Path) -> None:
        self.settings = settings
        self._nursery = nursery
        self._directory = directory
        self._specimens: list[Specimen] = []
        self.database = Database(settings.database_url_for("specimen"), pool_size=4)
        self._publisher = ConfirmedPublisher(settings.amqp_uri, settings.bus_prefix, settings.bus_retry_delays)

    def start(self, **changes: Any) -> Specimen:
        """Start a process and wait until it is ready; `changes` are settings of its own."""
        return self.launch(**changes).wait_until_ready()

    def launch(self, environment: dict[str, str] | None = None, **changes: Any) -> Specimen:
        """Start a process without waiting; `environment` and `changes` of the settings are its own."""
        log = self._directory / f"specimen-{len(self._specimens)}.log"
        specimen = Specimen(self._nursery, replace(self.settings, **changes), log, environment or {})
        self._specimens.append(specimen)
        return specimen

    def publish(self, *instructions: str, times: int = 1) -> list[UUID]:
        """Publish one event for each instruction, each `times` times; the ids of the lessons."""
        events = [lesson_completed(instruction) for instruction in instructions]
        self.publish_envelopes([envelope_of(event) for event in events] * times)
        return [event.lesson_id for event in events]

    def publish_envelopes(self, envelopes: Iterable[Envelope]) -> None:
        """Publish these envelopes to the exchange of events."""
        self.publish_raw(
            [
                Outgoing(
                    str(number),
                    self.settings.bus_prefix + EVENT_EXCHANGE,
                    envelope.type,
                    encode(envelope),
                    CONTENT_TYPE,
                    {},
                )
                for number, envelope in enumerate(envelopes)
            ]
        )

    def publish_raw(self, messages: list[Outgoing]) -> None:
        """Publish whatever this is; it must reach a queue."""
        assert not self._publisher.publish(messages)

    @contextlib.contextmanager
    def channel(self) -> Iterator[Channel]:
        """A channel to the broker for as long as the block lasts."""
        with connect(self.settings.amqp_uri) as connection:
            yield connection.channel()

    def depth(self, queue: str) -> int:
        """How many messages wait, ready, in the queue (named without the prefix)."""
        return messages_in(self.settings.amqp_uri, self.settings.bus_prefix + queue)

    def scalar(self, statement: str, **values: Any) -> Any:
        """The one value that a statement selects."""
        with self.database.single_statement() as unit_of_work:
            return unit_of_work.connection.scalar(text(statement), values)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """The rows that a statement selects."""
        with self.database.single_statement() as unit_of_work:
            return list(unit_of_work.connection.execute(text(statement), values))

    def execute(self, statement: str, **values: Any) -> None:
        """Carry out a statement."""
        with self.database.single_statement() as unit_of_work:
            unit_of_work.connection.execute(text(statement), values)

    def effects(self, *keys: UUID | str) -> list[int]:
        """How many effects each key has had."""
        found = dict(
            self.rows("select key, count(*) from effects where key = any(:keys) group by key", keys=_texts(keys))
        )
        return [found.get(key, 0) for key in _texts(keys)]

    def wait_for_effects(self, *keys: UUID | str, patience: float = PATIENCE) -> None:
        """Wait until each key has had an effect."""
        assert wait_until(lambda: all(self.effects(*keys)), patience), f"no effect: {self.effects(*keys)}"

    def close(self) -> None:
        """End all processes and connections."""
        for specimen in self._specimens:
            specimen.close()
        self._publisher.close()
        self.database.close()


def lesson_completed(instruction: str = "", lesson_id: UUID | None = None) -> LessonCompleted:
    """An event that tells the specimen what to do."""
    lesson_id = lesson_id or uuid4()
    return LessonCompleted(
        user_id=lesson_id,
        course_id=lesson_id,
        lesson_id=lesson_id,
        completed_at=now(),
        time_zone=instruction,
        access="free",
        hasty=False,
    )


def _texts(keys: Iterable[UUID | str]) -> list[str]:
    return [str(key) for key in keys]


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "AMQP_URI": settings.amqp_uri,
        "DATABASE_URL_SPECIMEN": settings.database_url_for("specimen"),
        "BUS_PREFIX": settings.bus_prefix,
        "BUS_RETRY_DELAYS": ",".join(str(delay) for delay in settings.bus_retry_delays),
        "RPC_DEADLINE": str(settings.rpc_deadline),
        "LOG_LEVEL": settings.log_level,
    }
