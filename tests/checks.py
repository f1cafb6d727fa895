"""What `./tanka test` and `./tanka lint` do: style, types, walls, then all tests on servers of their own."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console

from chassis.local import lifecycle
from chassis.local.infrastructure import Infrastructure
from chassis.local.places import CHECKOUT, STATE, remove_empty_parents
from chassis.local.processes import StartError
from tests import infrastructure
from tests.infrastructure import AMQP_VARIABLE, CONTAINERS_VARIABLE, DATABASE_VARIABLE

CACHE = STATE / "cache"
PROGRAMS = Path(sys.executable).parent
WORKERS = 3
"""On two cores: many tests wait, for processes that start and for deadlines that pass."""

LONGEST = ("tests/system", "tests/faults", "tests/local", "tests/chassis", "tests/services")
"""Begun first, so that at the end no worker is left alone with a long one."""

LINTS: dict[str, list[str]] = {
    "style": [str(PROGRAMS / "ruff"), "check", f"--cache-dir={CACHE / 'ruff'}", "."],
    "types": [str(PROGRAMS / "mypy"), f"--cache-dir={CACHE / 'mypy'}"],
    "walls": [str(PROGRAMS / "lint-imports"), "--no-logo", f"--cache-dir={CACHE / 'walls'}"],
}

console = Console(highlight=False, soft_wrap=True)


def main(arguments: list[str]) -> int:
    """Run `lint`, or `test` (with arguments: only pytest, with them); return the exit status."""
    begun = time.monotonic()
    command, *rest = arguments
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if command == "lint":
            failed = lint()
        elif rest:
            with _servers() as environment:
                return _pytest(rest, environment)
        else:
            failed = lint() + run_tests()
    except StartError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    minutes, seconds = divmod(int(time.monotonic() - begun), 60)
    if failed:
        console.print(f"[red]Failed:[/] {', '.join(failed)} ({minutes} min {seconds} s)")
        return 1
    console.print(f"[green]All is well:[/] {', '.join(LINTS)}{'' if command == 'lint' else ', tests'}", end=" ")
    console.print(f"({minutes} min {seconds} s)")
    return 0


def lint() -> list[str]:
    """Run all lints; return the names of those that found something, after printing what they found."""
    failed = []
    for name, command in LINTS.items():
        begun = time.monotonic()
        with console.status(f"Checking {name}"):
            done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        well = done.returncode == 0
        console.print(f"{'[green]well[/]' if well else '[red]bad[/] '}  {name:<8} {time.monotonic() - begun:5.1f} s")
        if not well:
            failed.append(name)
            console.print(done.stdout + done.stderr, markup=False)
    return failed


def run_tests() -> list[str]:
    """Run all tests; return the names of the parts that failed."""
    distribution = ["-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder"]
    parts = {
        "tests side by side": [*distribution, "-m", "not alone", *LONGEST, "tests"],
        "tests that run alone": ["-m", "alone", "tests"],
    }
    with _servers() as environment:
        return [name for name, arguments in parts.items() if _pytest(["-q", *arguments], environment)]


def _pytest(arguments: list[str], environment: Mapping[str, str]) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=dict(environment), check=False).returncode


@contextlib.contextmanager
def _servers() -> Iterator[dict[str, str]]:
    """Run one PostgreSQL and one RabbitMQ for all tests; yield the environment that names them. Nothing is left."""
    environment = {
        **os.environ,
        "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHE / "hypothesis"),
        "PYTHONPATH": str(CHECKOUT),
        # Some two hundred processes start: none should compile again what another has, whatever the shell says.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode"),
    }
    if environment.pop(CONTAINERS_VARIABLE, "") == "1":
        with infrastructure.containers() as servers:
            yield {**environment, DATABASE_VARIABLE: servers.database_url, AMQP_VARIABLE: servers.amqp_uri}
        return
    name = f"test-{secrets.token_hex(4)}"
    own = Infrastructure(
        STATE / name,
        name,
        lambda text: console.print(text, markup=False),
        throwaway=True,
        database_url=os.environ.get(DATABASE_VARIABLE) or os.environ.get("DATABASE_URL"),
        amqp_uri=os.environ.get(AMQP_VARIABLE) or os.environ.get("AMQP_URI"),
    )
    try:
        with console.status("Starting PostgreSQL and RabbitMQ for the tests"):
            own.start()
        yield {**environment, DATABASE_VARIABLE: own.database_url, AMQP_VARIABLE: own.amqp_uri}
    finally:
        lifecycle.sweep_tests()
        own.remove()
        shutil.rmtree(STATE / name, ignore_errors=True)
        remove_empty_parents(STATE / name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
