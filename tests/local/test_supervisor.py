"""The supervisor with stand-ins for the services: what starts, what is restarted, what stops, and what is said."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import stripe

from chassis.local import rabbitmq
from chassis.local.places import CHECKOUT
from chassis.local.processes import ProcessIdentity, StartError, free_ports, wait_until
from chassis.local.report import Report
from chassis.local.sandbox import make_sandbox_keys, sandbox_address, settle_sandbox_port
from chassis.local.supervisor import Supervisor, ask_ready
from tests.academy import AcademyUnderTest

STAND_INS: dict[str, Any] = {
    "runner": "tests.local.stand_in_runner",
    "gateway": (sys.executable, "-m", "tests.local.stand_in_gateway"),
    "migrate": False,
}


def _academy(*services: str, sandbox: bool = False, **environment: str) -> AcademyUnderTest:
    return AcademyUnderTest(environment, services=services, sandbox=sandbox, **STAND_INS)


@pytest.fixture(scope="module")
def academy() -> Iterator[AcademyUnderTest]:
    with _academy("calm", "lively", sandbox=True) as academy:
        yield academy


def test_every_process_is_ready_and_a_process_of_its_own(academy: AcademyUnderTest) -> None:
    names = ("calm", "lively", "gateway", "sandbox")

    assert [ask_ready(academy.private_port(name)) for name in names] == [None] * 4
    assert len({academy.pid(name) for name in names}) == 4


def test_its_servers_listen_on_loopback_only(academy: AcademyUnderTest) -> None:
    infrastructure = academy._supervisor.infrastructure
    servers = [getattr(server, "identity", None) for server in (infrastructure.postgres, infrastructure.broker)]

    listening = [
        connection.laddr.ip
        for pid in [academy.pid("sandbox"), *(identity.pid for identity in servers if identity is not None)]
        for connection in psutil.Process(pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]

    assert len(listening) >= 4
    assert set(listening) == {"127.0.0.1"}


def test_a_killed_process_is_started_again(academy: AcademyUnderTest) -> None:
    before, others = academy.pid("calm"), academy.pid("lively")

    academy.kill("calm", signal.SIGKILL)
    wait_until(lambda: academy.pid("calm") != before, 10)
    academy.wait_until_ready("calm")

    assert academy.pid("calm") != before
    assert academy.pid("lively") == others
    assert academy.restarts("calm") == 1


def test_a_killed_gateway_is_started_again(academy: AcademyUnderTest) -> None:
    before = academy.pid("gateway")

    academy.kill("gateway", signal.SIGKILL)
    wait_until(lambda: academy.pid("gateway") != before, 10)
    academy.wait_until_ready("gateway")

    assert academy.pid("gateway") != before


def test_a_killed_sandbox_is_started_again_where_it_was_with_what_it_had(academy: AcademyUnderTest) -> None:
    before, url = academy.pid("sandbox"), academy.sandbox_url
    client = stripe.StripeClient(
        academy.settings.stripe_api_key, base_addresses={"api": academy.settings.stripe_api_base}
    )
    price = {"currency": "eur", "unit_amount": 4900, "product_data": {"name": "Cours"}}
    wanted = {"mode": "payment", "success_url": url, "line_items": [{"quantity": 1, "price_data": price}]}
    page = client.v1.checkout.sessions.create(wanted)

    academy.kill("sandbox", signal.SIGKILL)
    wait_until(lambda: academy.pid("sandbox") != before, 10)
    academy.wait_until_ready("sandbox")

    assert academy.sandbox_url == url == academy.settings.stripe_api_base
    assert client.v1.checkout.sessions.retrieve(page.id).url == page.url


def test_the_sandbox_stays_away_until_released(academy: AcademyUnderTest) -> None:
    academy.hold("sandbox")

    assert ask_ready(academy.private_port("sandbox")) == "it does not answer"
    academy.release("sandbox")
    assert ask_ready(academy.private_port("sandbox")) is None
    assert academy.sandbox.events() == []


def test_an_academy_that_sells_elsewhere_has_no_sandbox(tmp_path: Path) -> None:
    with_key, without = {"STRIPE_API_KEY": "sk_test_of_an_operator"}, make_sandbox_keys()

    elsewhere = Supervisor(tmp_path, "test-elsewhere", 8000, Report(), with_key, services=("calm",))
    here = Supervisor(tmp_path, "test-here", 8000, Report(), without, services=("calm",))

    assert list(elsewhere.members) == ["calm", "gateway"]
    assert list(here.members) == ["sandbox", "calm", "gateway"]
    assert here.environment()["STRIPE_API_BASE"] == here.sandbox_url


def test_the_sandbox_keeps_its_port_unless_somebody_has_taken_it(tmp_path: Path) -> None:
    port = settle_sandbox_port(tmp_path)

    again = settle_sandbox_port(tmp_path)
    with socket.create_server(("127.0.0.1", port)):
        other = settle_sandbox_port(tmp_path)

    assert again == port
    assert other != port
    assert sandbox_address(tmp_path) == {"STRIPE_API_BASE": f"http://127.0.0.1:{other}"}


def test_a_silent_process_is_left_alone(academy: AcademyUnderTest) -> None:
    before = academy.pid("lively")

    with academy.silenced("lively"):
        assert ask_ready(academy.private_port("lively")) == "it does not answer"
        assert psutil.Process(before).status() == psutil.STATUS_STOPPED

    assert wait_until(lambda: ask_ready(academy.private_port("lively")) is None, 5)
    assert academy.pid("lively") == before


def test_a_held_process_drains_and_stays_away_until_released(academy: AcademyUnderTest) -> None:
    before = ProcessIdentity.of(academy.pid("calm"))

    academy.hold("calm")

    assert not before.alive()
    assert academy.log("calm").rstrip().endswith("calm drained")
    academy.release("calm")
    assert ask_ready(academy.private_port("calm")) is None


def test_killed_servers_come_back_where_they_were_with_their_data(academy: AcademyUnderTest) -> None:
    database_url, amqp_uri = academy.settings.database_url, academy.amqp_uri
    with psycopg.connect(f"{database_url}/postgres", autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")

    academy.kill_postgres()
    academy.kill_broker()

    assert wait_until(lambda: not rabbitmq.answers(amqp_uri), 10)
    assert wait_until(lambda: rabbitmq.answers(amqp_uri), 60)
    with psycopg.connect(f"{database_url}/postgres") as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_stopping_leaves_no_process_and_no_file() -> None:
    academy = _academy("calm")
    family = [ProcessIdentity.of(child.pid) for child in psutil.Process().children(recursive=True)]
    mine = [identity for identity in family if identity.pid in _descendants_of_session(academy)]
    state = academy._state

    academy.stop()

    assert mine
    assert not [identity for identity in mine if identity.alive()]
    assert not state.exists()


def test_a_service_that_cannot_start_is_named_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()

    with pytest.raises(StartError) as caught:
        _academy("calm", "broken", BROKEN=str(tmp_path / "broken"))

    assert "broken does not get ready: it ended with status 1" in str(caught.value)
    assert "the setting FOO is missing" in str(caught.value)


def test_the_services_share_the_memory_of_their_parent(academy: AcademyUnderTest) -> None:
    own = [psutil.Process(academy.pid(name)).memory_full_info() for name in ("calm", "lively")]

    assert all(info.uss < info.rss / 2 for info in own)


def test_services_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    nursery = subprocess.Popen(
        [sys.executable, "-m", "chassis.local.nursery", STAND_INS["runner"]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    command = {"name": "calm", "port": port, "log": str(tmp_path / "calm.log"), "environment": {}}
    nursery.stdin.write(json.dumps(command).encode() + b"\n")
    nursery.stdin.flush()
    answers = [json.loads(nursery.stdout.readline()) for _ in range(2)]
    service = ProcessIdentity.of(answers[1]["pid"])
    assert wait_until(lambda: ask_ready(port) is None, 5)

    nursery.stdout.close()
    nursery.stdin.close()

    assert nursery.wait(5) == 0
    assert not service.alive()


def _descendants_of_session(academy: AcademyUnderTest) -> set[int]:
    supervisor = academy._supervisor
    servers = (supervisor.infrastructure.postgres, supervisor.infrastructure.broker)
    identities = [server.identity for server in servers if server is not None]  # type: ignore[union-attr]
    roots = [identity.pid for identity in identities if identity] + [academy.pid("gateway"), academy.pid("calm")]
    return set(roots) | {child.pid for pid in roots for child in psutil.Process(pid).children(recursive=True)}
