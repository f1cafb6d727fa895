"""Starts the whole academy on one machine, keeps it running as an orchestrator would, and stops it in order."""

import contextlib
import http.client
import json
import os
import queue
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from chassis.local.infrastructure import Infrastructure, write_private
from chassis.local.places import CHECKOUT, make_directory
from chassis.local.processes import ProcessIdentity, StartError, free_ports, last_lines, spawn, wait_until
from chassis.local.report import Report
from chassis.local.sandbox import SANDBOX, base_of, is_sandbox_key, settle_sandbox_port

GATEWAY = "gateway"
NOT_FORKED = (GATEWAY, SANDBOX)
"""Processes of their own; all others are forked by the services' parent."""

READY_PATIENCE = 60.0
GATEWAY_PATIENCE = 15.0
SERVICE_PATIENCE = 25.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
WELL_AFTER = 60.0
"""Seconds of good health after which the pauses between restarts begin small again."""

ATTEMPTS_AT_FIRST = 3
GATEWAY_PORTS = 16
LOG_LIMIT = 20 * 1024 * 1024
OPEN_FILES = 65_536


class StoppedError(Exception):
    """The start was broken off because somebody asked to stop."""


def service_names() -> tuple[str, ...]:
    """Return the services, each with a database: the accounts, and the folders of services/ that have a service.py."""
    return ("accounts", *sorted(path.parent.name for path in (CHECKOUT / "services").glob("*/service.py")))


@dataclass
class Member:
    """One process of the academy as the supervisor sees it. Times are of the monotonic clock."""

    name: str
    port: int
    log: Path
    identity: ProcessIdentity | None = None
    started: float = 0.0
    ready: bool = False
    held: bool = False
    restarts: int = 0
    failures: int = 0
    restart_at: float | None = None

    def alive(self) -> bool:
        """Return whether its process runs."""
        return self.identity is not None and self.identity.alive()


