"""What `./tanka rebuild` does: analytics is sent all retained events; leaderboards are counted from the ledger."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from sqlalchemy import create_engine, text

from chassis.bus.broker import BrokerAway, dead_letter_queue_name, messages_in
from chassis.bus.replay import Retained, replay, retained
from chassis.local.processes import StartError
from chassis.rpc_client import RpcClient
from chassis.settings import Settings
from contracts.errors import Conflict, ServiceError, Unavailable
from contracts.topology import ANALYTICS_EVENTS, ANALYTICS_REPLAY

ANSWER_SECONDS = 60.0
"""Making, comparing and dropping tables of millions of rows takes longer than a call otherwise may."""
RECOUNT_SECONDS = 1800.0
"""A period of a large academy may take minutes."""
AHEAD = 20_000
"""Events that may be sent but not handled: the broker keeps no more than it needs to."""
LOOK = 0.2
"""Seconds between two looks at how many are handled."""
PATIENCE = 60.0
"""Seconds without an answer after which analytics is given up; one that restarts goes on where it was."""

_LOCK = 7_402_120
_ONE_AT_A_TIME = text("select pg_try_advisory_lock(:lock)")


def rebuild_projection(settings: Settings) -> None:
    """Count again; StartError when a rebuild runs already, or analytics or the broker does not answer."""
    console = Console(soft_wrap=True, highlight=False)
    rpc = RpcClient(settings.amqp_uri, prefix=settings.bus_prefix, deadline=ANSWER_SECONDS)
    try:
        with _alone(settings):
            began = time.monotonic()
            try:
                rpc.call("analytics", "begin_rebuild")
                with retained(settings, ANALYTICS_EVENTS) as events:
                    _Sending(settings, rpc, events, console).run()
                rebuilt = rpc.call("analytics", "finish_rebuild", events=events.events)
            except BaseException:
                # Ctrl-C too; where nobody answers, the next rebuild throws away what this one leaves
                with suppress(ServiceError):
                    rpc.call("analytics", "abandon_rebuild")
                raise
            seconds = time.monotonic() - began
    except Conflict as error:
        raise StartError(f"Analytics refused ({error.problem}); the numbers stay as they were.") from error
    except (Unavailable, BrokerAway) as error:
        raise StartError("Analytics or the broker does not answer; the numbers stay as they were.") from error
    finally:
        rpc.stop()
    rate = rebuilt["events"] / seconds
    console.print(f"Counted again: {rebuilt['events']} events in {seconds:.1f} s ({rate:,.0f}/s)")
    differing = rebuilt["differing"]
    console.print("The numbers are equal to those before." if not differing else f"Rows that were not so: {differing}")


def recount_leaderboards(settings: Settings) -> None:
    """Count all periods again, one after another; StartError when the game does not answer."""
    console = Console(soft_wrap=True, highlight=False)
    rpc = RpcClient(settings.amqp_uri, prefix=settings.bus_prefix, deadline=ANSWER_SECONDS)
    began = time.monotonic()
    try:
        periods = rpc.call("gamification", "list_leaderboard_periods")["items"]
        with Progress(TextColumn("counted"), BarColumn(), MofNCompleteColumn(), console=console) as progress:
            for period in progress.track(periods):
                rpc.call("gamification", "rebuild_leaderboard", deadline=RECOUNT_SECONDS, period=period)
    except Unavailable as error:
        raise StartError(
            "Gamification does not answer; what is counted stays, the rest as it was. Run it again."
        ) from error
    finally:
        rpc.stop()
    console.print(f"Counted again: {len(periods)} periods in {time.monotonic() - began:.1f} s")


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    # a lock of the connection: whatever becomes of this command, it does not outlive it
    engine = create_engine(settings.database_url_for("analytics"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            if not connection.scalar(_ONE_AT_A_TIME, {"lock": _LOCK}):
                raise StartError("Analytics is being rebuilt already.")
            yield
    finally:
        engine.dispose()


class _Sending:
    """Sends events no faster than they are handled, and shows both."""

    def __init__(self, settings: Settings, rpc: RpcClient, events: Retained, console: Console) -> None:
        self._settings = settings
        self._rpc = rpc
        self._events = events
        self._console = console
        self._dead_before = _dead_letters(settings)

    def run(self) -> None:
        """Return when all are handled. StartError when some cannot be, `Unavailable` when analytics is silent."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        with Progress(*columns, console=self._console) as progress:
            bars = [progress.add_task(words, total=self._events.events, rate="") for words in ("sent", "handled")]
            began = time.monotonic()
            sent = 0
            for number in replay(self._settings, self._events, ANALYTICS_REPLAY):
                sent += number
                progress.update(bars[0], completed=sent)
                self._wait(progress, bars[1], began, sent - AHEAD)
            self._wait(progress, bars[1], began, sent)

    def _wait(self, progress: Progress, bar: TaskID, began: float, wanted: int) -> None:
        while (handled := self._handled()) < wanted:
            self._show(progress, bar, began, handled)
            if _dead_letters(self._settings) > self._dead_before:
                raise StartError(
                    "Some events cannot be handled: ./tanka dead-letters list analytics.replay shows why. "
                    "The numbers stay as they were."
                )
            time.sleep(LOOK)
        self._show(progress, bar, began, handled)

    def _show(self, progress: Progress, bar: TaskID, began: float, handled: int) -> None:
        rate = handled / max(time.monotonic() - began, 0.001)
        progress.update(bar, completed=handled, rate=f"{rate:,.0f}/s")

    def _handled(self) -> int:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                found = self._rpc.call("analytics", "get_rebuild", deadline=2.0)
                if found["state"] != "running":
                    raise Conflict("no-rebuild")
                return int(found["handled"])
            except Unavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(LOOK)


def _dead_letters(settings: Settings) -> int:
    return messages_in(settings.amqp_uri, dead_letter_queue_name(settings.bus_prefix, ANALYTICS_REPLAY))
