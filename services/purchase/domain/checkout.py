"""What may be bought, and when a payment page that was opened before is given again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.purchase.domain.refusals import Refusal

PAYABLE = timedelta(hours=23)
"""How long a payment page stays open; Stripe allows 30 minutes to 24 hours."""

STILL_USEFUL = timedelta(hours=1)
"""A page that closes sooner is not given again: somebody may have to look for their card."""


@dataclass(frozen=True)
class Offer:
    """A course as it is offered; the price is in the smallest unit of its currency."""

    status: str
    price: int
    currency: str
    unlock_streak_days: int | None


def refusal_to_check_out(offer: Offer, access: str | None, *, is_processing: bool, waiver: bool) -> Refusal | None:
    """Return why someone cannot take a course: only what is published, no bonus, not twice, and paid with a waiver.

    French law lets the right of withdrawal from digital content end only with express consent (Code de la consommation,
    L221-28, 13°), so nothing is sold without.
    """
    if offer.status != "deleted" and access is not None:
        return Refusal.ALREADY_OWNED
    if offer.status != "published":
        return Refusal.NOT_THERE
    if offer.unlock_streak_days is not None:
        return Refusal.LOCKED
    if offer.price <= 0:
        return None
    if is_processing:
        return Refusal.PAYMENT_UNDER_WAY
    return None if waiver else Refusal.WAIVER_REQUIRED


def is_reusable(offer: Offer, amount: int, currency: str, expires_at: datetime, now: datetime) -> bool:
    """Return whether an open order can be gone on with: it asks for today's price, and its page stays open a while."""
    return (amount, currency) == (offer.price, offer.currency) and expires_at - now >= STILL_USEFUL
