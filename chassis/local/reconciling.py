"""What `./tanka reconcile stripe` does: lets purchase compare its orders with Stripe, and prints what was repaired."""

from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from chassis.clock import now
from chassis.local.processes import StartError
from chassis.rpc_client import RpcClient
from chassis.settings import Settings
from contracts.errors import ServiceError, Unavailable

KINDS = {"sessions": "payment pages", "refunds": "refunds", "disputes": "disputes"}
ANSWER_SECONDS = 60.0
"""Stripe is asked several times for each answer."""


def reconcile_payments(settings: Settings, days: int) -> None:
    """Let purchase repair what its webhooks missed in so many days; StartError when it, or Stripe, does not answer."""
    since = now() - timedelta(days=days)
    console = Console(soft_wrap=True, highlight=False)
    rpc = RpcClient(settings.amqp_uri, prefix=settings.bus_prefix, deadline=ANSWER_SECONDS)
    repaired: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} looked at"))
    try:
        with Progress(*columns, console=console) as progress:
            for kind, words in KINDS.items():
                bar = progress.add_task(words, total=None)
                after, looked_at, unknown = None, 0, 0
                while True:
                    found = rpc.call("purchase", "reconcile_stripe", kind=kind, since=since, after=after)
                    after = found["next"]
                    looked_at, unknown = looked_at + found["looked_at"], unknown + found["unknown"]
                    repaired += found["repaired"]
                    progress.update(bar, completed=looked_at, total=looked_at if after is None else None)
                    if after is None:
                        break
                if unknown:
                    console.print(f"{unknown} {words} are of orders that are not here")
    except ServiceError as error:
        reason = "Purchase or Stripe does not answer" if isinstance(error, Unavailable) else f"Refused ({error})"
        raise StartError(f"{reason}; what was found so far is repaired.") from error
    finally:
        rpc.stop()
    for order_id in dict.fromkeys(repaired):
        console.print(f"repaired: order {order_id}")
    console.print(f"Orders repaired: {len(set(repaired))}")
