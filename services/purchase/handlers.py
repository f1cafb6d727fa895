"""The use cases of purchase.

Stripe and catalog are asked outside of any transaction; the keys that make asking twice harmless are committed before.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import Row, func, text, update
from sqlalchemy.dialects.postgresql import insert

from chassis import telemetry
from chassis.database import Database, UnitOfWork
from chassis.rpc_client import Caller
from contracts.errors import BadRequest, Conflict, FieldError, Invalid, NotFound, ServiceError, Unavailable
from contracts.events.catalog import Money
from contracts.events.gamification import CourseUnlocked
from contracts.events.progress import FreeEntitlementGranted
from services.purchase import entitlements as rights
from services.purchase import queries, settlement
from services.purchase.alarms import alarm
from services.purchase.courses import Courses
from services.purchase.domain import checkout, refunds
from services.purchase.domain.checkout import Offer
from services.purchase.domain.orders import Status
from services.purchase.domain.refusals import Refusal
from services.purchase.payments import KeySpent, OrderToPay, Page, Payments, Refused
from services.purchase.stripe_events import understood, verified
from services.purchase.tables import entitlements, orders, refund_requests, stripe_events

UNANSWERED = timedelta(seconds=10)
"""A refund that Stripe was asked for so long ago without an answer is asked for again."""

RECEIPT_EXPECTED = timedelta(days=3)
"""Stripe makes a receipt with the payment; one that it has not made by then it will not make."""

AT_ONCE = 20

ATTEMPTS = 3
"""So many keys a checkout may spend."""

EMAIL_REFUSED = "email_invalid"

KEY_LASTS = timedelta(hours=20)
"""Stripe forgets an idempotency key after 24 hours: a refund is never asked for again under one that old."""

_log = telemetry.get_logger("purchase")


@dataclass(frozen=True)
class Wanted:
    """What a student wants to take, and how they are to pay; addresses are None for the front end's own pages."""

    user_id: UUID
    course_id: UUID
    role: str
    email: str | None
    locale: str
    success_url: str | None
    cancel_url: str | None
    withdrawal_waiver: bool
    waiver_text: str
    ref: str | None


@dataclass(frozen=True)
class Checkout:
    """Where to pay; all None when nothing is to be paid and access is there at once."""

    order_id: UUID | None = None
    session_id: str | None = None
    checkout_url: str | None = None


@dataclass(frozen=True)
class RequestedRefund:
    """A refund that was asked for."""

    order_id: UUID
    amount: Money


@dataclass(frozen=True)
class Grant:
    """A course that was given to someone."""

    id: UUID
    user_id: UUID
    course_id: UUID
    reason: str
    granted_at: datetime


def _error(refusal: Refusal) -> ServiceError:
    match refusal:
        case Refusal.NOT_THERE:
            return NotFound()
        case Refusal.WAIVER_REQUIRED:
            return Invalid(errors=(FieldError("/withdrawal_waiver", refusal.value),))
        case _:
            return Conflict(refusal.value)


def create_checkout(
    database: Database, courses: Courses, payments: Payments, wanted: Wanted, front_url: str, now: datetime
) -> Checkout:
    """Let a student take a course: a free one at once, else on a payment page, the same until it is paid or closed.

    Raises `NotFound`, `Conflict`, `Invalid`, and `Unavailable` while Stripe is silent; then asking again goes on with
    the same order.
    """
    facts = _offered(database, courses, wanted)
    _close_outdated(database, payments, wanted.user_id, wanted.course_id, facts.offer, now)
    if facts.offer.price == 0:
        with database.unit_of_work() as unit_of_work:
            if rights.grant(unit_of_work, wanted.user_id, wanted.course_id, "free", now) is None:
                raise _error(Refusal.ALREADY_OWNED)
        return Checkout()
    order = _open_order(database, wanted, facts, front_url, now)
    if order.session_id is None:
        order = _with_page(database, payments, order, wanted.email, now)
    return Checkout(order.order_id, order.session_id, order.checkout_url)


