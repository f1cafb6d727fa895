"""Events of purchase: rights to courses, and the money of orders."""

from typing import ClassVar, Literal
from uuid import UUID

from contracts.events.base import Event, Instant
from contracts.events.catalog import Money

Source = Literal["purchase", "free", "gift", "unlock"]


class EntitlementChanged(Event, frozen=True):
    """The whole state of one right to a course; a copy ignores an older `sequence`. Access is any live one.

    `ended_at` is set while it is not live; one that ended may live again, a dispute that was won for instance.
    """

    type: ClassVar[str] = "purchase.entitlement_changed.v1"
    entitlement_id: UUID
    user_id: UUID
    course_id: UUID
    source: Source
    live: bool
    granted_at: Instant
    ended_at: Instant | None = None

    def partition_key(self) -> str:
        return str(self.entitlement_id)


class OrderPaid(Event, frozen=True):
    """An order was paid; told once per order. `ref` is the link that brought the buyer to the checkout, if any."""

    type: ClassVar[str] = "purchase.order_paid.v1"
    order_id: UUID
    user_id: UUID
    course_id: UUID
    instructor_id: UUID
    price: Money
    placed_at: Instant
    paid_at: Instant
    ref: str | None = None

    def partition_key(self) -> str:
        return str(self.order_id)


class OrderRefunded(Event, frozen=True):
    """So much of an order's payment had been given back in all by then; told once per order and total.

    What one refund gave is the difference to the next smaller total: so these facts commute.
    """

    type: ClassVar[str] = "purchase.order_refunded.v1"
    order_id: UUID
    refunded: Money
    refunded_at: Instant

    def partition_key(self) -> str:
        return str(self.order_id)


class OrderChargedBack(Event, frozen=True):
    """A dispute over an order's payment was lost; told once per dispute."""

    type: ClassVar[str] = "purchase.order_charged_back.v1"
    order_id: UUID
    dispute_id: str
    amount: Money
    charged_back_at: Instant

    def partition_key(self) -> str:
        return str(self.order_id)
