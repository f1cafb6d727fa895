"""A whole academy that a test may break: started by the supervisor that `./tanka up` uses, thrown away afterwards."""

import contextlib
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping

from chassis.local import rabbitmq
from chassis.local.keys import make_signing_key
from chassis.local.places import STATE, remove_empty_parents
from chassis.local.processes import free_ports, wait_until
from chassis.local.report import Report
from chassis.local.sandbox import make_sandbox_keys
from chassis.local.supervisor import READY_PATIENCE, Supervisor
from chassis.settings import Settings
from tests.sandbox import Sandbox


class AcademyUnderTest:
    """An academy on random ports with its own PostgreSQL and RabbitMQ, watched over as in `./tanka up`.

    PostgreSQL and RabbitMQ are its own whatever the environment names, since tests restart and kill them; only where
    no RabbitMQ can be run is it the one of AMQP_URI. `environment` changes its settings, for instance
    {"BUS_RETRY_DELAYS": "0.1,0.2"}. With `durable` PostgreSQL writes through to the disk as in earnest, which tests
    need not wait for. It sells in a sandbox of its own, unless told otherwise, and never with keys of the environment.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        durable: bool = False,
        sandbox: bool = True,
        **supervisor: object,
    ):
        name = f"test-{secrets.token_hex(4)}"
        keys = make_sandbox_keys() if sandbox else {"STRIPE_API_KEY": "", "STRIPE_WEBHOOK_SECRET": ""}
        self._state = STATE / name
        self._supervisor = Supervisor(
            self._state,
            name,
            free_ports(1)[0],
            Report(),
            {"JWT_SIGNING_KEY": make_signing_key(), "LOG_LEVEL": "info", **keys, **(environment or {})},
            amqp_uri=None if rabbitmq.find_server() or rabbitmq.docker_answers() else os.environ.get("AMQP_URI"),
            throwaway=not durable,
            **supervisor,  # type: ignore[arg-type]
        )
        try:
            self._supervisor.start()
        except BaseException:
            self._remove()
            raise
        self._watch = threading.Thread(target=self._supervisor.watch, daemon=True)
        self._watch.start()

    @property
    def base_url(self) -> str:
        """The gateway's address, without a slash at the end."""
        return self._supervisor.base_url

    @property
    def sandbox_url(self) -> str:
        """The address of the sandbox that it sells in, without a slash at the end."""
        url = self._supervisor.sandbox_url
        assert url is not None, "this academy has no sandbox"
        return url

    @property
    def sandbox(self) -> Sandbox:
        """The controls of its sandbox; as a process it is called `sandbox`."""
        return Sandbox(self.sandbox_url, self.settings.stripe_api_key)

    @property
    def amqp_uri(self) -> str:
        """The URI of its RabbitMQ."""
        return self._supervisor.infrastructure.amqp_uri

    @property
    def settings(self) -> Settings:
        """The settings that its processes have."""
        return Settings.from_environment(self._supervisor.environment())

    def database_url(self, owner: str) -> str:
        """The SQLAlchemy URL of a service's database; the gateway's is called `accounts`."""
        return self.settings.database_url_for(owner)

    def pid(self, name: str) -> int:
        """The present process id of a service, of `gateway` or of `sandbox`."""
        identity = self._supervisor.members[name].identity
        assert identity is not None, f"{name} has never been started"
        return identity.pid

    def process_ids(self) -> dict[str, int]:
        """The present process ids of everything, the broker and PostgreSQL included."""
        infrastructure = self._supervisor.infrastructure
        servers = {"broker": infrastructure.broker, "postgres": infrastructure.postgres}
        found = {name: self.pid(name) for name in self._supervisor.members}
        for name, server in servers.items():
            identity = getattr(server, "identity", None)
            if identity is not None:
                found[name] = identity.pid
        return found

    def private_port(self, name: str) -> int:
        """The port of its health and metrics; it stays the same over restarts."""
        return self._supervisor.members[name].port

    def log(self, name: str) -> str:
        """All that a process has logged so far."""
        return self._supervisor.members[name].log.read_text(errors="replace")

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process; one that dies of it is started again, with backoff."""
        os.kill(self.pid(name), number)

    def restarts(self, name: str) -> int:
        """How often a process has been started again."""
        return self._supervisor.members[name].restarts

    def wait_until_ready(self, name: str, patience: float = READY_PATIENCE) -> None:
        """Wait until a process says that it is ready."""
        member = self._supervisor.members[name]
        assert wait_until(lambda: member.alive() and member.ready, patience), f"{name} is not ready:\n{self.log(name)}"

    def hold(self, name: str) -> None:
        """Stop a process in order and keep it stopped until `release`."""
        self._supervisor.hold(name)

    def release(self, name: str) -> None:
        """Start a held process and wait until it is ready."""
        self._supervisor.release(name)

    @contextlib.contextmanager
    def silenced(self, name: str) -> Iterator[None]:
        """Stop a process in its tracks (alive, but silent) for as long as the block lasts."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def restart_broker(self) -> None:
        """Restart RabbitMQ in order; returns when it lets clients in again."""
        self._supervisor.restart_broker()

    def restart_postgres(self) -> None:
        """Restart PostgreSQL, which disconnects everybody; returns when it answers again."""
        self._supervisor.restart_postgres()

    def kill_broker(self) -> None:
        """Kill RabbitMQ; the supervisor starts it again."""
        self._kill_server(self._supervisor.infrastructure.broker)

    def kill_postgres(self) -> None:
        """Kill PostgreSQL; the supervisor starts it again."""
        self._kill_server(self._supervisor.infrastructure.postgres)

    def stop(self) -> None:
        """Stop everything and delete its data."""
        self._supervisor.ask_to_stop()
        self._watch.join()
        self._supervisor.stop()
        self._remove()

    def _remove(self) -> None:
        self._supervisor.infrastructure.remove()
        shutil.rmtree(self._state, ignore_errors=True)
        remove_empty_parents(self._state)

    def __enter__(self) -> "AcademyUnderTest":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _kill_server(self, server: object) -> None:
        identity = getattr(server, "identity", None)
        assert identity is not None, "this server is not a process of ours"
        identity.send(signal.SIGKILL)
