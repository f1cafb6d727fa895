"""The command line behind ./tanka: starts, stops and looks after the academy of this checkout."""

import os
import secrets
import subprocess
import sys

import click
from rich.console import Console
from rich.table import Table

from chassis.local.places import CHECKOUT, STATE
from chassis.local.processes import StartError
from contracts.topology import CONSUMER_QUEUES

DEFAULT_PORT = 8000


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """TankaAcademy on this machine."""


@main.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), default=DEFAULT_PORT, show_default=True, help="The academy's port."
)
@click.option("--detach", is_flag=True, help="Return once it is ready; ./tanka down stops it.")
@click.option("--no-demo", is_flag=True, help="Load no demo courses and accounts.")
def up(port: int, detach: bool, no_demo: bool) -> None:
    """Start the whole academy; Ctrl-C stops it."""
    from chassis.local import lifecycle

    if detach:
        lifecycle.up_detached(port, not no_demo)
    else:
        lifecycle.up(port, not no_demo)


@main.command()
def down() -> None:
    """Stop the academy, and what test runs left waiting."""
    from chassis.local import lifecycle

    lifecycle.down()


@main.command()
def status() -> None:
    """Show what runs."""
    from chassis.local import lifecycle

    sys.exit(0 if lifecycle.status() else 1)


@main.command()
@click.argument("service", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as more comes.")
@click.option("-n", "--lines", default=100, show_default=True, help="So many of the last lines.")
def logs(service: str | None, follow: bool, lines: int) -> None:
    """Show the logs of all, or of SERVICE."""
    from chassis.local import logs as log_files

    log_files.show(STATE / "logs", service, lines, follow)


@main.command()
def settings() -> None:
    """Show the settings; secrets only as set or not set."""
    from chassis.local.lifecycle import academy_settings

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in academy_settings(needs_servers=False).public().items():
        table.add_row(name.upper(), str(value))
    Console().print(table)


@main.group()
def admin() -> None:
    """Look after administrators."""


@admin.command("create")
@click.argument("email")
def admin_create(email: str) -> None:
    """Make EMAIL an administrator; asks for a password, or makes one up."""
    from chassis.local.lifecycle import academy_settings
    from gateway.commands import create_admin

    if email.count("@") != 1:
        raise click.BadParameter(f"{email} is no e-mail address")
    password = ""
    if sys.stdin.isatty():
        password = click.prompt("Password (empty: one is made up)", default="", hide_input=True, show_default=False)
    told = "" if password else secrets.token_urlsafe(12)
    _, made = create_admin(academy_settings().database_url_for("accounts"), email, password or told)
    if not made:
        click.echo(f"{email} is an administrator now; the password stays as it was.")
    else:
        click.echo(f"{email} is an administrator." + (f" Password: {told}" if told else ""))


@main.command()
def demo() -> None:
    """Load the demo courses and accounts into the running academy."""
    from chassis.local import lifecycle

    lifecycle.load_demo()


@main.command()
@click.argument("service")
@click.option("--private-port", type=click.IntRange(1, 65535), default=9000, show_default=True)
def run(service: str, private_port: int) -> None:
    """Run one SERVICE (or gateway) in the foreground, settings from the environment."""
    from chassis.local.supervisor import service_names

    if service not in (*service_names(), "gateway"):
        raise StartError(f"There is no service {service}. Services: {', '.join(service_names())}, gateway.")
    if service == "gateway":
        os.environ.setdefault("GATEWAY_PRIVATE_PORT", str(private_port))
        os.execv(sys.executable, [sys.executable, "-m", "gateway"])
    os.execv(sys.executable, [sys.executable, "-m", "chassis.local.single", service, str(private_port)])


@main.command()
@click.argument("service", required=False)
def migrate(service: str | None) -> None:
    """Bring the databases (or SERVICE's) to the present shape."""
    from chassis.local.lifecycle import academy_settings
    from chassis.local.supervisor import service_names
    from chassis.migrations import migrate as migrate_database

    settings = academy_settings()
    for owner in [service] if service else service_names():
        migrate_database(settings.database_url_for(owner), owner)
        click.echo(f"{owner} is up to date")


@main.group("dead-letters")
def dead_letters() -> None:
    """Look after events that could not be handled."""


@dead_letters.command("list")
@click.argument("queue", required=False)
def dead_letters_list(queue: str | None) -> None:
    """Show what waits in all dead-letter queues, or in QUEUE's, and why."""
    from chassis.bus.dead_letters import list_dead_letters
    from chassis.local.lifecycle import academy_settings

    _check_queue(queue)
    found = list_dead_letters(academy_settings(), queue)
    for letter in found:
        click.echo(f"{letter.queue}  {letter.failed_at}  {letter.type or 'unreadable'}  {letter.event_id or '-'}")
        click.echo(f"    {letter.reason}")
    click.echo(f"Dead letters: {len(found)}")


@dead_letters.command("replay")
@click.argument("queue", required=False)
def dead_letters_replay(queue: str | None) -> None:
    """Send all dead letters, or QUEUE's, back to their consumers."""
    from chassis.bus.dead_letters import replay_dead_letters
    from chassis.local.lifecycle import academy_settings

    _check_queue(queue)
    click.echo(f"Sent back: {replay_dead_letters(academy_settings(), queue)}")


@main.group()
def reconcile() -> None:
    """Find and repair what others know and we missed."""


@reconcile.command("stripe")
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="How far back to look.")
def reconcile_stripe(days: int) -> None:
    """Compare orders with Stripe: payments, refunds and disputes whose webhooks never came."""
    from chassis.local.lifecycle import academy_settings
    from chassis.local.reconciling import reconcile_payments

    reconcile_payments(academy_settings(), days)


