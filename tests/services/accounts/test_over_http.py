"""The gateway as it runs: granian's processes, real connections, a real broker."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text

from chassis.local.processes import free_ports
from chassis.settings import Settings
from gateway.commands import create_admin
from tests.conftest import DatabaseFactory, SettingsFactory
from tests.services.accounts.conftest import PASSWORD, soon


@dataclass
class Running:
    """A gateway that runs with two worker processes."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[psutil.Process]:
        """Its worker processes: those that listen on a private port."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            # a killed one may be gone between being listed and being looked at
            with contextlib.suppress(psutil.NoSuchProcess):
                connections = child.net_connections("tcp")
                if any(item.status == psutil.CONN_LISTEN and item.laddr.port != self.port for item in connections):
                    found.append(child)
        return found

    def lines(self) -> list[dict[str, object]]:
        """Its log so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def private_ports(self) -> list[object]:
        """The private ports of its workers: the first free ones from the configured one on."""
        return [line["private_port"] for line in self.lines() if line["event"] == "ready"]

    def is_ready(self) -> bool:
        """Whether both workers are."""
        return len(self.private_ports()) >= 2 and len(self.workers()) == 2


@contextmanager
def _run(settings: Settings, log: Path) -> Iterator[Running]:
    port, private_port = free_ports(2)
    environment = {
        "PATH": os.environ["PATH"],
        "AMQP_URI": settings.amqp_uri,
        "BUS_PREFIX": settings.bus_prefix,
        "DATABASE_URL_ACCOUNTS": settings.database_url_for("accounts"),
        "GATEWAY_PORT": str(port),
        "GATEWAY_PRIVATE_PORT": str(private_port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "gateway"], env=environment, stdout=output, stderr=output)
    gateway = Running(process, port, log)
    try:
        soon(gateway.is_ready, 60)
        yield gateway
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def shared_settings(amqp_uri: str, postgres_url: str, module_database_url_for: DatabaseFactory) -> Settings:
    """A broker prefix and a database for the tests of this module."""
    return Settings(
        amqp_uri=amqp_uri,
        bus_prefix=f"test-{secrets.token_hex(6)}.",
        database_url=postgres_url,
        database_urls={"accounts": module_database_url_for("accounts")},
    )


@pytest.fixture(scope="module")
def running(shared_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that the tests of this module share."""
    with _run(shared_settings, tmp_path_factory.mktemp("gateway") / "log") as gateway:
        yield gateway


@pytest.fixture
def own(settings_for: SettingsFactory, tmp_path: Path) -> Iterator[Running]:
    """A gateway of this test's own, to be mistreated."""
    with _run(settings_for("accounts"), tmp_path / "log") as gateway:
        yield gateway


def _body() -> dict[str, str]:
    return {"email": f"{secrets.token_hex(6)}@tanka.example", "password": PASSWORD, "display_name": "Ber"}


@pytest.fixture
def http(running: Running) -> Iterator[httpx.Client]:
    """A client of the gateway that keeps its connection."""
    with httpx.Client(base_url=running.url, timeout=20) as client:
        yield client


def _fresh(running: Running) -> Callable[..., httpx.Response]:
    """Requests on a connection each, so that both workers get some."""

    def request(method: str, path: str, **options: object) -> httpx.Response:
        with httpx.Client(base_url=running.url, timeout=20) as client:
            return client.request(method, path, **options)  # type: ignore[arg-type]

    return request


def test_an_account_lives_in_both_workers(running: Running, http: httpx.Client) -> None:
    tokens = http.post("/v1/auth/register", json=_body()).json()
    request = _fresh(running)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    answers = [request("GET", "/v1/me", headers=headers) for _ in range(12)]

    assert [answer.status_code for answer in answers] == [200] * 12
    for port in running.private_ports():
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert 'http_request_seconds_count{method="GET",route="/v1/me",status="200"}' in metrics


def test_a_change_of_role_reaches_the_other_worker_through_the_bus(
    running: Running, http: httpx.Client, shared_settings: Settings
) -> None:
    ber = http.post("/v1/auth/register", json=_body()).json()
    create_admin(shared_settings.database_url_for("accounts"), "admin@tanka.example", PASSWORD)
    admin = http.post("/v1/auth/login", json={"email": "admin@tanka.example", "password": PASSWORD}).json()
    request = _fresh(running)
    headers = {"Authorization": f"Bearer {ber['access_token']}"}
    assert {request("GET", "/v1/admin/users", headers=headers).status_code for _ in range(12)} == {403}

    changed = http.post(
        f"/v1/admin/users/{ber['user']['id']}/role",
        json={"role": "admin"},
        headers={"Authorization": f"Bearer {admin['access_token']}"},
    )

    assert changed.status_code == 200
    soon(lambda: {request("GET", "/v1/admin/users", headers=headers).status_code for _ in range(12)} == {200}, 5)


def test_failed_log_ins_are_counted_over_both_workers(running: Running) -> None:
    request = _fresh(running)
    wrong = {"email": "guessed@tanka.example", "password": "wrong-wrong"}

    answers = [request("POST", "/v1/auth/login", json=wrong).status_code for _ in range(12)]

    assert answers == [401] * 10 + [429] * 2


def test_a_key_used_at_once_on_both_workers_makes_one_account(running: Running) -> None:
    request = _fresh(running)
    body = _body()

    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: request("POST", "/v1/auth/register", json=body, headers={"Idempotency-Key": "k"}), range(8)
            )
        )

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} <= {
        "/problems/request-in-progress"
    }


