"""What may be given back, and who may still withdraw."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.purchase.domain.orders import Status
from services.purchase.domain.refusals import Refusal

WITHDRAWAL = timedelta(days=14)
"""The right of withdrawal (Code de la consommation, L221-18)."""

REFUNDABLE = frozenset({Status.PAID, Status.PARTIALLY_REFUNDED})


@dataclass(frozen=True)
class Waiver:
    """The three things that end the right of withdrawal: express consent, acknowledgement, a confirmation to keep."""

    consented_at: datetime | None
    acknowledged_at: datetime | None
    confirmed_at: datetime | None

    @property
    def is_whole(self) -> bool:
        """Whether all three are there."""
        return None not in (self.consented_at, self.acknowledged_at, self.confirmed_at)


def refundable(amount: int, refunded: int, requested: int) -> int:
    """Return how much of a payment can still be given back.

    `refunded` is what Stripe said, `requested` what we asked of it so far: the one may not have been heard of yet, the
    other may have been given back elsewhere.
    """
    return max(0, amount - max(refunded, requested))


def refusal_to_refund(status: Status, left: int) -> Refusal | None:
    """Return why nothing can be given back of an order: a disputed payment is in the hands of the bank."""
    return None if status in REFUNDABLE and left > 0 else Refusal.NOT_REFUNDABLE


def refusal_to_withdraw(status: Status, paid_at: datetime | None, waiver: Waiver, now: datetime) -> Refusal | None:
    """Return why a student can no longer withdraw from an order."""
    if status not in REFUNDABLE or paid_at is None:
        return Refusal.NOT_REFUNDABLE
    if waiver.is_whole:
        return Refusal.WITHDRAWAL_WAIVED
    return Refusal.WITHDRAWAL_OVER if now - paid_at > WITHDRAWAL else None
