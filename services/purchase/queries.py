"""The reads of purchase."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Row, exists, func, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.engine import Connection

from contracts.errors import FieldError, Invalid, NotFound
from contracts.events.base import Instant
from contracts.events.catalog import Money
from contracts.events.purchase import EntitlementChanged
from services.purchase.domain.checkout import Offer
from services.purchase.domain.entitlements import Right, access_of
from services.purchase.domain.orders import Status
from services.purchase.domain.refunds import Waiver
from services.purchase.entitlements import changed
from services.purchase.tables import course_copies, entitlements, orders, payments, refund_requests


@dataclass(frozen=True)
class OfferFacts:
    """A course as it is offered to someone, and what they have of it already."""

    offer: Offer
    slug: str
    title: str
    instructor_id: UUID
    access: str | None
    is_processing: bool


@dataclass(frozen=True)
class HeardEntitlement:
    """A right to a course as its event last told it, with that event's sequence."""

    sequence: int
    entitlement: EntitlementChanged


@dataclass(frozen=True)
class CourseAccess:
    """Whether and why someone may see a course ("none" without access), and all their rights to it, ended ones too."""

    has_access: bool
    reason: str
    entitlements: list[HeardEntitlement]


@dataclass(frozen=True)
class Enrollment:
    """A course that someone holds, since when and why, and how far they are in it."""

    course_id: UUID
    enrolled_at: datetime
    source: str
    percent: int = 0
    next_lesson_id: str | None = None
    completed_at: str | None = None


@dataclass(frozen=True)
class EnrollmentPage:
    """A page of someone's courses, newest first."""

    items: list[Enrollment]
    next_cursor: str | None


@dataclass(frozen=True)
class Order:
    """An order; of the buyer and the ref only the buyer's id and the word are known here."""

    id: UUID
    course_id: UUID
    user_id: UUID
    amount: Money
    status: str
    created_at: datetime
    paid_at: datetime | None
    refunded: Money
    refund_due: bool
    withdrawal_waived: bool
    receipt_url: str | None
    ref: str | None


@dataclass(frozen=True)
class OrderPage:
    """A page of orders, newest first."""

    items: list[Order]
    next_cursor: str | None


@dataclass(frozen=True)
class RefundRequest:
    """A refund to ask Stripe for, under way until it was made or has failed; `request_id` is its idempotency key."""

    request_id: UUID
    order_id: UUID
    payment_intent_id: str
    amount: int
    currency: str
    is_under_way: bool
    has_failed: bool


def offer_facts(connection: Connection, user_id: UUID, course_id: UUID, role: str) -> OfferFacts | None:
    """A course as it is offered to someone; None when our copy does not know it."""
    course = connection.execute(
        select(
            course_copies,
            exists()
            .where(orders.c.user_id == user_id, orders.c.course_id == course_id)
            .where(orders.c.status == Status.PROCESSING.value)
            .label("is_processing"),
        ).where(course_copies.c.course_id == course_id)
    ).first()
    if course is None:
        return None
    access = access_of(
        _rights(_entitlements(connection, user_id, course_id)),
        is_author=course.instructor_id == user_id,
        role=role,
    )
    offer = Offer(course.status, course.price_amount, course.price_currency, course.unlock_streak_days)
    return OfferFacts(offer, course.slug, course.title, course.instructor_id, access, course.is_processing)


def course_access(connection: Connection, user_id: UUID, course_id: UUID, role: str) -> CourseAccess:
    """Whether and why someone may see a course."""
    rows = _entitlements(connection, user_id, course_id)
    instructor_id = connection.execute(
        select(course_copies.c.instructor_id).where(course_copies.c.course_id == course_id)
    ).scalar_one_or_none()
    access = access_of(_rights(rows), is_author=instructor_id == user_id, role=role)
    return CourseAccess(
        access is not None, access or "none", [HeardEntitlement(row.sequence, changed(row)) for row in rows]
    )


def was_published(connection: Connection, course_id: UUID) -> bool:
    """Whether our copy knows the course, and knows it as published now or before."""
    return bool(
        connection.execute(
            select(
                exists().where(
                    course_copies.c.course_id == course_id, course_copies.c.status.not_in(("draft", "deleted"))
                )
            )
        ).scalar_one()
    )


def enrollments(connection: Connection, user_id: UUID, limit: int, cursor: str | None) -> EnrollmentPage:
    """A page of the courses that someone holds by a live right, each once, since the oldest of them.

    Raises `Invalid` for a cursor that is none of ours.
    """
    held = (
        select(entitlements.c.course_id, entitlements.c.granted_at, entitlements.c.source)
        .ext(distinct_on(entitlements.c.course_id))
        .where(entitlements.c.user_id == user_id, entitlements.c.live)
        .order_by(entitlements.c.course_id, entitlements.c.granted_at, entitlements.c.entitlement_id)
        .subquery()
    )
    key = (held.c.granted_at, held.c.course_id)
    statement = select(held).order_by(*(column.desc() for column in key)).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(tuple_(*key) < tuple_(*_read_cursor(cursor)))
    rows = connection.execute(statement).all()
    items = [Enrollment(row.course_id, row.granted_at, row.source) for row in rows[:limit]]
    return EnrollmentPage(items, _cursor(items[-1].enrolled_at, items[-1].course_id) if len(rows) > limit else None)


