"""The tables of purchase.

Locks are taken in one order everywhere: a payment, then all orders of one student and course by their ids, then their
entitlements. So whatever is heard of them at the same time is worked out one after another.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    false,
    text,
)

metadata = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})


def _instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


course_copies = Table(
    "course_copies",
    metadata,
    Column("course_id", Uuid, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("slug", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("instructor_id", Uuid, nullable=False),
    Column("price_amount", BigInteger, nullable=False),
    Column("price_currency", Text, nullable=False),
    Column("unlock_streak_days", Integer),
    CheckConstraint("status in ('draft', 'published', 'unpublished', 'archived', 'deleted')", "status"),
    CheckConstraint("price_amount >= 0", "price"),
)
"""Catalog's courses as last heard of; a deleted one stays as a tombstone."""

orders = Table(
    "orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("course_id", Uuid, nullable=False),
    Column("instructor_id", Uuid, nullable=False),
    Column("title", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("ref", Text),
    Column("status", Text, nullable=False),
    _instant("placed_at"),
    _instant("consented_at"),
    _instant("acknowledged_at"),
    _instant("confirmed_at", nullable=True),
    Column("waiver_text", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("success_url", Text, nullable=False),
    Column("cancel_url", Text, nullable=False),
    Column("session_key", Uuid, nullable=False),
    Column("session_id", Text, unique=True),
    Column("checkout_url", Text),
    _instant("expires_at"),
    _instant("processing_at", nullable=True),
    _instant("failed_at", nullable=True),
    _instant("expired_at", nullable=True),
    _instant("paid_at", nullable=True),
    Column("refunded", BigInteger, nullable=False, server_default=text("0")),
    Column("refund_due", Boolean, nullable=False, server_default=false()),
    Column("receipt_url", Text),
    CheckConstraint("amount > 0 and currency ~ '^[A-Z]{3}$'", "amount"),
    CheckConstraint(
        "status in ('open', 'processing', 'paid', 'partially_refunded', 'refunded', 'disputed', 'charged_back', "
        "'failed', 'expired')",
        "status",
    ),
    CheckConstraint("(paid_at is null) = (status in ('open', 'processing', 'failed', 'expired'))", "paid"),
    CheckConstraint("refunded >= 0 and (refunded = 0 or paid_at is not null)", "refunded"),
    CheckConstraint("not refund_due or paid_at is not null", "refund_due"),
    CheckConstraint("confirmed_at is null or paid_at is not null", "confirmed"),
    Index("orders_one_open", "user_id", "course_id", unique=True, postgresql_where=text("status = 'open'")),
    Index("orders_of_user", "user_id", "placed_at", "order_id"),
    Index("orders_by_time", "placed_at", "order_id"),
    Index("orders_refund_due", "placed_at", "order_id", postgresql_where=text("refund_due")),
    Index("orders_by_status", "status", "placed_at", "order_id"),
    Index("orders_without_receipt", "paid_at", postgresql_where=text("paid_at is not null and receipt_url is null")),
)
"""A student's order of a course, at the price of then; `status`, `refunded` and `refund_due` follow from the facts.

`session_key` is the idempotency key towards Stripe, committed before Stripe is asked. `consented_at`,
`acknowledged_at` and `confirmed_at` are the three parts of the waiver of the right of withdrawal, `waiver_text` is what
was agreed to. `refund_due`: paid though another order holds the right to the course already.
"""

payments = Table(
    "payments",
    metadata,
    Column("payment_intent_id", Text, primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.order_id"), unique=True),
    _instant("heard_at"),
)
"""Payments as Stripe names them. Without an order, something was heard of one whose session was not heard of yet."""

refunds = Table(
    "refunds",
    metadata,
    Column("payment_intent_id", Text, ForeignKey("payments.payment_intent_id"), primary_key=True),
    Column("refunded", BigInteger, primary_key=True),
    _instant("refunded_at"),
    CheckConstraint("refunded > 0", "refunded"),
)
"""So much of a payment was given back in all by then."""

disputes = Table(
    "disputes",
    metadata,
    Column("dispute_id", Text, primary_key=True),
    Column("payment_intent_id", Text, ForeignKey("payments.payment_intent_id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    _instant("closed_at", nullable=True),
    CheckConstraint("status in ('inquiry', 'open', 'won', 'lost')", "status"),
    CheckConstraint("status <> 'lost' or closed_at is not null", "closed"),
    Index("disputes_payment", "payment_intent_id"),
)
"""Disputes over payments."""

stripe_events = Table(
    "stripe_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    _instant("created_at"),
    _instant("received_at"),
)
"""Stripe's events that had their effect; written in its transaction."""

refund_requests = Table(
    "refund_requests",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.order_id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    _instant("requested_at"),
    Column("refund_id", Text, unique=True),
    Column("failure", Text),
    CheckConstraint("amount > 0", "amount"),
    CheckConstraint("reason in ('admin', 'withdrawal')", "reason"),
    CheckConstraint("refund_id is null or failure is null", "ended"),
    Index(
        "refund_requests_one_under_way",
        "order_id",
        unique=True,
        postgresql_where=text("refund_id is null and failure is null"),
    ),
    Index("refund_requests_order", "order_id"),
)
"""Refunds that we ask of Stripe; `request_id` is the idempotency key, committed before Stripe is asked."""

entitlements = Table(
    "entitlements",
    metadata,
    Column("entitlement_id", Uuid, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("course_id", Uuid, nullable=False),
    Column("source", Text, nullable=False),
    Column("order_id", Uuid, ForeignKey("orders.order_id"), unique=True),
    Column("reason", Text),
    Column("granted_by", Uuid),
    _instant("granted_at"),
    Column("live", Boolean, nullable=False),
    _instant("ended_at", nullable=True),
    CheckConstraint("source in ('purchase', 'free', 'gift', 'unlock')", "source"),
    CheckConstraint("(source = 'purchase') = (order_id is not null)", "order"),
    CheckConstraint("live = (ended_at is null)", "live"),
    Index("entitlements_one_live", "user_id", "course_id", "source", unique=True, postgresql_where=text("live")),
    Index("entitlements_of_user", "user_id", "course_id"),
)
"""Rights to courses; access is any live one. `sequence` grows with each change that is told."""
