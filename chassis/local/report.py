"""What a person sees while the academy starts: a line per part as it gets ready, and a bar for the whole."""

import contextlib
import sys
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Report:
    """Says nothing: for tests. The terminal's is below."""

    def expect(self, count: int) -> None:
        """So many parts will get ready."""

    def ready(self, name: str, seconds: float) -> None:
        """The part is ready, `seconds` after its start."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""

    def trouble(self, text: str) -> None:
        """Something went wrong, and what is done about it."""


class TerminalReport(Report):
    """Lines on standard output, and on a terminal a bar below them while the block lasts."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("Starting the academy"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._progress.add_task("start", total=1)

    def __enter__(self) -> "TerminalReport":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @contextlib.contextmanager
    def aside(self) -> Iterator[bool]:
        """Take the bar away while another program shows its own; yield whether there is a terminal to show it on."""
        self._progress.stop()
        yield self.console.is_terminal
        self._progress.start()

    def expect(self, count: int) -> None:
        """Set the bar's length."""
        self._progress.update(self._task, total=count)

    def ready(self, name: str, seconds: float) -> None:
        """Print `catalog  ready  1.2 s`."""
        self._progress.advance(self._task)
        self.console.print(f"  [green]ready[/]  {name:<14}{seconds:5.1f} s")

    def note(self, text: str) -> None:
        """Print the line."""
        self.console.print(f"  {text}", markup=False)

    def trouble(self, text: str) -> None:
        """Print the line so that it is seen."""
        self.console.print(f"  {text}", style="yellow", markup=False)