def test_a_body_in_chunks_is_read_whole(http: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        text = json.dumps(_body()).encode()
        yield from (text[index : index + 7] for index in range(0, len(text), 7))

    answer = http.post("/v1/auth/register", content=chunks(), headers={"Content-Type": "application/json"})

    assert answer.status_code == 201


def test_a_body_without_end_is_cut_off(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        block = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        sent = 0
        try:
            while sent < 64 * 1024 * 1024:
                connection.sendall(block)
                sent += len(block)
        except OSError:
            pass
        answer = connection.recv(65536)

    assert b" 413 " in answer.split(b"\r\n", 1)[0]
    assert b"/problems/too-large" in answer or b"problem+json" in answer
    assert sent < 64 * 1024 * 1024


def test_a_declared_size_that_is_absurd_is_refused_at_once(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 9999999999\r\n\r\n{"
        )
        answer = connection.recv(65536)

    assert b" 413 " in answer.split(b"\r\n", 1)[0]


def test_head_is_answered_without_a_body_and_the_connection_goes_on(http: httpx.Client) -> None:
    for _ in range(3):
        head = http.head("/health/live")
        assert (head.status_code, head.content) == (200, b"")
        assert http.get("/health/live").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/v1/%00", "/v1/courses/%ff", "/%", "/v1/%zz", "//v1//me", "/v1/" + "a" * 5000])
def test_strange_paths_are_problems_over_the_wire(running: Running, path: str) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        status = connection.recv(65536).split(b" ")[1]

    assert status in (b"404", b"400", b"414", b"503")


def test_accounts_that_answer_too_late_are_unavailable_in_time(http: httpx.Client, shared_settings: Settings) -> None:
    database = create_engine(shared_settings.database_url_for("accounts"))
    with database.begin() as connection:
        connection.execute(text("lock table users in access exclusive mode"))

        answer = http.post("/v1/auth/login", json={"email": "slow@tanka.example", "password": PASSWORD})

    database.dispose()
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.elapsed.total_seconds() < 3.5


def test_on_sigterm_what_has_begun_is_finished(own: Running) -> None:
    request = _fresh(own)

    def register(_: int) -> int:
        return request("POST", "/v1/auth/register", json=_body()).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(register, number) for number in range(8)]
        soon(lambda: _connections(own) >= 8 or any(answer.done() for answer in answers))
        own.process.send_signal(signal.SIGTERM)
        statuses = [answer.result() for answer in answers]

    assert own.process.wait(20) == 0
    assert set(statuses) <= {201, 503}
    assert statuses.count(201) >= 2
    assert not any(line.get("level") == "error" for line in own.lines())


def test_a_worker_that_is_killed_is_replaced(own: Running) -> None:
    victim = min(worker.pid for worker in own.workers())

    os.kill(victim, signal.SIGKILL)

    soon(lambda: len(own.workers()) == 2 and victim not in {worker.pid for worker in own.workers()}, 30)
    request = _fresh(own)
    assert {request("GET", "/health/live").status_code for _ in range(8)} == {200}


def _connections(running: Running) -> int:
    return sum(
        item.status == psutil.CONN_ESTABLISHED and item.laddr.port == running.port
        for worker in running.workers()
        for item in worker.net_connections("tcp")
    )
