"""PostgreSQL and RabbitMQ together: started at the same time, with passwords, ports and ids kept in a private file."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chassis.local import rabbitmq
from chassis.local.places import CHECKOUT, private_directory, remove_empty_parents
from chassis.local.postgres import PostgresServer
from chassis.local.processes import ProcessIdentity
from chassis.local.rabbitmq import Broker, RabbitContainer, RabbitNode


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, waiting for whoever holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def taken(path: Path, shared: bool = False) -> Iterator[bool]:
    """Yield whether nobody else holds the lock file `path`, and hold it meanwhile; `shared` goes with others shared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def read_private(path: Path) -> dict[str, Any]:
    """Return what a file of `write_private` holds; empty when there is none or it was cut short."""
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def write_private(path: Path, values: dict[str, Any]) -> None:
    """Keep `values` in a file that only we can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(values, indent=1))
    unfinished.replace(path)


class Infrastructure:
    """A PostgreSQL server and a RabbitMQ node: data under the name `name`, logs and state in `state`.

    `database_url` and `amqp_uri` name servers that others run: nothing is then started in their place.
    """

    def __init__(
        self,
        state: Path,
        name: str,
        say: Callable[[str], None],
        throwaway: bool = False,
        database_url: str | None = None,
        amqp_uri: str | None = None,
    ):
        self.state = state
        self.name = name
        self.postgres: PostgresServer | None = None
        self.broker: Broker | None = None
        self._file = state / "infrastructure.json"
        self._database_url = database_url
        self._amqp_uri = amqp_uri
        self._broker_directory = state / "rabbitmq"
        kept = read_private(self._file)
        if database_url is None:
            self.postgres = _postgres(private_directory(name), state, kept.get("postgres", {}), throwaway)
        if amqp_uri is None:
            self.broker = _broker(self._broker_directory, state, name, kept.get("rabbitmq", {}), say)

    @property
    def database_url(self) -> str:
        """The PostgreSQL server's URL."""
        return self._database_url or (self.postgres.url if self.postgres else "")

    @property
    def amqp_uri(self) -> str:
        """The broker's URI."""
        return self._amqp_uri or (self.broker.uri if self.broker else "")

    def start(self) -> None:
        """Start both at once and remember them; when one cannot, StartError and nothing left running."""
        servers = [server for server in (self.postgres, self.broker) if server is not None]
        if not servers:
            return
        self.save()
        with ThreadPoolExecutor(len(servers)) as pool:
            attempts = [pool.submit(server.start) for server in servers]
        try:
            for attempt in attempts:
                attempt.result()
        except BaseException:
            self.stop()
            raise
        self.save()

    def owned(self) -> bool:
        """Return whether the process that started it is still there to stop it."""
        owner = ProcessIdentity.from_kept(read_private(self._file).get("owner"))
        return owner is not None and owner.alive()

    def alive(self) -> bool:
        """Return whether all that we run is alive, answering or not."""
        return all(not server.ended() for server in (self.postgres, self.broker) if server)

    def answers(self) -> bool:
        """Return whether all that we run is alive and answers."""
        return self.alive() and all(server.answers() for server in (self.postgres, self.broker) if server)

    def stop(self) -> None:
        """Stop the broker, then PostgreSQL; the data stays."""
        for server in (self.broker, self.postgres):
            if server is not None:
                server.stop()
        if self.state.exists():
            self.save()

    def remove(self) -> None:
        """Stop both and delete their data, logs and state."""
        for server in (self.broker, self.postgres):
            if server is not None:
                server.remove()
        shutil.rmtree(self.state, ignore_errors=True)
        remove_empty_parents(self._file)

    def save(self) -> None:
        """Keep passwords, ports and ids for the next command."""
        # Read again: with servers of others this time, what is known of our own must not be forgotten.
        kept = read_private(self._file) | {"owner": ProcessIdentity.of(os.getpid()).kept()}
        if self.postgres is not None:
            kept["postgres"] = {
                "password": self.postgres.password,
                "port": self.postgres.port,
                "process": _kept(self.postgres.identity),
            }
        if isinstance(self.broker, RabbitNode):
            kept["rabbitmq"] = {
                "password": self.broker.password,
                "ports": self.broker.ports,
                "process": _kept(self.broker.identity),
                "mapper": _kept(self.broker.mapper_identity),
            }
        elif isinstance(self.broker, RabbitContainer):
            kept["rabbitmq"] = {"password": self.broker.password, "ports": [self.broker.port], "container": True}
        write_private(self._file, kept)


def _postgres(directory: Path, state: Path, kept: dict[str, Any], throwaway: bool) -> PostgresServer:
    password = kept.get("password") or secrets.token_urlsafe(24)
    server = PostgresServer(
        directory / "postgres", state / "logs" / "postgres.log", password, kept.get("port"), throwaway
    )
    server.identity = ProcessIdentity.from_kept(kept.get("process"))
    return server


def _broker(directory: Path, state: Path, name: str, kept: dict[str, Any], say: Callable[[str], None]) -> Broker:
    log = state / "logs" / "rabbitmq.log"
    password = kept.get("password") or rabbitmq.known_password(directory) or secrets.token_urlsafe(24)
    container = f"tanka-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]}-{name.replace('/', '-')}"
    ports = kept.get("ports")
    if kept.get("container") and ports:
        return RabbitContainer(container, log, password, ports[0])
    broker = rabbitmq.make_broker(directory, log, password, container, say, tuple(ports) if ports else None)
    if isinstance(broker, RabbitNode):
        broker.identity = ProcessIdentity.from_kept(kept.get("process"))
        broker.mapper_identity = ProcessIdentity.from_kept(kept.get("mapper"))
    return broker


def _kept(identity: ProcessIdentity | None) -> list[float] | None:
    return identity.kept() if identity is not None else None
