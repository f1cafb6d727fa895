"""A private RabbitMQ node: from an installed RabbitMQ, else from a container, else installed by the package manager.

It shares nothing with a node that the system may run: name, ports, cookie, data and epmd (Erlang's port mapper, which
would outlive the node and is therefore started and ended by us) are its own, and it listens on loopback only.
"""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import amqp

from chassis.local.packages import apt_install, apt_prefix, quietly
from chassis.local.places import make_directory, remove_empty_parents
from chassis.local.processes import ProcessIdentity, StartError, last_lines, settle_port, spawn, wait_until

IMAGE = "rabbitmq:4.1"
USER = "tanka"
START_PATIENCE = 90.0
STOP_PATIENCE = 25.0

INSTALLED = (
    "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
    "/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
    "/home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin/rabbitmq-server",
    "/opt/rabbitmq/sbin/rabbitmq-server",
)
"""Where packages put the server. Debian's /usr/sbin/rabbitmq-server is not here: it refuses ordinary users."""

NO_RABBITMQ = (
    "RabbitMQ is missing and could not be installed: install it (Debian and Ubuntu: sudo apt-get install "
    "rabbitmq-server; macOS: brew install rabbitmq), or start Docker, or set AMQP_URI to a RabbitMQ of yours."
)


class Broker(Protocol):
    """A RabbitMQ that we started; its data survives `stop` and the next `start`."""

    @property
    def uri(self) -> str: ...
    def settle(self, keep_port: bool = False) -> None: ...
    def start(self, keep_port: bool = False) -> None: ...
    def stop(self) -> None: ...
    def ended(self) -> bool: ...
    def answers(self) -> bool: ...
    def remove(self) -> None: ...


def answers(uri: str, patience: float = 3.0) -> bool:
    """Return whether a RabbitMQ at `uri` lets us in within `patience` seconds."""
    from kombu.utils.url import parse_url

    parts = parse_url(uri)
    connection = amqp.Connection(
        host=f"{parts['hostname']}:{parts['port'] or 5672}",
        userid=parts["userid"] or "guest",
        password=parts["password"] or "guest",
        virtual_host=parts["virtual_host"] or "/",
        ssl=uri.startswith("amqps:"),
        connect_timeout=patience,
        read_timeout=patience,
        write_timeout=patience,
    )
    try:
        connection.connect()
    except (OSError, amqp.AMQPError):
        return False
    with contextlib.suppress(OSError, amqp.AMQPError):
        connection.close()
    return True


