"""Shows the log files of the academy's processes."""

import contextlib
import time
from pathlib import Path

import click

from chassis.local.processes import StartError, last_lines

PAUSE = 0.3


def show(folder: Path, service: str | None, lines: int, follow: bool) -> None:
    """Print the last lines of one log, or of all with the name before each line; with `follow`, go on until Ctrl-C."""
    found = sorted(folder.glob("*.log"))
    if service is not None:
        found = [path for path in found if path.stem == service]
    if not found:
        names = ", ".join(path.stem for path in sorted(folder.glob("*.log"))) or "none yet"
        raise StartError(f"There is no log of {service or 'anything'}. Logs: {names}.")
    width = 0 if service else max(len(path.stem) for path in found)
    positions = {}
    for path in found:
        positions[path] = path.stat().st_size
        _print(path, last_lines(path, lines), width)
    with contextlib.suppress(KeyboardInterrupt):
        while follow:
            time.sleep(PAUSE)
            for path in found:
                positions[path] = _print_more(path, positions[path], width)


def _print_more(path: Path, position: int, width: int) -> int:
    """Print the whole lines that came after `position`; return where the next ones begin."""
    if path.stat().st_size < position:
        position = 0
    with open(path, "rb") as source:
        source.seek(position)
        arrived = source.read()
    whole = arrived[: arrived.rfind(b"\n") + 1]
    _print(path, whole.decode(errors="replace").rstrip("\n"), width)
    return position + len(whole)


def _print(path: Path, text: str, width: int) -> None:
    for line in text.splitlines():
        click.echo(f"{path.stem:<{width}} | {line}" if width else line)
