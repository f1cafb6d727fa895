"""Stripe's webhooks: verified on the raw bytes, and understood as what they say of an order's payment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar
from uuid import UUID

import msgspec
import stripe

from contracts.errors import BadRequest
from services.purchase.domain.orders import Dispute, dispute_status

T = TypeVar("T")

TOLERANCE_SECONDS = 300


class StripeEvent(msgspec.Struct, frozen=True):
    """An event's envelope; `created` is in epoch seconds, `account` is set where it is a connected account's."""

    id: str
    type: str
    created: int
    livemode: bool
    data: "EventData"
    account: str | None = None

    @property
    def at(self) -> datetime:
        """When it happened."""
        return instant(self.created)


class EventData(msgspec.Struct, frozen=True):
    """What an event is about, not yet understood."""

    object: msgspec.Raw


class Session(msgspec.Struct, frozen=True):
    """A Checkout Session, as much of it as matters here."""

    id: str
    payment_status: str
    status: str | None = None
    amount_total: int | None = None
    currency: str | None = None
    payment_intent: str | None = None
    metadata: dict[str, str] | None = None


class Charge(msgspec.Struct, frozen=True):
    """A charge, as much of it as matters here; `amount_refunded` is the total so far."""

    id: str
    amount_refunded: int
    payment_intent: str | None = None


class StripeDispute(msgspec.Struct, frozen=True):
    """A dispute, as much of it as matters here."""

    id: str
    status: str
    amount: int
    payment_intent: str | None = None


Outcome = Literal["paid", "processing", "failed", "expired"]


@dataclass(frozen=True)
class SessionHeard:
    """What became of a payment page; `order_id` is as its metadata say, None where it is none of ours."""

    session_id: str
    order_id: UUID | None
    outcome: Outcome
    payment_intent_id: str | None
    amount: int | None
    currency: str | None
    at: datetime


@dataclass(frozen=True)
class RefundHeard:
    """So much of a payment was given back in all by then."""

    payment_intent_id: str
    refunded: int
    at: datetime


@dataclass(frozen=True)
class DisputeHeard:
    """What is known of a dispute over a payment."""

    payment_intent_id: str
    dispute: Dispute


Heard = SessionHeard | RefundHeard | DisputeHeard


def verified(payload: str, signature: str, secret: str) -> StripeEvent:
    """Return the event in a webhook's body as it arrived. Raises `BadRequest` unless Stripe signed it lately."""
    if not secret or not signature.isascii():
        raise BadRequest("bad-signature")
    try:
        stripe.WebhookSignature.verify_header(payload, signature, secret, TOLERANCE_SECONDS)
        return msgspec.json.decode(payload, type=StripeEvent)
    except (stripe.SignatureVerificationError, msgspec.MsgspecError) as error:
        raise BadRequest("bad-signature") from error


def understood(event: StripeEvent) -> Heard | None:
    """Return what an event says of an order's payment; None for kinds that say nothing of it. Raises `BadRequest`."""
    try:
        match event.type:
            case (
                "checkout.session.completed"
                | "checkout.session.async_payment_succeeded"
                | "checkout.session.async_payment_failed"
                | "checkout.session.expired"
            ):
                return session_heard(_decoded(event, Session), event.type.rpartition(".")[2], event.at)
            case "charge.refunded":
                return refund_heard(_decoded(event, Charge), event.at)
            case "charge.dispute.created" | "charge.dispute.closed":
                return dispute_heard(_decoded(event, StripeDispute), event.at)
            case _:
                return None
    except (msgspec.MsgspecError, ValueError, OverflowError, OSError) as error:
        # the last three: an instant that no calendar has
        raise BadRequest from error


def session_heard(session: Session, happened: str, at: datetime) -> SessionHeard:
    """Return what a session says; `happened` is the end of the event's type."""
    outcomes: dict[str, Outcome] = {"async_payment_failed": "failed", "expired": "expired"}
    paid: Outcome = "processing" if session.payment_status == "unpaid" else "paid"
    return SessionHeard(
        session_id=session.id,
        order_id=order_id_of(session.metadata),
        outcome=outcomes.get(happened, paid),
        payment_intent_id=session.payment_intent,
        amount=session.amount_total,
        currency=session.currency,
        at=at,
    )


def refund_heard(charge: Charge, at: datetime) -> RefundHeard | None:
    """Return what a refunded charge says; None for one without a payment intent, which is none of ours."""
    if charge.payment_intent is None or charge.amount_refunded <= 0:
        return None
    return RefundHeard(charge.payment_intent, charge.amount_refunded, at)


def dispute_heard(dispute: StripeDispute, at: datetime) -> DisputeHeard | None:
    """Return what a dispute says; None for one without a payment intent, which is none of ours."""
    if dispute.payment_intent is None:
        return None
    status = dispute_status(dispute.status)
    closed_at = at if status in ("won", "lost") else None
    return DisputeHeard(dispute.payment_intent, Dispute(dispute.id, status, dispute.amount, closed_at))


def instant(seconds: int) -> datetime:
    """Return the instant at so many epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def order_id_of(metadata: Mapping[str, str] | None) -> UUID | None:
    """Return the order that an object of Stripe's belongs to by its metadata, None where it is none of ours."""
    try:
        return UUID((metadata or {})["order_id"])
    except (KeyError, ValueError):
        return None


def _decoded(event: StripeEvent, kind: type[T]) -> T:
    return msgspec.json.decode(event.data.object, type=kind)
