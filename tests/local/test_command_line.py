"""./tanka's commands as a person uses them, in a checkout of its own beside this one."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from chassis.local.places import CHECKOUT
from chassis.local.processes import ProcessIdentity, free_ports, wait_until

NOT_TOLD = (
    "DATABASE_URL",
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "STRIPE_API_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_BASE",
)
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".tanka", "__pycache__", ".*_cache", ".hypothesis")


@dataclass
class Checkout:
    """A copy of this checkout, used from the command line."""

    path: Path

    def tanka(self, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, with `more` in its environment."""
        environment = {name: value for name, value in os.environ.items() if name not in NOT_TOLD} | more
        return subprocess.run(
            [sys.executable, "-m", "chassis.local.cli", *arguments],
            cwd=self.path,
            env={**environment, "COLUMNS": "60"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def kept(self) -> dict[str, dict[str, dict[str, list[float]]]]:
        """What the running academy has written down of itself."""
        kept: dict[str, dict[str, dict[str, list[float]]]] = json.loads((self.path / ".tanka/academy.json").read_text())
        return kept

    def processes(self) -> list[ProcessIdentity]:
        """Every process that the academy says is its own, and all below them."""
        infrastructure = json.loads((self.path / ".tanka/infrastructure.json").read_text())
        kept = [
            *(member["process"] for member in self.kept()["members"].values()),
            self.kept()["supervisor"],
            self.kept()["nursery"],
            infrastructure["postgres"]["process"],
            infrastructure["rabbitmq"]["process"],
            infrastructure["rabbitmq"]["mapper"],
        ]
        parents = [psutil.Process(int(process[0])) for process in kept]
        family = parents + [child for parent in parents for child in parent.children(recursive=True)]
        return [ProcessIdentity(process.pid, process.create_time()) for process in family]

    def data_directory(self) -> Path:
        """Where it keeps PostgreSQL's data."""
        source = "from chassis.local.places import private_directory; print(private_directory('academy'))"
        command = [sys.executable, "-c", source]
        return Path(subprocess.run(command, cwd=self.path, capture_output=True, text=True, check=True).stdout.strip())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    path = tmp_path_factory.mktemp("checkout") / "academy"
    shutil.copytree(CHECKOUT, path, ignore=NOT_COPIED)
    checkout = Checkout(path)
    data = checkout.data_directory()
    yield checkout
    checkout.tanka("down")
    shutil.rmtree(data)
    shutil.rmtree(path)
    if data.parent.exists():
        data.parent.rmdir()


def test_a_port_that_is_taken_is_named_with_another_one(checkout: Checkout) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = checkout.tanka("up", "--port", str(port))

    assert done.returncode == 1
    assert f"Port {port} is taken by another program. Try another: ./tanka up --port " in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_academy_the_commands_say_how_to_start_one(checkout: Checkout) -> None:
    for command in (["status"], ["migrate"], ["dead-letters", "list"], ["admin", "create", "a@tanka.example"]):
        done = checkout.tanka(*command)

        assert done.returncode == 1
        assert "The academy is not running: ./tanka up starts it." in done.stdout + done.stderr


def test_the_settings_show_no_secret(checkout: Checkout) -> None:
    printed = checkout.tanka("settings").stdout
    keys = json.loads((checkout.path / ".tanka/keys.json").read_text())

    assert _table(printed)["JWT_SIGNING_KEY"] == "set"
    assert keys["JWT_SIGNING_KEY"].splitlines()[1] not in printed
    assert keys["STRIPE_API_KEY"].startswith("sk_test_sandbox_")
    assert keys["STRIPE_API_KEY"] not in printed
    assert keys["STRIPE_WEBHOOK_SECRET"] not in printed


def test_the_operators_key_is_used_and_the_sandboxs_is_not(checkout: Checkout) -> None:
    settings = _table(checkout.tanka("settings", STRIPE_API_KEY="rk_test_operator").stdout)

    assert (settings["STRIPE_API_KEY"], settings["STRIPE_WEBHOOK_SECRET"]) == ("set", "not set")
    assert settings["STRIPE_API_BASE"] == "https://api.stripe.com"


def test_production_without_stripe_does_not_start_and_says_so(checkout: Checkout) -> None:
    production = {"ENVIRONMENT": "production", "STRIPE_API_KEY": "sk_live_invented"}

    for given, missing in (({"ENVIRONMENT": "production"}, "STRIPE_API_KEY"), (production, "STRIPE_WEBHOOK_SECRET")):
        done = checkout.tanka("up", "--no-demo", **given)

        assert done.returncode == 1
        assert f"{missing} must be set in production" in done.stderr
        assert "Traceback" not in done.stderr


def test_it_goes_up_serves_says_so_and_goes_down_without_a_trace(checkout: Checkout) -> None:
    port = free_ports(1)[0]

    up = checkout.tanka("up", "--detach", "--no-demo", "--port", str(port))
    again = checkout.tanka("up", "--port", str(port))
    status = checkout.tanka("status")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/courses", timeout=10) as answer:
        courses = json.load(answer)
    processes = checkout.processes()
    down = checkout.tanka("down")

    assert up.returncode == 0, up.stdout + up.stderr
    assert f"TankaAcademy is ready: http://127.0.0.1:{port}" in up.stdout
    assert again.stdout == f"The academy is up already: http://127.0.0.1:{port}\n"
    assert "a sandbox: no real money" in up.stdout
    for name in ("PostgreSQL", "RabbitMQ", "catalog", "gateway", "sandbox"):
        assert name in status.stdout
    assert max(len(line) for line in (up.stdout + status.stdout).splitlines()) <= 60
    assert courses["items"] == []
    assert len(processes) > 8
    assert down.stdout == "Stopped\n"
    assert [process for process in processes if process.alive()] == []


@pytest.mark.timeout(300)
def test_the_welcome_leads_to_a_challenge_of_the_demo_also_the_next_time(checkout: Checkout) -> None:
    port = free_ports(1)[0]
    page = re.compile(rf"^  (http://127\.0\.0\.1:{port}/challenges/[\w-]+)$", re.MULTILINE)

    first = checkout.tanka("up", "--detach", "--port", str(port))
    (address,) = page.findall(first.stdout)
    with urllib.request.urlopen(address, timeout=10) as answer:
        shown = answer.read().decode()
    loaded_again = checkout.tanka("demo")
    checkout.tanka("down")
    second = checkout.tanka("up", "--detach", "--port", str(port))
    checkout.tanka("down")

    assert "Inès Benali te défie" in shown
    assert max(len(line) for line in first.stdout.splitlines()) <= 60
    assert page.findall(loaded_again.stdout) == page.findall(second.stdout) == [address]


def test_what_a_killed_supervisor_leaves_is_ended_by_down(checkout: Checkout) -> None:
    checkout.tanka("up", "--detach", "--no-demo", "--port", str(free_ports(1)[0]))
    processes = checkout.processes()
    supervisor = ProcessIdentity.from_kept(checkout.kept()["supervisor"])  # type: ignore[arg-type]
    assert supervisor is not None

    supervisor.send(signal.SIGKILL)
    supervisor.wait(5)
    checkout.tanka("down")

    assert wait_until(lambda: not [process for process in processes if process.alive()], 10)


def _table(printed: str) -> dict[str, str]:
    """The names and values of a printed table."""
    rows = (line.split(maxsplit=1) for line in printed.splitlines())
    return {row[0]: row[1].strip() for row in rows if len(row) == 2}
