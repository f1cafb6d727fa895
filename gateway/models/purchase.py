"""Orders, access and enrollments on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from gateway.models.accounts import Ref
from gateway.models.catalog import CourseSummary, MoneyOut, Url
from gateway.schemas import In, Line, Out, Page

Reason = Literal["purchase", "free", "gift", "unlock", "author", "admin", "none"]
Source = Literal["purchase", "free", "gift", "unlock"]
OrderStatus = Literal[
    "open",
    "processing",
    "paid",
    "partially_refunded",
    "refunded",
    "disputed",
    "charged_back",
    "failed",
    "expired",
]


class Checkout(In):
    """A course to be taken; the addresses lie within the front end's origins, `ref` is the link that led here."""

    success_url: Url | None = None
    cancel_url: Url | None = None
    withdrawal_waiver: bool = False
    ref: Ref | None = None


class CheckoutOut(Out):
    """Where to pay; all null when nothing is to be paid and access is there at once."""

    order_id: UUID | None
    session_id: str | None
    checkout_url: str | None


class Access(Out):
    """Whether and why someone may see a course."""

    has_access: bool
    reason: Reason


class Enrollment(Out):
    """A course that someone holds, and how far they are in it."""

    course: CourseSummary
    enrolled_at: datetime
    source: Source
    percent: int = Field(ge=0, le=100)
    next_lesson_id: UUID | None
    completed_at: datetime | None


class Enrollments(Out):
    """A page of someone's courses."""

    items: list[Enrollment]
    next_cursor: str | None


class Order(Out):
    """An order; `receipt_url` is null until Stripe has made the receipt."""

    id: UUID
    course_id: UUID
    amount: MoneyOut
    status: OrderStatus
    created_at: datetime
    refunded: MoneyOut
    withdrawal_waived: bool
    receipt_url: str | None


class Orders(Out):
    """A page of orders."""

    items: list[Order]
    next_cursor: str | None


class Buyer(Out):
    """Who bought; without a name once the account is erased."""

    id: UUID
    display_name: str


class ListedOrder(Order):
    """An order in the admins' list; `refund_due`: paid, though the buyer holds the course by another order."""

    user: Buyer
    paid_at: datetime | None
    refund_due: bool
    ref: str | None


class ListedOrders(Out):
    """A page of the admins' list of orders."""

    items: list[ListedOrder]
    next_cursor: str | None


class OrdersQuery(Page):
    """Which orders are asked for."""

    status: OrderStatus | None = None
    refund_due: bool | None = None
    user_id: UUID | None = None


class RefundIn(In):
    """How much to give back, in the smallest unit of the order's currency; all that is left unless said."""

    amount: int | None = Field(default=None, ge=1, le=100_000_000)


class RefundOut(Out):
    """A refund that was asked for; the order changes when Stripe has made it."""

    order_id: UUID
    amount: MoneyOut


class NewGrant(In):
    """A course to be given to someone."""

    user_id: UUID
    reason: Annotated[Line, Field(min_length=1, max_length=500)]


class GrantOut(Out):
    """A course that was given."""

    id: UUID
    user_id: UUID
    course_id: UUID
    reason: str
    granted_at: datetime


class Received(Out):
    """Stripe's event had its effect, or needs none."""

    received: bool