class RabbitNode:
    """A node of an installed RabbitMQ with its data below `directory`."""

    def __init__(
        self,
        directory: Path,
        log: Path,
        password: str,
        say: Callable[[str], None],
        ports: tuple[int, int, int] | None = None,
    ):
        self.directory = directory
        self.log = log
        self.password = password
        self._say = say
        self.ports = ports
        """AMQP, Erlang distribution and epmd."""
        self.identity: ProcessIdentity | None = None
        self.mapper_identity: ProcessIdentity | None = None
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def uri(self) -> str:
        """The node's AMQP URI."""
        port = self.ports[0] if self.ports else 0
        return f"amqp://{USER}:{self.password}@127.0.0.1:{port}//"

    def settle(self, keep_port: bool = False) -> None:
        """Choose the ports, so that the URI is known before the node is up."""
        listener, distribution, mapper = self.ports or (None, None, None)
        self.ports = (
            settle_port(listener, keep_port),
            settle_port(distribution, keep_port),
            settle_port(mapper, keep_port),
        )

    def start(self, keep_port: bool = False) -> None:
        """Start epmd and the node and wait until it lets us in; StartError with the log's end if it does not.

        With `keep_port` only the ports it had will do, since others already know them.
        """
        self.stop()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        server = find_server() or install(self._say)
        for name in ("home", "data", "generated"):
            make_directory(self.directory / name)
        for _ in range(2):
            self.settle(keep_port)
            if self._run(server):
                return
            self.stop()
        raise StartError(f"RabbitMQ did not start. The end of {self.log}:\n{last_lines(self.log)}")

    def answers(self) -> bool:
        """Return whether the node lets us in."""
        return answers(self.uri)

    def ended(self) -> bool:
        """Return whether the node has ended, and collect it when it was our child."""
        for process in self._processes:
            process.poll()
        return self.identity is None or not self.identity.alive()

    def stop(self) -> None:
        """Stop the node in order (it writes everything down), then its epmd."""
        for identity in (self.identity, self.mapper_identity):
            if identity is not None:
                identity.end(STOP_PATIENCE)
        for process in self._processes:
            process.wait()
        self._processes = []
        self.identity = self.mapper_identity = None

    def remove(self) -> None:
        """Stop, and delete all data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        remove_empty_parents(self.directory)

    def _run(self, server: Path) -> bool:
        assert self.ports is not None
        environment = self._environment()
        mapper = spawn(
            [_epmd(), "-address", "127.0.0.1", "-port", str(self.ports[2])], self.log, environment, self.directory
        )
        self.mapper_identity = ProcessIdentity.of(mapper.pid)
        node = spawn([str(server)], self.log, environment, self.directory)
        self.identity = ProcessIdentity.of(node.pid)
        self._processes = [mapper, node]
        wait_until(lambda: self.ended() or self.answers(), START_PATIENCE, pause=0.1)
        return not self.ended() and self.answers()

    def _environment(self) -> dict[str, str]:
        """Write the node's configuration; return its whole environment, nothing of the system's node in it."""
        assert self.ports is not None
        listener, distribution, mapper = self.ports
        here = self.directory
        (here / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{listener}\n"
            f"default_user = {USER}\n"
            f"default_pass = {self.password}\n"
            "log.console = true\n"
            "log.console.level = info\n"
            "log.file = false\n"
            # The default write-ahead log of 512 MB stays in memory until it is full.
            "raft.wal_max_size_bytes = 33554432\n"
        )
        (here / "rabbitmq.conf").chmod(0o600)
        (here / "advanced.config").write_text("[].\n")
        (here / "enabled_plugins").write_text("[].\n")
        return {
            "PATH": os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(here / "home"),
            # The start script then becomes the node instead of waiting for it: one process, one id, one signal.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": "tanka@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(listener),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(here / "data"),
            "RABBITMQ_LOG_BASE": str(here / "generated"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(here / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(here / "node.pid"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(here / "feature_flags"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(here / "generated"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_CRASH_DUMP": str(here / "generated" / "erl_crash.dump"),
            "ERL_EPMD_PORT": str(mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }


class RabbitContainer:
    """A node in a container, its data in a volume of the same name."""

    def __init__(self, name: str, log: Path, password: str, port: int | None = None):
        self.name = name
        self.log = log
        self.password = password
        self.port = port

    @property
    def uri(self) -> str:
        """The node's AMQP URI."""
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self.port}//"

    def settle(self, keep_port: bool = False) -> None:
        """Choose the port, so that the URI is known before the node is up."""
        self.port = settle_port(self.port, keep_port)

    def start(self, keep_port: bool = False) -> None:
        """Run the container and wait until it lets us in; StartError with the engine's words if it does not."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.stop()
        self.settle(keep_port)
        started = _docker(
            "run", "--detach", "--rm", "--name", self.name, "--hostname", "tanka",
            "--publish", f"127.0.0.1:{self.port}:5672", "--volume", f"{self.name}:/var/lib/rabbitmq",
            "--env", f"RABBITMQ_DEFAULT_USER={USER}", "--env", f"RABBITMQ_DEFAULT_PASS={self.password}", IMAGE,
        )  # fmt: skip
        if started.returncode != 0:
            raise StartError(f"RabbitMQ's container did not start: {started.stderr.strip().splitlines()[-1]}")
        wait_until(lambda: self.ended() or self.answers(), START_PATIENCE, pause=0.5)
        if not self.answers():
            self.log.write_text(_docker("logs", self.name).stdout)
            self.stop()
            raise StartError(
                f"RabbitMQ's container took no connections. The end of {self.log}:\n{last_lines(self.log)}"
            )

    def answers(self) -> bool:
        """Return whether the node lets us in."""
        return answers(self.uri)

    def ended(self) -> bool:
        """Return whether the container is gone."""
        return _docker("inspect", "--format", "{{.State.Running}}", self.name).stdout.strip() != "true"

    def stop(self) -> None:
        """Stop the container; its volume stays."""
        _docker("stop", "--time", str(int(STOP_PATIENCE)), self.name)
        _docker("rm", "--force", self.name)

    def remove(self) -> None:
        """Stop, and delete the volume."""
        self.stop()
        _docker("volume", "rm", "--force", self.name)


def known_password(directory: Path) -> str | None:
    """Return the password of the node whose data lies below `directory`: RabbitMQ takes one only at its first start."""
    try:
        configuration = (directory / "rabbitmq.conf").read_text()
    except OSError:
        return None
    found = re.search(r"^default_pass = (\S+)$", configuration, re.MULTILINE)
    return found.group(1) if found else None


def find_server() -> Path | None:
    """Return an installed RabbitMQ's start script that an ordinary user may run, or None."""
    candidates = [Path(path) for path in INSTALLED]
    found = shutil.which("rabbitmq-server")
    if found and Path(found).parent != Path("/usr/sbin"):
        candidates.append(Path(found))
    return next((path for path in candidates if path.exists()), None)


def docker_answers() -> bool:
    """Return whether a container engine answers on this machine."""
    return shutil.which("docker") is not None and _docker("info", "--format", "{{.ServerVersion}}").returncode == 0


def install(say: Callable[[str], None]) -> Path:
    """Install RabbitMQ with the system's package manager when it may; StartError with what to do when it may not."""
    prefix = apt_prefix()
    if prefix is not None:
        say("Installing RabbitMQ with apt-get (once)")
        with _no_service_start(prefix):
            apt_install(prefix, "rabbitmq-server")
    elif shutil.which("brew"):
        say("Installing RabbitMQ with brew (once)")
        quietly(["brew", "install", "rabbitmq"])
    server = find_server()
    if server is None:
        raise StartError(NO_RABBITMQ)
    return server


def make_broker(
    directory: Path,
    log: Path,
    password: str,
    container_name: str,
    say: Callable[[str], None],
    ports: tuple[int, int, int] | None = None,
) -> Broker:
    """Return the broker for this machine, not yet started; a node whose programs are missing installs them at start."""
    if find_server() is None and docker_answers():
        return RabbitContainer(container_name, log, password, ports[0] if ports else None)
    return RabbitNode(directory, log, password, say, ports)


@contextlib.contextmanager
def _no_service_start(prefix: list[str]):  # type: ignore[no-untyped-def]
    """Keep Debian from starting the system's own broker while the package is installed, as its policy allows."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        script = "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d"
        quietly([*prefix, "sh", "-c", script])
    try:
        yield
    finally:
        if ours:
            quietly([*prefix, "rm", "-f", str(policy)])


def _epmd() -> str:
    found = shutil.which("epmd") or next(
        (str(path) for root in ("/usr/lib/erlang", "/opt/homebrew/opt/erlang/lib/erlang", "/usr/local/lib/erlang")
         for path in sorted(Path(root).glob("erts-*/bin/epmd"))), None,
    )  # fmt: skip
    if found is None:
        raise StartError("RabbitMQ is installed but Erlang's epmd is not to be found: put its folder into PATH.")
    return found


def _docker(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