def _offered(database: Database, courses: Courses, wanted: Wanted) -> queries.OfferFacts:
    """Return the course as it is offered. What catalog could tell otherwise is first asked of it."""

    def find() -> tuple[queries.OfferFacts | None, Refusal | None]:
        with database.single_statement() as unit_of_work:
            found = queries.offer_facts(unit_of_work.connection, wanted.user_id, wanted.course_id, wanted.role)
        if found is None:
            return None, Refusal.NOT_THERE
        return found, checkout.refusal_to_check_out(
            found.offer, found.access, is_processing=found.is_processing, waiver=wanted.withdrawal_waiver
        )

    found, refusal = find()
    if refusal not in (None, Refusal.ALREADY_OWNED, Refusal.PAYMENT_UNDER_WAY):
        courses.refresh(wanted.course_id)
        found, refusal = find()
    if found is None or refusal is not None:
        raise _error(refusal or Refusal.NOT_THERE)
    return found


def _close_outdated(
    database: Database, payments: Payments, user_id: UUID, course_id: UUID, offer: Offer | None, now: datetime
) -> None:
    """Close the student's open order of the course unless it can be gone on with; without an offer it cannot.

    Raises `Conflict` where it was paid meanwhile.
    """
    with database.single_statement() as unit_of_work:
        order = queries.open_order(unit_of_work.connection, user_id, course_id)
    if order is None:
        return
    if offer and checkout.is_reusable(offer, order.amount, order.currency, order.expires_at, now):
        return
    paid = None if order.session_id is None else payments.close_page(order.session_id)
    if paid is not None:
        # its webhook is late, or lost
        with database.unit_of_work() as unit_of_work:
            settlement.hear(unit_of_work, paid, now)
        raise _error(Refusal.PAYMENT_UNDER_WAY)
    _end_order(database, order.order_id, "expired", now)


def _end_order(database: Database, order_id: UUID, status: str, now: datetime) -> None:
    with database.single_statement() as unit_of_work:
        unit_of_work.connection.execute(
            update(orders)
            .where(orders.c.order_id == order_id, orders.c.status == "open")
            .values({"status": status, f"{status}_at": now})
        )


def _open_order(
    database: Database, wanted: Wanted, facts: queries.OfferFacts, front_url: str, now: datetime
) -> Row[Any]:
    """Return the student's one open order of the course, made when there is none; the last `ref` counts."""
    page = f"{front_url}/courses/{facts.slug}"
    statement = insert(orders).values(
        order_id=uuid4(),
        user_id=wanted.user_id,
        course_id=wanted.course_id,
        instructor_id=facts.instructor_id,
        title=facts.title,
        amount=facts.offer.price,
        currency=facts.offer.currency,
        ref=wanted.ref,
        status=Status.OPEN.value,
        placed_at=now,
        consented_at=now,
        acknowledged_at=now,
        waiver_text=wanted.waiver_text,
        locale=wanted.locale,
        success_url=wanted.success_url or f"{page}?checkout=success",
        cancel_url=wanted.cancel_url or page,
        session_key=uuid4(),
        expires_at=now + checkout.PAYABLE,
    )
    with database.unit_of_work() as unit_of_work:
        # behind the lock, since it may have been paid a moment ago
        settlement.lock_pair(unit_of_work.connection, wanted.user_id, wanted.course_id)
        if queries.holds(unit_of_work.connection, wanted.user_id, wanted.course_id):
            raise _error(Refusal.ALREADY_OWNED)
        return unit_of_work.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["user_id", "course_id"],
                # in words: the planner does not match a parameter with the index
                index_where=text("status = 'open'"),
                set_={"ref": func.coalesce(statement.excluded.ref, orders.c.ref)},
            ).returning(orders)
        ).one()


