"""What is heard of payments becomes facts; order, entitlement and events are worked out of all facts, under locks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis import telemetry
from chassis.database import UnitOfWork
from contracts.errors import BadRequest
from contracts.events.catalog import Money
from contracts.events.purchase import OrderChargedBack, OrderPaid, OrderRefunded
from services.purchase import queries
from services.purchase.alarms import alarm
from services.purchase.domain.orders import (
    ENTITLING,
    Claim,
    Dispute,
    Facts,
    holder,
    is_as_ordered,
    merged,
    status_of,
)
from services.purchase.entitlements import end, grant, revive
from services.purchase.stripe_events import DisputeHeard, Heard, RefundHeard, SessionHeard
from services.purchase.tables import disputes, entitlements, orders, payments, refunds

_LOCK_PAIR = text("select pg_advisory_xact_lock(hashtextextended(:pair, 0))")

_log = telemetry.get_logger("payments")


def hear(unit_of_work: UnitOfWork, heard: Heard, now: datetime) -> UUID | None:
    """Keep what was heard and let it have its effect; the order that it changed, None when it changed nothing.

    Raises `BadRequest` (unknown-order) for a payment page of an order that we do not know (yet).
    """
    match heard:
        case SessionHeard():
            return _hear_session(unit_of_work, heard, now)
        case RefundHeard():
            return _hear_refund(unit_of_work, heard, now)
        case DisputeHeard():
            return _hear_dispute(unit_of_work, heard, now)


def _hear_session(unit_of_work: UnitOfWork, heard: SessionHeard, now: datetime) -> UUID | None:
    connection = unit_of_work.connection
    if heard.order_id is None:
        _log.info("a payment page of somebody else", session_id=heard.session_id)
        return None
    if heard.outcome == "paid" and heard.payment_intent_id is not None:
        _lock_payment(connection, heard.payment_intent_id, now)
    locked = _lock_orders(connection, heard.order_id)
    order = locked.get(heard.order_id)
    if order is None:
        alarm("unknown-order", order_id=heard.order_id, session_id=heard.session_id)
        raise BadRequest("unknown-order")
    if heard.outcome == "paid":
        return _hear_payment(unit_of_work, heard, order, locked)
    column = f"{heard.outcome}_at"
    if getattr(order, column) is not None:
        return None
    return _settle(unit_of_work, order, locked, heard.at, {column: heard.at})


def _hear_payment(
    unit_of_work: UnitOfWork, heard: SessionHeard, order: Row[Any], locked: Mapping[UUID, Row[Any]]
) -> UUID | None:
    connection = unit_of_work.connection
    facts = {"order_id": order.order_id, "session_id": heard.session_id, "payment_intent_id": heard.payment_intent_id}
    if heard.payment_intent_id is None or not is_as_ordered(order.amount, order.currency, heard.amount, heard.currency):
        alarm("not-as-ordered", **facts, paid=f"{heard.amount} {heard.currency}")
        return None
    linked = connection.execute(
        select(payments).where(
            (payments.c.payment_intent_id == heard.payment_intent_id) | (payments.c.order_id == order.order_id)
        )
    ).all()
    by_payment = {row.payment_intent_id: row.order_id for row in linked}
    if by_payment[heard.payment_intent_id] == order.order_id:
        return None
    if by_payment[heard.payment_intent_id] is not None or len(linked) > 1:
        alarm("second-payment", **facts)
        return None
    if queries.has_without_paying(connection, order.user_id, order.course_id):
        alarm("paid-though-held", **facts)
    connection.execute(
        update(payments).where(payments.c.payment_intent_id == heard.payment_intent_id).values(order_id=order.order_id)
    )
    unit_of_work.tell(
        OrderPaid(
            order_id=order.order_id,
            user_id=order.user_id,
            course_id=order.course_id,
            instructor_id=order.instructor_id,
            price=Money(order.amount, order.currency),
            placed_at=order.placed_at,
            paid_at=heard.at,
            ref=order.ref,
        )
    )
    _tell_what_waited(unit_of_work, order, heard.payment_intent_id)
    # the receipt that Stripe mails with the payment confirms the waiver
    changes = {"paid_at": heard.at, "confirmed_at": heard.at, "session_id": heard.session_id}
    return _settle(unit_of_work, order, locked, heard.at, changes)


def _tell_what_waited(unit_of_work: UnitOfWork, order: Row[Any], payment_intent_id: str) -> None:
    connection = unit_of_work.connection
    for row in connection.execute(select(refunds).where(refunds.c.payment_intent_id == payment_intent_id)):
        _tell_refund(unit_of_work, order, row.refunded, row.refunded_at)
    for dispute in _disputes(connection, [payment_intent_id]).get(payment_intent_id, ()):
        _tell_charge_back(unit_of_work, order, dispute)


def _hear_refund(unit_of_work: UnitOfWork, heard: RefundHeard, now: datetime) -> UUID | None:
    connection = unit_of_work.connection
    order_id = _lock_payment(connection, heard.payment_intent_id, now)
    is_new = connection.execute(
        insert(refunds)
        .values(payment_intent_id=heard.payment_intent_id, refunded=heard.refunded, refunded_at=heard.at)
        .on_conflict_do_nothing()
        .returning(refunds.c.refunded)
    ).first()
    if order_id is None or is_new is None:
        return None
    locked = _lock_orders(connection, order_id)
    _tell_refund(unit_of_work, locked[order_id], heard.refunded, heard.at)
    return _settle(unit_of_work, locked[order_id], locked, heard.at, {})


def _hear_dispute(unit_of_work: UnitOfWork, heard: DisputeHeard, now: datetime) -> UUID | None:
    connection = unit_of_work.connection
    order_id = _lock_payment(connection, heard.payment_intent_id, now)
    row = connection.execute(select(disputes).where(disputes.c.dispute_id == heard.dispute.dispute_id)).first()
    known = None if row is None else Dispute(row.dispute_id, row.status, row.amount, row.closed_at)
    dispute = heard.dispute if known is None else merged(known, heard.dispute)
    if known is not None and (dispute.status, dispute.amount) == (known.status, known.amount):
        # Stripe's list of disputes does not say when one ended: what was heard of that first stays
        return None
    values = {"status": dispute.status, "amount": dispute.amount, "closed_at": dispute.closed_at}
    connection.execute(
        insert(disputes)
        .values(dispute_id=dispute.dispute_id, payment_intent_id=heard.payment_intent_id, **values)
        .on_conflict_do_update(index_elements=["dispute_id"], set_=values)
    )
    if order_id is None:
        return None
    locked = _lock_orders(connection, order_id)
    if known is None or known.status != "lost":
        _tell_charge_back(unit_of_work, locked[order_id], dispute)
    elif dispute.status == "won":
        # that it was lost has been told, and stays in the instructor's figures
        alarm("won-after-lost", order_id=order_id, dispute_id=dispute.dispute_id)
    return _settle(unit_of_work, locked[order_id], locked, dispute.closed_at or now, {})


def _settle(
    unit_of_work: UnitOfWork,
    order: Row[Any],
    locked: Mapping[UUID, Row[Any]],
    at: datetime,
    changes: Mapping[str, Any],
) -> UUID | None:
    """Work out all orders of this student and course, and who holds the right; return the order if it changed."""
    connection = unit_of_work.connection
    known = {one.order_id: {**one._mapping, **(changes if one is order else {})} for one in locked.values()}
    facts = _facts(connection, known)
    statuses = {order_id: status_of(one) for order_id, one in facts.items()}
    claims = [Claim(order_id, known[order_id]["paid_at"]) for order_id in known if statuses[order_id] in ENTITLING]
    held = _hold(unit_of_work, order, claims, at)
    due = {claim.order_id for claim in claims} - {held}
    for order_id, values in known.items():
        new = {
            "status": statuses[order_id].value,
            "refunded": facts[order_id].refunded if values["paid_at"] else 0,
            "refund_due": order_id in due,
        } | (dict(changes) if order_id == order.order_id else {})
        before = locked[order_id]._mapping
        if any(before[name] != value for name, value in new.items()):
            connection.execute(update(orders).where(orders.c.order_id == order_id).values(new))
        if order_id in due and not before["refund_due"]:
            alarm("paid-twice", order_id=order_id, course_id=order.course_id, user_id=order.user_id)
    settled: UUID = order.order_id
    return settled


def _hold(unit_of_work: UnitOfWork, order: Row[Any], claims: Sequence[Claim], at: datetime) -> UUID | None:
    """Let one of the claims hold the live right of this student to this course; which order's it is."""
    pair = (entitlements.c.user_id == order.user_id, entitlements.c.course_id == order.course_id)
    rows = unit_of_work.connection.execute(
        select(entitlements.c.order_id, entitlements.c.live)
        .where(*pair, entitlements.c.source == "purchase")
        .order_by(entitlements.c.entitlement_id)
        .with_for_update()
    ).all()
    incumbent = next((row.order_id for row in rows if row.live), None)
    held = holder(claims, incumbent)
    if held == incumbent:
        return held
    if incumbent is not None:
        end(unit_of_work, at, entitlements.c.order_id == incumbent)
    if held in {row.order_id for row in rows}:
        revive(unit_of_work, entitlements.c.order_id == held)
    elif held is not None:
        paid_at = next(claim.paid_at for claim in claims if claim.order_id == held)
        grant(unit_of_work, order.user_id, order.course_id, "purchase", paid_at, order_id=held)
    return held


