"""What `up`, `down`, `status` and `demo` do for the academy of this checkout."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from chassis.local.infrastructure import Infrastructure, locked, read_private, taken, write_private
from chassis.local.keys import kept_keys
from chassis.local.places import CHECKOUT, STATE, make_directory
from chassis.local.processes import ProcessIdentity, StartError, last_lines, port_is_free, spawn, wait_until
from chassis.local.report import TerminalReport
from chassis.local.sandbox import is_sandbox_key, sandbox_address
from chassis.local.supervisor import GATEWAY, SERVICE_PATIENCE, StoppedError, Supervisor, ask_ready
from chassis.settings import Settings, SettingsError

NAME = "academy"
UP_LOCK = "up.lock"
TESTS, TESTS_LOCK, TESTS_IN_USE = "test", "test.lock", "test.in-use"
"""The servers that single test runs share: their folder, its lock, and the lock that all these runs hold together."""

DOWN_PATIENCE = 90.0
DEMO_PASSWORD = "tanka-azerty"  # noqa: S105
DEMO_ACCOUNTS = (
    ("arsene@tanka.example", "instructor"),
    ("ber@tanka.example", "student"),
    ("admin@tanka.example", "admin"),
)
NOT_RUNNING = "The academy is not running: ./tanka up starts it."


def up(port: int, with_demo: bool) -> None:
    """Start the academy and keep it running until it is told to stop; StartError when it cannot start."""
    report = TerminalReport()
    with taken(STATE / UP_LOCK) as first:
        if not first:
            _say_already_up(report.console)
            return
        _stop_remnants(STATE)
        supervisor = Supervisor(
            STATE,
            NAME,
            port,
            report,
            kept_keys(STATE),
            database_url=os.environ.get("DATABASE_URL"),
            amqp_uri=os.environ.get("AMQP_URI"),
        )
        _check(Settings.from_environment(supervisor.environment()), port, with_demo)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: supervisor.ask_to_stop())
        try:
            with report:
                supervisor.start()
                challenge = _load_demo_once(supervisor, report) if with_demo else None
            _print_welcome(report.console, supervisor.base_url, supervisor.sandbox_url, with_demo, challenge)
            supervisor.complete = True
            supervisor.save()
            supervisor.watch()
        except StoppedError:
            pass
        finally:
            report.console.print("Stopping the academy")
            supervisor.stop()
        report.console.print("Stopped")


def up_detached(port: int, with_demo: bool) -> None:
    """Start the academy in the background; return when it is ready, StartError when it does not get so."""
    console = Console(highlight=False, soft_wrap=True)
    with taken(STATE / UP_LOCK) as first:
        if not first:
            _say_already_up(console)
            return
    log = make_directory(STATE / "logs") / "supervisor.log"
    position = log.stat().st_size if log.exists() else 0
    command = [sys.executable, "-m", "chassis.local.cli", "up", "--port", str(port)]
    process = spawn([*command, *([] if with_demo else ["--no-demo"])], log, directory=CHECKOUT)
    try:
        while True:
            ended = process.poll() is not None
            kept = _kept()
            complete = bool(kept.get("complete")) and kept["supervisor"][0] == process.pid
            position = _pass_on(log, position)
            if ended:
                sys.exit(1)
            if complete:
                return
            time.sleep(0.1)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        sys.exit(130)


def down() -> None:
    """Stop the academy, what a killed one left running, and the servers that test runs share."""
    console = Console(highlight=False)
    supervisor = ProcessIdentity.from_kept(_kept().get("supervisor"))
    running = supervisor is not None and supervisor.alive()
    if supervisor is not None and running:
        with console.status("Stopping the academy"):
            supervisor.end(DOWN_PATIENCE)
    remnants = _stop_remnants(STATE)
    with locked(STATE / TESTS_LOCK), taken(STATE / TESTS_IN_USE) as unused:
        if unused:
            _remove_test_servers(STATE / TESTS)
    sweep_tests()
    console.print("Stopped" if running or remnants else "The academy was not running")


def sweep_tests() -> None:
    """Remove the servers and academies of test runs that were killed before they could do so themselves."""
    for state in STATE.glob(f"{TESTS}-*"):
        if state.is_dir() and not _infrastructure(state, state.name).owned():
            _remove_test_servers(state)


def status() -> bool:
    """Print what runs; return whether the academy does."""
    console = Console(highlight=False)
    kept = _kept()
    supervisor = ProcessIdentity.from_kept(kept.get("supervisor"))
    if supervisor is None or not supervisor.alive():
        console.print(NOT_RUNNING)
        return False
    table = Table(box=None, pad_edge=False)
    for title in ("", "state", "pid", "memory", "up", "restarts"):
        table.add_column(title, justify="left" if title in ("", "state") else "right")
    total = 0
    infrastructure = read_private(STATE / "infrastructure.json")
    rows: list[tuple[str, str, Any, Any]] = [
        ("PostgreSQL", "", infrastructure.get("postgres", {}).get("process"), ""),
        ("RabbitMQ", "", infrastructure.get("rabbitmq", {}).get("process"), ""),
        ("parent", "", kept.get("nursery"), ""),
        ("supervisor", "", kept["supervisor"], ""),
    ]
    for name, member in kept["members"].items():
        said = ask_ready(member["port"], patience=1)
        rows.append((name, "ready" if said is None else said, member["process"], member["restarts"]))
    for name, state, process, restarts in rows:
        identity = ProcessIdentity.from_kept(process)
        if identity is None or not identity.alive():
            table.add_row(name, "elsewhere" if process is None and not state else "ended", "", "", "", str(restarts))
            continue
        memory = memory_of(identity.pid, deep=name not in ("parent", "supervisor"))
        total += memory
        age = _age(time.time() - identity.started_at)
        table.add_row(name, state or "runs", str(identity.pid), f"{memory >> 20} MB", age, str(restarts))
    console.print(kept["base_url"])
    console.print(table)
    console.print(f"{total >> 20} MB in all")
    return True


def load_demo() -> None:
    """Load the demo into the running academy; StartError when none runs."""
    kept = _kept()
    if not kept.get("ready"):
        raise StartError(NOT_RUNNING)
    challenge = _load_demo(kept["base_url"], _academy_environment(), visible=True)
    _print_demo(Console(highlight=False), kept["base_url"], challenge)


def academy_settings(needs_servers: bool = True) -> Settings:
    """Return the settings that the academy's processes have; StartError when its servers are needed and do not run."""
    infrastructure = _infrastructure(STATE, NAME)
    if needs_servers and not infrastructure.alive():
        raise StartError(NOT_RUNNING)
    return Settings.from_environment(_academy_environment())