def _with_page(database: Database, payments: Payments, order: Row[Any], email: str | None, now: datetime) -> Row[Any]:
    """Return the order with its payment page: whoever asks for it at the same time, or again, gets the same one."""
    page = None
    for _ in range(ATTEMPTS):
        try:
            page = _page(payments, order, email)
            break
        except KeySpent:
            # asked for before with another address of the student's, or Stripe had a fault: nobody got an answer
            order = _renew_key(database, order)
        except Refused as error:
            if str(error) != EMAIL_REFUSED or email is None:
                _end_order(database, order.order_id, "failed", now)
                raise Conflict("payment-refused") from error
            # the student can still type another on the page
            email, order = None, _renew_key(database, order)
    if page is None:
        raise Unavailable(members={"retry_after": 2})
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(
            update(orders)
            .where(orders.c.order_id == order.order_id, orders.c.session_id.is_(None))
            .values(session_id=page.session_id, checkout_url=page.url)
        )
        order = queries.order(unit_of_work.connection, order.order_id)
    if order.status != Status.OPEN.value:
        # closed while Stripe was asked: nobody must pay on it
        payments.close_page(page.session_id)
        raise Unavailable(members={"retry_after": 1})
    return order


def _page(payments: Payments, order: Row[Any], email: str | None) -> Page:
    return payments.open_page(
        OrderToPay(
            order_id=order.order_id,
            key=str(order.session_key),
            title=order.title,
            amount=order.amount,
            currency=order.currency,
            email=email,
            locale=order.locale,
            waiver_text=order.waiver_text,
            success_url=order.success_url,
            cancel_url=order.cancel_url,
            expires_at=order.expires_at,
        )
    )


def _renew_key(database: Database, order: Row[Any]) -> Row[Any]:
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(
            update(orders)
            .where(orders.c.order_id == order.order_id, orders.c.session_key == order.session_key)
            .values(session_key=uuid4())
        )
        return queries.order(unit_of_work.connection, order.order_id)


def receive_stripe_event(
    database: Database, payload: str, signature: str, secret: str, *, livemode: bool, now: datetime
) -> None:
    """Let one of Stripe's events have its effect, once however often it comes; kinds that say nothing are ignored.

    Raises `BadRequest` where Stripe should send it again: it is not signed with our secret, or too long ago, or is of
    an order that we do not know.
    """
    try:
        event = verified(payload, signature, secret)
    except BadRequest:
        alarm("bad-signature")
        raise
    try:
        heard = understood(event)
    except BadRequest:
        alarm("not-understood", event_id=event.id, type=event.type)
        raise
    if event.account is not None or event.livemode != livemode:
        alarm("foreign-account", event_id=event.id, account=event.account, livemode=event.livemode)
        return
    if heard is None:
        _log.info("ignored", event_id=event.id, type=event.type)
        return
    with database.unit_of_work() as unit_of_work:
        received = unit_of_work.connection.execute(
            insert(stripe_events)
            .values(event_id=event.id, type=event.type, created_at=event.at, received_at=now)
            .on_conflict_do_nothing()
            .returning(stripe_events.c.event_id)
        ).first()
        if received is not None:
            settlement.hear(unit_of_work, heard, now)


def refund_order(
    database: Database, payments: Payments, order_id: UUID, amount: int | None, request_id: UUID, now: datetime
) -> RequestedRefund:
    """Give back some of an order's payment, or all that is left. Raises `NotFound`, `Conflict` and `Invalid`.

    However often the same request is made, it is one refund. The order changes when Stripe tells of it. While Stripe is
    silent the refund stays asked for, and is sent later.
    """
    with database.unit_of_work() as unit_of_work:
        order = queries.locked_order(unit_of_work.connection, order_id)
        request = _request_refund(unit_of_work, order, amount, "admin", request_id, now)
    return _refunded(database, payments, request)


def withdraw_order(
    database: Database, payments: Payments, user_id: UUID, order_id: UUID, now: datetime
) -> RequestedRefund:
    """Let a student withdraw from an order, where they have not waived that. Raises `NotFound` and `Conflict`."""
    with database.unit_of_work() as unit_of_work:
        order = queries.locked_order(unit_of_work.connection, order_id)
        if order.user_id != user_id:
            raise NotFound
        waiver = refunds.Waiver(order.consented_at, order.acknowledged_at, order.confirmed_at)
        refusal = refunds.refusal_to_withdraw(Status(order.status), order.paid_at, waiver, now)
        if refusal is not None:
            raise _error(refusal)
        request = _request_refund(unit_of_work, order, None, "withdrawal", uuid4(), now)
    return _refunded(database, payments, request)


