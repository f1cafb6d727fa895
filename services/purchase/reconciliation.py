"""Finds what webhooks missed: asks Stripe for what it has, and lets that be heard like any webhook."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from chassis.database import Database
from contracts.errors import BadRequest
from services.purchase import settlement
from services.purchase.payments import Payments
from services.purchase.stripe_events import Heard

DISPUTE_LASTS = timedelta(days=180)

Kind = Literal["sessions", "refunds", "disputes"]


@dataclass(frozen=True)
class Reconciled:
    """What some of Stripe's objects of a kind brought to light; `next` goes on from there, None at the end.

    `unknown` counts payment pages of orders that are not here.
    """

    looked_at: int
    repaired: list[UUID]
    unknown: int
    next: str | None


def reconcile(
    database: Database, payments: Payments, kind: Kind, since: datetime, after: str | None, now: datetime
) -> Reconciled:
    """Let what Stripe has of a kind be heard, from `since` on and from `after` on; what is known changes nothing."""
    heard: Sequence[Heard]
    match kind:
        case "sessions":
            heard, next_one = payments.sessions(since, after)
        case "refunds":
            heard, next_one = payments.refunds(since, after)
        case "disputes":
            # they are listed by when they were opened, and last for months
            heard, next_one = payments.disputes(since - DISPUTE_LASTS, after)
    repaired, unknown = [], 0
    for one in heard:
        try:
            with database.unit_of_work() as unit_of_work:
                changed = settlement.hear(unit_of_work, one, now)
        except BadRequest:
            unknown += 1
            continue
        if changed is not None:
            repaired.append(changed)
    return Reconciled(len(heard), repaired, unknown, next_one)