def memory_of(pid: int, deep: bool = True) -> int:
    """Return the bytes of memory of a process and, when `deep`, of all below it; what is shared counts in shares."""
    process = psutil.Process(pid)
    total = 0
    for one in [process, *(process.children(recursive=True) if deep else [])]:
        with contextlib.suppress(psutil.Error):
            info = one.memory_full_info()
            total += getattr(info, "pss", info.uss)
    return total


def _kept(state: Path = STATE) -> dict[str, Any]:
    return read_private(state / "academy.json")


def _infrastructure(state: Path, name: str) -> Infrastructure:
    return Infrastructure(
        state,
        name,
        lambda text: None,
        database_url=os.environ.get("DATABASE_URL"),
        amqp_uri=os.environ.get("AMQP_URI"),
    )


def _academy_environment() -> dict[str, str]:
    infrastructure = _infrastructure(STATE, NAME)
    keys = kept_keys(STATE)
    return {
        **os.environ,
        "DATABASE_URL": infrastructure.database_url,
        "AMQP_URI": infrastructure.amqp_uri,
        "PUBLIC_URL": os.environ.get("PUBLIC_URL") or _kept().get("base_url", Settings.public_url),
        **(sandbox_address(STATE) if is_sandbox_key(keys.get("STRIPE_API_KEY", "")) else {}),
        **keys,
    }


def _check(settings: Settings, port: int, with_demo: bool) -> None:
    if with_demo and settings.environment == "production":
        raise SettingsError("A production academy takes no demo data: ./tanka up --no-demo")
    for name in ("stripe_api_key", "stripe_webhook_secret"):
        if settings.environment == "production" and not getattr(settings, name):
            raise SettingsError(f"{name.upper()} must be set in production: the sandbox takes no real payments.")
    if not port_is_free(port):
        other = next(candidate for candidate in range(port + 1, 65536) if port_is_free(candidate))
        raise StartError(f"Port {port} is taken by another program. Try another: ./tanka up --port {other}")