def _facts(connection: Connection, known: Mapping[UUID, Mapping[str, Any]]) -> dict[UUID, Facts]:
    rows = connection.execute(
        select(payments.c.order_id, payments.c.payment_intent_id, func.max(refunds.c.refunded).label("refunded"))
        .select_from(payments.outerjoin(refunds))
        .where(payments.c.order_id.in_(list(known)))
        .group_by(payments.c.payment_intent_id)
    ).all()
    by_payment = _disputes(connection, [row.payment_intent_id for row in rows])
    refunded = {row.order_id: row.refunded or 0 for row in rows}
    disputed = {row.order_id: by_payment.get(row.payment_intent_id, ()) for row in rows}
    return {
        order_id: Facts(
            amount=values["amount"],
            processing_at=values["processing_at"],
            failed_at=values["failed_at"],
            expired_at=values["expired_at"],
            paid_at=values["paid_at"],
            refunded=refunded.get(order_id, 0),
            disputes=tuple(disputed.get(order_id, ())),
        )
        for order_id, values in known.items()
    }


def _disputes(connection: Connection, payment_intent_ids: Sequence[str]) -> dict[str, list[Dispute]]:
    found: dict[str, list[Dispute]] = {}
    for row in connection.execute(select(disputes).where(disputes.c.payment_intent_id.in_(payment_intent_ids))):
        dispute = Dispute(row.dispute_id, row.status, row.amount, row.closed_at)
        found.setdefault(row.payment_intent_id, []).append(dispute)
    return found


