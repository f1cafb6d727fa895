"""On which instants the money of an order moved, and which currency an instructor's figures are in."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class RefundTotal:
    """So much of an order's payment had been given back in all by then."""

    refunded: int
    refunded_at: datetime


@dataclass(frozen=True)
class Chargeback:
    """A dispute that was lost."""

    amount: int
    charged_back_at: datetime


@dataclass(frozen=True)
class Movement:
    """What an order adds to an instructor's figures at one instant; amounts in the currency's smallest unit."""

    at: datetime
    sales: int
    gross: int
    refunds: int


def movements(
    price: int, paid_at: datetime, refund_totals: Iterable[RefundTotal], chargebacks: Iterable[Chargeback]
) -> list[Movement]:
    """Return the movements of a paid order in their order, one an instant; in all never more is lost than was paid."""
    lost: defaultdict[datetime, int] = defaultdict(int)
    known = 0
    for total in sorted(refund_totals, key=lambda total: total.refunded):
        lost[total.refunded_at] += total.refunded - known
        known = total.refunded
    for chargeback in chargebacks:
        lost[chargeback.charged_back_at] += chargeback.amount
    refunds: dict[datetime, int] = {}
    left = price
    for at, amount in sorted(lost.items()):
        refunds[at] = min(amount, left)
        left -= refunds[at]
    return [
        Movement(at, int(at == paid_at), price if at == paid_at else 0, refunds.get(at, 0))
        for at in sorted({paid_at, *(at for at, amount in refunds.items() if amount)})
    ]


def main_currency(academy_currency: str, sold_in: Collection[str]) -> str:
    """Return the currency of an instructor's figures: the academy's, unless all was sold in one other."""
    return next(iter(sold_in)) if len(sold_in) == 1 else academy_currency