class Nursery:
    """The process that forks the services (chassis.local.nursery), seen from the supervisor."""

    def __init__(self, log: Path, environment: Mapping[str, str], runner: str):
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chassis.local.nursery", runner],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=dict(environment),
                cwd=CHECKOUT,
                start_new_session=True,
            )
        self.identity = ProcessIdentity.of(self._process.pid)
        self.log = log
        self.statuses: dict[int, int] = {}
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._answer()

    def start(self, member: Member, environment: Mapping[str, str]) -> int:
        """Fork a service; return its process id."""
        command = {
            "name": member.name,
            "port": member.port,
            "log": str(member.log),
            "environment": dict(environment),
        }
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise StartError("The services' parent process has ended.") from error
        return int(self._answer()["pid"])

    def alive(self) -> bool:
        """Return whether it runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Let it end its children, which finish what they began, and itself."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(SERVICE_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            if "ended" in answer:
                self.statuses[answer["pid"]] = answer["status"]
            else:
                self._answers.put(answer)
        self._answers.put(None)

    def _answer(self) -> dict[str, Any]:
        try:
            answer = self._answers.get(timeout=READY_PATIENCE)
        except queue.Empty:
            answer = None
        if answer is None:
            raise StartError(f"What all services share does not load. The end of {self.log}:\n{last_lines(self.log)}")
        return answer


class Supervisor:
    """An academy with its state in the folder `state` and its data under the name `name`.

    `environment` is added to what every process finds in its own; `database_url` and `amqp_uri` name servers that
    others run. `runner` is the module whose
    `run_service(name, private_port)` is a service's life, `gateway` the gateway's command.
    """

    def __init__(
        self,
        state: Path,
        name: str,
        port: int,
        report: Report,
        environment: Mapping[str, str],
        *,
        database_url: str | None = None,
        amqp_uri: str | None = None,
        throwaway: bool = False,
        runner: str = "chassis.runner",
        gateway: tuple[str, ...] = (sys.executable, "-m", "gateway"),
        services: tuple[str, ...] | None = None,
        migrate: bool = True,
    ):
        self.state = make_directory(state)
        self.logs = make_directory(state / "logs")
        self.port = port
        self.complete = False
        """Whether all that `up` promises is there, the demo included."""
        self.infrastructure = Infrastructure(state, name, report.note, throwaway, database_url, amqp_uri)
        # Before anything else is there: what nobody seems to own is swept away by whoever cleans up after tests.
        self.infrastructure.save()
        self.report = report
        self._extra = dict(environment)
        self._runner = runner
        self._gateway_command = gateway
        self._migrates = migrate
        self._own_processes: dict[str, subprocess.Popen[bytes]] = {}
        self._nursery: Nursery | None = None
        self._stopping = threading.Event()
        self._turn = threading.RLock()
        self._repairs = ThreadPoolExecutor(2)
        self._repairing: dict[str, Future[None]] = {}
        names = (*(service_names() if services is None else services), GATEWAY)
        sells = is_sandbox_key(environment.get("STRIPE_API_KEY", ""))
        ports = {SANDBOX: settle_sandbox_port(state)} if sells else {}
        ports |= zip(names, _private_ports(len(names), ports.values()), strict=True)
        self.members = {name: Member(name, port, self.logs / f"{name}.log") for name, port in ports.items()}
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LOG_LIMIT:
                log.replace(log.with_suffix(".log.1"))

    @property
    def base_url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox_url(self) -> str | None:
        """The address of the sandbox that it sells in, if it does."""
        return base_of(self.members[SANDBOX].port) if SANDBOX in self.members else None

    def environment(self) -> dict[str, str]:
        """Return what every process of the academy finds in its environment."""
        ours = {
            "DATABASE_URL": self.infrastructure.database_url,
            "AMQP_URI": self.infrastructure.amqp_uri,
            "PUBLIC_URL": os.environ.get("PUBLIC_URL", self.base_url),
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONUNBUFFERED": "1",
        }
        stripe = {"STRIPE_API_BASE": self.sandbox_url} if self.sandbox_url else {}
        return {**os.environ, **ours, **stripe, **self._extra}

    def start(self) -> None:
        """Start everything and return when all is ready; when something cannot: StartError, all stopped."""
        _allow_open_files()
        self.save()
        self.report.expect(4 + len(self.members))
        try:
            self._start_ground()
            for member in self.members.values():
                if member.name != GATEWAY:
                    self._start_member(member)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def watch(self) -> None:
        """Keep everything running until `ask_to_stop` is called."""
        while not self._stopping.wait(0.2):
            with self._turn:
                if self._stopping.is_set():
                    return
                self._watch_infrastructure()
                self._watch_nursery()
                for member in self.members.values():
                    self._watch_member(member)

    def ask_to_stop(self) -> None:
        """Let `start` and `watch` end soon; may be called from a signal handler."""
        self._stopping.set()

    def leave_if_asked(self) -> None:
        """Raise StoppedError when somebody has asked to stop."""
        if self._stopping.is_set():
            raise StoppedError

    def stop(self) -> None:
        """Stop the gateway, the services (they finish what they began), the sandbox, the broker, then PostgreSQL."""
        self._stopping.set()
        self._repairs.shutdown(wait=True, cancel_futures=True)
        with self._turn:
            gateway = self.members[GATEWAY]
            if gateway.identity is not None:
                gateway.identity.end(GATEWAY_PATIENCE)
            if self._nursery is not None:
                self._nursery.stop()
            for member in self.members.values():
                if member.identity is not None:
                    member.identity.end(1)
                member.identity, member.ready = None, False
            for process in self._own_processes.values():
                process.wait()
            self._nursery = None
            self.infrastructure.stop()
            (self.state / "academy.json").unlink(missing_ok=True)

    def hold(self, name: str) -> None:
        """Stop a process in order and leave it stopped."""
        member = self.members[name]
        with self._turn:
            member.held = True
            if member.identity is not None:
                member.identity.end(GATEWAY_PATIENCE if name == GATEWAY else SERVICE_PATIENCE)
            member.ready = False

    def release(self, name: str) -> None:
        """Start a held process again and wait until it is ready; StartError when it does not get so."""
        member = self.members[name]
        with self._turn:
            member.held = False
            self._start_member(member)
        if not wait_until(lambda: member.ready or self._probe(member) is None, READY_PATIENCE):
            raise StartError(self._reason(member))

    def restart_postgres(self) -> None:
        """Stop PostgreSQL, which disconnects everybody, and start it again on its port."""
        postgres = self.infrastructure.postgres
        if postgres is None:
            raise StartError("PostgreSQL is not ours to restart: DATABASE_URL names another's.")
        with self._turn:
            postgres.stop()
            postgres.start(keep_port=True)
            self.infrastructure.save()

    def restart_broker(self) -> None:
        """Stop RabbitMQ and start it again on its ports."""
        broker = self.infrastructure.broker
        if broker is None:
            raise StartError("RabbitMQ is not ours to restart: AMQP_URI names another's.")
        with self._turn:
            broker.stop()
            broker.start(keep_port=True)
            self.infrastructure.save()

    def save(self) -> None:
        """Write down who runs, for `status` and `down`, also after we have been killed."""
        nursery = self._nursery.identity if self._nursery else None
        write_private(
            self.state / "academy.json",
            {
                "supervisor": ProcessIdentity.of(os.getpid()).kept(),
                "nursery": nursery.kept() if nursery else None,
                "base_url": self.base_url,
                "ready": all(member.ready for member in self.members.values()),
                "complete": self.complete,
                "members": {
                    member.name: {
                        "process": member.identity.kept() if member.identity else None,
                        "port": member.port,
                        "restarts": member.restarts,
                    }
                    for member in self.members.values()
                },
            },
        )

    def _start_ground(self) -> None:
        """Start PostgreSQL, RabbitMQ and the services' parent at once.

        As soon as PostgreSQL is there the databases are migrated and the gateway is started: it takes as long as
        RabbitMQ, for which it waits.
        """
        broker = self.infrastructure.broker
        if broker is not None:
            broker.stop()
            broker.settle()
        told = self.infrastructure.amqp_uri
        with ThreadPoolExecutor(3) as pool:
            steps = [pool.submit(step) for step in (self._start_postgres, self._start_broker, self._start_nursery)]
        for step in steps:
            step.result()
        gateway = self.members[GATEWAY].identity
        if self.infrastructure.amqp_uri != told and gateway is not None:
            gateway.end(GATEWAY_PATIENCE)
        self.infrastructure.save()
        self.save()
        self.leave_if_asked()

    def _start_postgres(self) -> None:
        if self.infrastructure.postgres is not None:
            self._timed("PostgreSQL", self.infrastructure.postgres.start)
        if self._migrates:
            self._timed("databases", self._migrate)
        self._start_member(self.members[GATEWAY])

    def _start_broker(self) -> None:
        if self.infrastructure.broker is not None:
            self._timed("RabbitMQ", self.infrastructure.broker.start)

    def _start_nursery(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
        self._nursery = Nursery(self.logs / "nursery.log", environment, self._runner)

    def _migrate(self) -> None:
        """Bring every database to the present shape, in a process of its own, whose memory is given back."""
        log = self.logs / "migrations.log"
        command = [sys.executable, "-m", "chassis.local.cli", "migrate"]
        if spawn(command, log, self.environment(), CHECKOUT).wait() != 0:
            raise StartError(f"The databases could not be migrated. The end of {log}:\n{last_lines(log)}")

    def _start_member(self, member: Member) -> None:
        member.started = time.monotonic()
        member.ready = False
        member.restart_at = None
        if member.name in NOT_FORKED:
            command, own = self._own_command(member)
            process = spawn(command, member.log, {**self.environment(), **own}, CHECKOUT)
            self._own_processes[member.name] = process
            pid = process.pid
        else:
            assert self._nursery is not None
            pid = self._nursery.start(member, self.environment())
        try:
            member.identity = ProcessIdentity.of(pid)
        except psutil.NoSuchProcess:
            member.identity = ProcessIdentity(pid, 0)
        self.save()

    def _own_command(self, member: Member) -> tuple[list[str], dict[str, str]]:
        """Return the command of a process that is not forked, and what only its environment has."""
        if member.name == GATEWAY:
            ports = {"GATEWAY_PORT": str(self.port), "GATEWAY_PRIVATE_PORT": str(member.port)}
            return list(self._gateway_command), ports
        command = [sys.executable, "-m", "demo.sandbox", "--port", str(member.port), "--state"]
        return [*command, str(self.state / SANDBOX)], {"SANDBOX_WEBHOOK_URL": f"{self.base_url}/v1/webhooks/stripe"}

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_PATIENCE
        while waiting := [member for member in self.members.values() if not member.ready]:
            self.leave_if_asked()
            for member in waiting:
                self._watch_member(member)
                if member.failures >= ATTEMPTS_AT_FIRST or time.monotonic() > deadline:
                    raise StartError(self._reason(member))
            time.sleep(0.05)

    def _watch_member(self, member: Member) -> None:
        now = time.monotonic()
        if member.held:
            return
        if member.alive():
            if not member.ready and self._probe(member) is None:
                member.ready = True
                self.report.ready(member.name, time.monotonic() - member.started)
                self.save()
            if member.ready and now - member.started > WELL_AFTER:
                member.failures = 0
        elif member.restart_at is None:
            pause = min(FIRST_PAUSE * 2**member.failures, LONGEST_PAUSE)
            member.ready = False
            member.failures += 1
            member.restart_at = now + pause
            self.report.trouble(f"{member.name} {self._end_of(member)}; starting it again in {pause:g} s")
        elif now >= member.restart_at:
            member.restarts += 1
            try:
                self._start_member(member)
            except StartError as error:
                self.report.trouble(str(error))

    def _watch_nursery(self) -> None:
        if self._nursery is None or self._nursery.alive():
            return
        self.report.trouble("the services' parent process ended; starting it and the services again")
        for member in self.members.values():
            if member.name not in NOT_FORKED and member.identity is not None:
                member.identity.end(SERVICE_PATIENCE)
        self._nursery = None
        try:
            self._start_nursery()
        except StartError as error:
            self.report.trouble(str(error))

    def _watch_infrastructure(self) -> None:
        for name, server in (("PostgreSQL", self.infrastructure.postgres), ("RabbitMQ", self.infrastructure.broker)):
            repair = self._repairing.get(name)
            if server is None or not server.ended() or (repair is not None and not repair.done()):
                continue
            self.report.trouble(f"{name} ended; starting it again")
            self._repairing[name] = self._repairs.submit(self._repair, name, server)

    def _repair(self, name: str, server: Any) -> None:
        begun = time.monotonic()
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                server.stop()
                server.start(keep_port=True)
                self.infrastructure.save()
                self.report.ready(name, time.monotonic() - begun)
                return
            except StartError as error:
                self.report.trouble(f"{error}\n  trying again in {pause:g} s")
                self._stopping.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _probe(self, member: Member) -> str | None:
        """Return None when the process says that it is ready, else what it says instead."""
        return ask_ready(member.port)

    def _reason(self, member: Member) -> str:
        said = self._probe(member) if member.alive() else f"it {self._end_of(member)}"
        return f"{member.name} does not get ready: {said}. The end of {member.log}:\n{last_lines(member.log)}"

    def _end_of(self, member: Member) -> str:
        """Return how the member's process ended, as the rest of a sentence."""
        status: int | None = None
        if member.name in self._own_processes:
            status = self._own_processes[member.name].poll()
        elif self._nursery is not None and member.identity is not None:
            status = self._nursery.statuses.get(member.identity.pid)
        if status is None:
            return "ended"
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    def _timed(self, name: str, work: Callable[[], None]) -> None:
        begun = time.monotonic()
        work()
        self.report.ready(name, time.monotonic() - begun)


def ask_ready(port: int, patience: float = 0.5) -> str | None:
    """Return None when the process with this private port says that it is ready, else what it says instead."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        said = answer.read(300).decode(errors="replace").strip()
        return None if answer.status == 200 else said or f"status {answer.status}"
    except (OSError, http.client.HTTPException):
        return "it does not answer"
    finally:
        connection.close()


def _private_ports(count: int, taken: Iterable[int]) -> list[int]:
    """Return free ports, the last with room behind it: each of the gateway's workers takes the next one."""
    while True:
        ports = free_ports(count + GATEWAY_PORTS)
        if not {*ports} & {*taken}:
            return ports[:count]


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