def _lock_payment(connection: Connection, payment_intent_id: str, now: datetime) -> UUID | None:
    """Lock a payment, made known where it is not; the order that it belongs to, None until that is heard of."""
    order_id: UUID | None = connection.execute(
        insert(payments)
        .values(payment_intent_id=payment_intent_id, heard_at=now)
        .on_conflict_do_update(index_elements=["payment_intent_id"], set_={"heard_at": payments.c.heard_at})
        .returning(payments.c.order_id)
    ).scalar_one()
    return order_id


def lock_pair(connection: Connection, user_id: UUID, course_id: UUID) -> None:
    """Let nothing else be worked out of this student's orders of this course until the transaction ends."""
    connection.execute(_LOCK_PAIR, {"pair": f"{user_id} {course_id}"})


def _lock_orders(connection: Connection, order_id: UUID) -> dict[UUID, Row[Any]]:
    """Lock all orders of the student and course of this one, by their ids; empty when there is no such order.

    The advisory lock comes first, so that the orders are read after all that was waited for has committed: one that was
    made and paid meanwhile is among them.
    """
    pair = connection.execute(select(orders.c.user_id, orders.c.course_id).where(orders.c.order_id == order_id)).first()
    if pair is None:
        return {}
    lock_pair(connection, pair.user_id, pair.course_id)
    rows = connection.execute(
        select(orders)
        .where(orders.c.user_id == pair.user_id, orders.c.course_id == pair.course_id)
        .order_by(orders.c.order_id)
        .with_for_update()
    ).all()
    return {row.order_id: row for row in rows}


def _tell_refund(unit_of_work: UnitOfWork, order: Row[Any], refunded: int, at: datetime) -> None:
    unit_of_work.tell(OrderRefunded(order_id=order.order_id, refunded=Money(refunded, order.currency), refunded_at=at))


def _tell_charge_back(unit_of_work: UnitOfWork, order: Row[Any], dispute: Dispute) -> None:
    if dispute.status == "lost" and dispute.closed_at is not None:
        unit_of_work.tell(
            OrderChargedBack(
                order_id=order.order_id,
                dispute_id=dispute.dispute_id,
                amount=Money(dispute.amount, order.currency),
                charged_back_at=dispute.closed_at,
            )
        )