def _request_refund(
    unit_of_work: UnitOfWork, order: Row[Any], amount: int | None, reason: str, request_id: UUID, now: datetime
) -> queries.RefundRequest:
    """Return the refund to ask Stripe for, committed before that; one that is under way is gone on with."""
    connection = unit_of_work.connection
    known = queries.refund_requests_where(connection, refund_requests.c.order_id == order.order_id)
    for one in known:
        if one.request_id == request_id:
            if one.has_failed:
                raise _error(Refusal.NOT_REFUNDABLE)
            return one
    under_way = next((one for one in known if one.is_under_way), None)
    asked_for = sum(one.amount for one in known if not one.has_failed)
    if under_way is not None:
        all_left = refunds.refundable(order.amount, order.refunded, asked_for - under_way.amount)
        if under_way.amount == (all_left if amount is None else amount):
            return under_way
        raise _error(Refusal.REFUND_UNDER_WAY)
    left = refunds.refundable(order.amount, order.refunded, asked_for)
    refusal = refunds.refusal_to_refund(Status(order.status), left)
    if refusal is not None:
        raise _error(refusal)
    if amount is not None and amount > left:
        raise Invalid(errors=(FieldError("/amount", "maximum", {"maximum": left}),))
    connection.execute(
        insert(refund_requests).values(
            request_id=request_id, order_id=order.order_id, amount=amount or left, reason=reason, requested_at=now
        )
    )
    [request] = queries.refund_requests_where(connection, refund_requests.c.request_id == request_id)
    return request


def _refunded(database: Database, payments: Payments, request: queries.RefundRequest) -> RequestedRefund:
    """Ask Stripe for a refund. While Stripe is silent it stays under way; raises `Conflict` where Stripe refuses it."""
    with suppress(Unavailable):
        if request.is_under_way:
            _send_refund(database, payments, request)
    return RequestedRefund(request.order_id, Money(request.amount, request.currency))


def _send_refund(database: Database, payments: Payments, request: queries.RefundRequest) -> None:
    values: dict[str, str] = {}
    try:
        values["refund_id"] = payments.refund(
            request.payment_intent_id, request.amount, request.order_id, str(request.request_id)
        )
    except Refused as error:
        values["failure"] = str(error)
    except KeySpent as error:
        # whether Stripe has made it nobody knows: it is found out by looking, never by another key
        raise Unavailable(members={"retry_after": 2}) from error
    with database.single_statement() as unit_of_work:
        unit_of_work.connection.execute(
            update(refund_requests).where(refund_requests.c.request_id == request.request_id).values(values)
        )
    if "failure" in values:
        alarm("refund-refused", order_id=request.order_id, amount=request.amount, failure=values["failure"])
        raise _error(Refusal.NOT_REFUNDABLE)


def settle(database: Database, payments: Payments, now: datetime) -> None:
    """Ask again for refunds that Stripe did not answer, and for receipts; one that fails keeps no other waiting."""
    _give_up_refunds(database, now)
    with database.single_statement() as unit_of_work:
        unanswered = queries.refund_requests_where(
            unit_of_work.connection, queries.REFUND_UNDER_WAY & (refund_requests.c.requested_at < now - UNANSWERED)
        )
    with database.single_statement() as unit_of_work:
        without = queries.payments_without_receipt(unit_of_work.connection, now - RECEIPT_EXPECTED, AT_ONCE)
    for request in unanswered:
        with suppress(Unavailable, Conflict):
            _send_refund(database, payments, request)
    for order_id, payment_intent_id in without:
        with suppress(Unavailable, Refused):
            _keep_receipt(database, order_id, payments.receipt_url(payment_intent_id))


