"""Which link on a video a sale is owed to."""

from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(days=30)
"""How long after the registration a purchase is still owed to the link that brought it (product.md, From YouTube)."""


@dataclass(frozen=True)
class Registration:
    """When a buyer made an account, and by which link, if any."""

    ref: str | None
    registered_at: datetime


def credited_ref(order_ref: str | None, placed_at: datetime, registration: Registration | None) -> str | None:
    """Return the link that an order is owed to: its own (the last one counts), else a recent registration's."""
    if order_ref:
        return order_ref
    if registration is None or not timedelta(0) <= placed_at - registration.registered_at <= WINDOW:
        return None
    return registration.ref or None