def order_page(
    connection: Connection,
    limit: int,
    cursor: str | None,
    *,
    user_id: UUID | None = None,
    status: Status | None = None,
    refund_due: bool | None = None,
) -> OrderPage:
    """A page of orders, newest first: all, or those that are as asked. Raises `Invalid` for a bad cursor."""
    key = (orders.c.placed_at, orders.c.order_id)
    statement = select(orders).order_by(*(column.desc() for column in key)).limit(limit + 1)
    for column, wanted in (
        (orders.c.user_id, user_id),
        (orders.c.status, None if status is None else status.value),
        (orders.c.refund_due, refund_due),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if cursor is not None:
        statement = statement.where(tuple_(*key) < tuple_(*_read_cursor(cursor)))
    rows = connection.execute(statement).all()
    items = [_order(row) for row in rows[:limit]]
    return OrderPage(items, _cursor(items[-1].created_at, items[-1].id) if len(rows) > limit else None)


def order(connection: Connection, order_id: UUID) -> Row[Any]:
    """An order that is there."""
    return connection.execute(select(orders).where(orders.c.order_id == order_id)).one()


def holds(connection: Connection, user_id: UUID, course_id: UUID) -> bool:
    """Whether someone has a live right to a course."""
    return any(right.live for right in _rights(_entitlements(connection, user_id, course_id)))


def has_without_paying(connection: Connection, user_id: UUID, course_id: UUID) -> bool:
    """Whether someone has a live right to a course that was not bought."""
    rights = _rights(_entitlements(connection, user_id, course_id))
    return any(right.live and right.source != "purchase" for right in rights)


def gift(connection: Connection, grant_id: UUID) -> Row[Any] | None:
    """A course that was given, whether it still is or not."""
    return connection.execute(
        select(entitlements).where(entitlements.c.entitlement_id == grant_id, entitlements.c.source == "gift")
    ).first()


def open_order(connection: Connection, user_id: UUID, course_id: UUID) -> Row[Any] | None:
    """The order of a student and course that waits to be paid."""
    return connection.execute(
        select(orders).where(
            orders.c.user_id == user_id, orders.c.course_id == course_id, orders.c.status == Status.OPEN.value
        )
    ).first()


def locked_order(connection: Connection, order_id: UUID) -> Row[Any]:
    """An order, locked. Raises `NotFound`."""
    row = connection.execute(select(orders).where(orders.c.order_id == order_id).with_for_update()).first()
    if row is None:
        raise NotFound
    return row


REFUND_UNDER_WAY = refund_requests.c.refund_id.is_(None) & refund_requests.c.failure.is_(None)


def refund_requests_where(connection: Connection, which: ColumnElement[bool]) -> list[RefundRequest]:
    """Those of the refunds that we asked for, the oldest first."""
    rows = connection.execute(
        select(
            refund_requests.c.request_id,
            refund_requests.c.order_id,
            payments.c.payment_intent_id,
            refund_requests.c.amount,
            orders.c.currency,
            REFUND_UNDER_WAY,
            refund_requests.c.failure.is_not(None),
        )
        .join(orders, orders.c.order_id == refund_requests.c.order_id)
        .join(payments, payments.c.order_id == orders.c.order_id)
        .where(which)
        .order_by(refund_requests.c.requested_at)
    )
    return [RefundRequest(*row) for row in rows]


def requested(connection: Connection, order_id: UUID) -> int:
    """How much of an order's payment we asked Stripe to give back, what it refused left out."""
    return int(
        connection.execute(
            select(func.coalesce(func.sum(refund_requests.c.amount), 0)).where(
                refund_requests.c.order_id == order_id, refund_requests.c.failure.is_(None)
            )
        ).scalar_one()
    )


def payments_without_receipt(connection: Connection, since: datetime, limit: int) -> Sequence[tuple[UUID, str]]:
    """Orders whose payment was heard of since, the latest first, and whose receipt is not known; with the payments."""
    rows = connection.execute(
        select(orders.c.order_id, payments.c.payment_intent_id)
        .join(payments, payments.c.order_id == orders.c.order_id)
        .where(orders.c.paid_at.is_not(None), orders.c.receipt_url.is_(None), payments.c.heard_at > since)
        .order_by(orders.c.paid_at.desc())
        .limit(limit)
    )
    return [(row.order_id, row.payment_intent_id) for row in rows]


def _entitlements(connection: Connection, user_id: UUID, course_id: UUID) -> Sequence[Row[Any]]:
    return connection.execute(
        select(entitlements).where(entitlements.c.user_id == user_id, entitlements.c.course_id == course_id)
    ).all()


def _rights(rows: Sequence[Row[Any]]) -> list[Right]:
    return [Right(row.entitlement_id, row.source, row.live, row.granted_at) for row in rows]


def _order(row: Row[Any]) -> Order:
    return Order(
        id=row.order_id,
        course_id=row.course_id,
        user_id=row.user_id,
        amount=Money(row.amount, row.currency),
        status=row.status,
        created_at=row.placed_at,
        paid_at=row.paid_at,
        refunded=Money(row.refunded, row.currency),
        refund_due=row.refund_due,
        withdrawal_waived=Waiver(row.consented_at, row.acknowledged_at, row.confirmed_at).is_whole,
        receipt_url=row.receipt_url,
        ref=row.ref,
    )


def _cursor(at: datetime, id: UUID) -> str:
    return urlsafe_b64encode(msgspec.json.encode((at, id))).decode()


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor.encode()), type=tuple[Instant, UUID])
    except ValueError as error:
        raise Invalid(errors=(FieldError("/cursor", "bad-cursor"),)) from error