@main.group()
def rebuild() -> None:
    """Throw away what can be counted again, and count it again."""


@rebuild.command("analytics")
def rebuild_analytics() -> None:
    """Count instructors' numbers again from all retained events, while the academy runs."""
    from chassis.local.lifecycle import academy_settings
    from chassis.local.rebuilding import rebuild_projection

    rebuild_projection(academy_settings())


@rebuild.command("leaderboards")
def rebuild_leaderboards() -> None:
    """Count the standings of students and squads again from the ledger, while the academy runs."""
    from chassis.local.lifecycle import academy_settings
    from chassis.local.rebuilding import recount_leaderboards

    recount_leaderboards(academy_settings())


def _check_queue(queue: str | None) -> None:
    names = [consumer.name for consumer in CONSUMER_QUEUES]
    if queue is not None and queue not in names:
        raise StartError(f"There is no queue {queue}. Queues: {', '.join(names)}.")


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Check everything: style, types, walls, all tests. With arguments: pytest with them."""
    os.execv(sys.executable, [sys.executable, "-m", "tests.checks", "test", *arguments])


@main.command()
def lint() -> None:
    """Check style, types and walls."""
    os.execv(sys.executable, [sys.executable, "-m", "tests.checks", "lint"])


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure an academy of its own and print the figures."""
    os.execv(sys.executable, [sys.executable, "-m", "tests.bench", *arguments])


@main.command()
def lock() -> None:
    """Compile the lock files anew from pyproject.toml."""
    uv = CHECKOUT / ".venv" / "tools" / "bin" / "uv"
    options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-annotate"]
    for output, more in (
        ("requirements.lock", []),
        ("requirements-development.lock", ["--constraint", "requirements.lock", "--extra", "development"]),
    ):
        command = [str(uv), "pip", "compile", "--quiet", *options, *more, "pyproject.toml", "--output-file", output]
        command += ["--custom-compile-command", "./tanka lock"]
        if subprocess.run(command, cwd=CHECKOUT, check=False).returncode != 0:
            sys.exit(1)
        click.echo(f"{output} is compiled")


def run_main() -> None:
    """Run the command line; what cannot be done is said in a sentence and ends with status 1."""
    from chassis.settings import SettingsError

    try:
        main(prog_name="./tanka")
    except (StartError, SettingsError) as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(str(error), style="red", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    run_main()
