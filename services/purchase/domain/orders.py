"""An order as a function of what was heard of it: the same facts, in any order and number, make the same order.

Stripe repeats its webhooks for days and promises no order, so nothing here depends on what came before what: facts are
kept, and the state is worked out from all of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Literal
from uuid import UUID


class Status(Enum):
    """What has become of an order."""

    OPEN = "open"
    PROCESSING = "processing"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    CHARGED_BACK = "charged_back"
    FAILED = "failed"
    EXPIRED = "expired"


ENTITLING = frozenset({Status.PAID, Status.PARTIALLY_REFUNDED})
"""An order gives a right to its course while it is in one of these."""

DisputeStatus = Literal["inquiry", "open", "won", "lost"]
_WEIGHT: dict[DisputeStatus, int] = {"inquiry": 0, "open": 1, "won": 2, "lost": 2}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Dispute:
    """A dispute over a payment; an inquiry has not taken the money, an open one has. `closed_at` is when it ended."""

    dispute_id: str
    status: DisputeStatus
    amount: int
    closed_at: datetime | None


@dataclass(frozen=True)
class Facts:
    """What is known of an order's payment; amounts are in the smallest unit of the order's currency.

    `refunded` is the greatest total of refunds heard of.
    """

    amount: int
    processing_at: datetime | None = None
    failed_at: datetime | None = None
    expired_at: datetime | None = None
    paid_at: datetime | None = None
    refunded: int = 0
    disputes: tuple[Dispute, ...] = ()


@dataclass(frozen=True)
class Claim:
    """An order that by its own facts gives a right to its course."""

    order_id: UUID
    paid_at: datetime


def status_of(facts: Facts) -> Status:
    """Return the state of an order; a payment outweighs whatever else was heard of the way to it."""
    if facts.paid_at is None:
        for at, status in (
            (facts.failed_at, Status.FAILED),
            (facts.expired_at, Status.EXPIRED),
            (facts.processing_at, Status.PROCESSING),
        ):
            if at is not None:
                return status
        return Status.OPEN
    disputes = {dispute.status for dispute in facts.disputes}
    if "lost" in disputes:
        return Status.CHARGED_BACK
    if facts.refunded >= facts.amount:
        return Status.REFUNDED
    if "open" in disputes:
        return Status.DISPUTED
    return Status.PARTIALLY_REFUNDED if facts.refunded > 0 else Status.PAID


def holder(claims: Iterable[Claim], incumbent: UUID | None) -> UUID | None:
    """Return which of a student's orders of one course holds the right to it: the others were paid once too often.

    The one that holds it keeps it while it can, so that others need not hear of a change that changes nothing.
    """
    in_order = sorted(claims, key=lambda claim: (claim.paid_at, claim.order_id))
    if incumbent in {claim.order_id for claim in in_order}:
        return incumbent
    return in_order[0].order_id if in_order else None


def dispute_status(said: str) -> DisputeStatus:
    """Return what Stripe's status of a dispute means for us (docs.stripe.com/api/disputes/object)."""
    if said.startswith("warning_"):
        return "inquiry"
    if said in ("won", "prevented"):
        return "won"
    return "lost" if said == "lost" else "open"


def merged(known: Dispute, heard: Dispute) -> Dispute:
    """Return a dispute of which both was heard, in either order.

    The end of it outweighs its beginning, and of two ends the later: one that was lost can be won on appeal.
    """
    return max(known, heard, key=_finality)


def _finality(dispute: Dispute) -> tuple[int, datetime, str, int]:
    return _WEIGHT[dispute.status], dispute.closed_at or _LONG_AGO, dispute.status, dispute.amount


def is_as_ordered(amount: int, currency: str, paid_amount: int | None, paid_currency: str | None) -> bool:
    """Return whether what was paid is what the order asks for; Stripe writes currencies in small letters."""
    return paid_amount == amount and (paid_currency or "").upper() == currency