def _stop_remnants(state: Path) -> bool:
    """End what an `up` that was killed has left running; return whether there was anything."""
    kept = _kept(state)
    members = kept.get("members", {})
    ordered = [members.get(GATEWAY, {}), *(member for name, member in members.items() if name != GATEWAY)]
    found = False
    for process in [*(member.get("process") for member in ordered), kept.get("nursery")]:
        identity = ProcessIdentity.from_kept(process)
        if identity is not None and identity.alive():
            found = True
            identity.end(SERVICE_PATIENCE)
    infrastructure = _infrastructure(state, NAME if state == STATE else state.name)
    for server in (infrastructure.broker, infrastructure.postgres):
        if server is not None and not server.ended():
            found = True
            server.stop()
    (state / "academy.json").unlink(missing_ok=True)
    return found


def _remove_test_servers(state: Path) -> None:
    _stop_remnants(state)
    _infrastructure(state, state.name).remove()
    shutil.rmtree(state, ignore_errors=True)


def _load_demo_once(supervisor: Supervisor, report: TerminalReport) -> str | None:
    """Load the demo, unless exactly this demo has been loaded into exactly these databases before.

    Return the token of a challenge that everybody may take up, if there is one.
    """
    digest = hashlib.sha256(supervisor.infrastructure.database_url.encode())
    for path in sorted((CHECKOUT / "demo").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(CHECKOUT)).encode() + path.read_bytes())
    loaded = read_private(STATE / "demo.json")
    begun = time.monotonic()
    if loaded.get("digest") != digest.hexdigest():
        try:
            with report.aside() as visible:
                challenge = _load_demo(supervisor.base_url, supervisor.environment(), visible)
        finally:
            # Ctrl-C reaches the loader too, which then fails for no other reason.
            supervisor.leave_if_asked()
        loaded = {"digest": digest.hexdigest(), "challenge": challenge}
        write_private(STATE / "demo.json", loaded)
    report.ready("demo", time.monotonic() - begun)
    kept: str | None = loaded["challenge"]
    return kept


def _load_demo(base_url: str, environment: dict[str, str], visible: bool) -> str | None:
    """Run the demo's loader with its progress on our terminal, or else in a log; StartError when it fails.

    Return the token of a challenge that everybody may take up, if there is one.
    """
    log = make_directory(STATE / "logs") / "demo.log"
    with open(log, "ab") as quiet:
        done = subprocess.run(
            [sys.executable, "-m", "demo", base_url],
            stdin=None if visible else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if visible else quiet,
            env=environment,
            cwd=CHECKOUT,
            # without a terminal a Ctrl-C is for us alone
            start_new_session=not visible,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise StartError("The demo could not be loaded" + ("." if visible else f": {last_lines(log)}"))
    return done.stdout.strip().rpartition("/")[2] or None


def _say_already_up(console: Console) -> None:
    wait_until(lambda: "base_url" in _kept(), 2)
    console.print(f"The academy is up already: {_kept().get('base_url', 'it is just starting')}")


def _print_welcome(
    console: Console, base_url: str, sandbox_url: str | None, with_demo: bool, challenge: str | None
) -> None:
    console.print(f"\n[bold]TankaAcademy is ready:[/] {base_url}")
    console.print(f"  documentation  {base_url}/docs")
    if sandbox_url is not None:
        console.print(f"  payments       {sandbox_url}")
        console.print(f"  {'':<14} [yellow]a sandbox: no real money[/]")
    if with_demo:
        _print_demo(console, base_url, challenge)
    console.print("./tanka down stops it; while attached, so does Ctrl-C.")


def _print_demo(console: Console, base_url: str, challenge: str | None) -> None:
    for index, (email, role) in enumerate(DEMO_ACCOUNTS):
        console.print(f"  {'' if index else 'accounts':<14} {email} ({role})")
    console.print(f"  {'password':<14} {DEMO_PASSWORD}")
    if challenge is not None:
        console.print("  a quiz challenge that everybody may take up:")
        console.print(f"  {base_url}/challenges/{challenge}")


def _pass_on(log: Path, position: int) -> int:
    """Print what a log has gained since `position`; return its new end."""
    with open(log, "rb") as source:
        source.seek(position)
        arrived = source.read()
    sys.stdout.write(arrived.decode(errors="replace"))
    sys.stdout.flush()
    return position + len(arrived)


def _age(seconds: float) -> str:
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{int(seconds)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