def _give_up_refunds(database: Database, now: datetime) -> None:
    """End the refunds that Stripe never answered while it knew their keys: somebody must look what became of them."""
    with database.single_statement() as unit_of_work:
        ended = unit_of_work.connection.execute(
            update(refund_requests)
            .where(queries.REFUND_UNDER_WAY, refund_requests.c.requested_at < now - KEY_LASTS)
            .values(failure="unanswered")
            .returning(refund_requests.c.order_id, refund_requests.c.amount)
        ).all()
    for row in ended:
        alarm("refund-unanswered", order_id=row.order_id, amount=row.amount)


def _keep_receipt(database: Database, order_id: UUID, url: str | None) -> None:
    with database.single_statement() as unit_of_work:
        unit_of_work.connection.execute(update(orders).where(orders.c.order_id == order_id).values(receipt_url=url))


def grant_course(
    database: Database,
    courses: Courses,
    payments: Payments,
    user_id: UUID,
    course_id: UUID,
    reason: str,
    granted_by: UUID,
    request_id: UUID,
    now: datetime,
) -> Grant:
    """Give someone a course that was ever published; the same request again is the same gift.

    Raises `NotFound`, and `Conflict` while they hold another such gift.
    """

    def is_there() -> bool:
        with database.single_statement() as unit_of_work:
            return queries.was_published(unit_of_work.connection, course_id)

    if not is_there():
        courses.refresh(course_id)
        if not is_there():
            raise NotFound
    with suppress(Unavailable, Conflict):
        # nobody pays for what they are given; a gift does not wait for Stripe
        _close_outdated(database, payments, user_id, course_id, None, now)
    with database.unit_of_work() as unit_of_work:
        rights.grant(
            unit_of_work,
            user_id,
            course_id,
            "gift",
            now,
            entitlement_id=request_id,
            reason=reason,
            granted_by=granted_by,
        )
        given = queries.gift(unit_of_work.connection, request_id)
    if given is None:
        raise _error(Refusal.ALREADY_OWNED)
    return Grant(given.entitlement_id, given.user_id, given.course_id, given.reason, given.granted_at)


def revoke_grant(database: Database, course_id: UUID, grant_id: UUID, now: datetime) -> None:
    """Take a gift back; other rights to the course stay. Raises `NotFound` where there is no such live gift."""
    with database.unit_of_work() as unit_of_work:
        ended = rights.end(
            unit_of_work,
            now,
            entitlements.c.entitlement_id == grant_id,
            entitlements.c.course_id == course_id,
            entitlements.c.source == "gift",
        )
    if not ended:
        raise NotFound


def take_over(unit_of_work: UnitOfWork, granted: Iterable[FreeEntitlementGranted]) -> None:
    """Own the free entitlements that progress had before there was purchase; they keep their ids."""
    for one in granted:
        rights.grant(
            unit_of_work, one.user_id, one.course_id, "free", one.granted_at, entitlement_id=one.entitlement_id
        )


def unlock(unit_of_work: UnitOfWork, unlocked: Iterable[CourseUnlocked]) -> None:
    """Give students the bonus courses that their streaks have opened, once and for good; also courses unknown here."""
    for one in sorted(unlocked, key=lambda event: (event.user_id, event.course_id)):
        rights.grant(
            unit_of_work,
            one.user_id,
            one.course_id,
            "unlock",
            one.unlocked_at,
            entitlement_id=uuid5(one.user_id, f"unlock {one.course_id}"),
        )


def get_user_enrollments(
    database: Database, rpc: Caller, user_id: UUID, limit: int, cursor: str | None
) -> queries.EnrollmentPage:
    """A page of the courses that someone holds, newest first, with how far they are; progress is asked for that.

    Raises `Invalid` for a cursor that is none of ours, `Unavailable` while progress is silent.
    """
    with database.single_statement() as unit_of_work:
        page = queries.enrollments(unit_of_work.connection, user_id, limit, cursor)
    if not page.items:
        return page
    answer = rpc.call("progress", "get_standings", user_id=user_id, course_ids=[item.course_id for item in page.items])
    standings = {UUID(item.pop("course_id")): item for item in answer["items"]}
    # a course that progress has not heard of yet was not begun either
    return queries.EnrollmentPage(
        [replace(item, **standings.get(item.course_id, {})) for item in page.items], page.next_cursor
    )
