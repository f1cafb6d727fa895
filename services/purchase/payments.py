"""The interface to Stripe: all that is ever asked of it. Never used inside a transaction."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

import requests
import stripe

from chassis import telemetry
from chassis.breaker import Breaker
from chassis.clock import now
from chassis.settings import TEST_KEYS, Settings, SettingsError
from contracts.errors import Unavailable
from services.purchase.stripe_events import (
    DisputeHeard,
    Outcome,
    RefundHeard,
    SessionHeard,
    StripeDispute,
    dispute_heard,
    instant,
    order_id_of,
)

ANSWER_SECONDS = 1.8
"""How long one answer of Stripe is waited for: somebody looks at a button meanwhile."""

SILENCES, REST = 5, 2.0
"""After so many silences in a row Stripe is left alone for so many seconds: who waits for it keeps purchase's other
callers waiting."""

_PATIENCE = {"retry_after": 2}
_CHARGE = "payment_intent.latest_charge"

_log = telemetry.get_logger("stripe")


class Refused(Exception):
    """Stripe will never do what was asked; the message is its code."""


class KeySpent(Exception):
    """Under this idempotency key nothing good will ever be answered: ask again under a new one."""


@dataclass(frozen=True)
class Page:
    """A payment page that is open."""

    session_id: str
    url: str


@dataclass(frozen=True)
class OrderToPay:
    """What a payment page is made of; `key` makes asking twice harmless."""

    order_id: UUID
    key: str
    title: str
    amount: int
    currency: str
    email: str | None
    locale: str
    waiver_text: str
    success_url: str
    cancel_url: str
    expires_at: datetime


class Payments(Protocol):
    """What purchase asks of the payment service. All raise `Unavailable` when it does not answer in time."""

    def open_page(self, order: OrderToPay) -> Page:
        """A page to pay the order on; the same for the same key. Raises `Refused` and `KeySpent`."""

    def close_page(self, session_id: str) -> SessionHeard | None:
        """Let nobody pay on the page any more; what became of it when it is too late for that."""

    def refund(self, payment_intent_id: str, amount: int, order_id: UUID, key: str) -> str:
        """The id of a refund, the same for the same key. Raises `Refused` and `KeySpent`."""

    def receipt_url(self, payment_intent_id: str) -> str | None:
        """Where the receipt of a payment is."""

    def sessions(self, since: datetime, after: str | None) -> tuple[Sequence[SessionHeard], str | None]:
        """What became of the pages opened since, newest first, some of them; and what to ask the next ones with."""

    def refunds(self, since: datetime, after: str | None) -> tuple[Sequence[RefundHeard], str | None]:
        """All totals of the payments of which something was given back since, as `sessions`."""

    def disputes(self, since: datetime, after: str | None) -> tuple[Sequence[DisputeHeard], str | None]:
        """Disputes opened since, newest first, as `sessions`."""


def check(settings: Settings) -> None:
    """Raise `SettingsError` unless there is a Stripe to ask: without one, only the demo's sandbox sells."""
    for name in ("stripe_api_key", "stripe_webhook_secret"):
        if settings.environment == "production" and not getattr(settings, name):
            raise SettingsError(f"{name.upper()} must be set in production")


def is_live(settings: Settings) -> bool:
    """Whether real money moves: Stripe's test keys and the demo's sandbox move none."""
    return not settings.stripe_api_key.startswith(TEST_KEYS)


@cache
def stripe_at(api_base: str, api_key: str) -> Payments:
    """Stripe at this address: one client for a process, which keeps its connections."""
    return StripePayments(api_base, api_key)


class StripePayments:
    """Stripe, over HTTP."""

    def __init__(self, api_base: str, api_key: str) -> None:
        self._stripe = stripe.StripeClient(
            api_key or "not-set",
            base_addresses={"api": api_base},
            # a session of our own: the library's is one a thread, so each call would make a new connection
            http_client=stripe.RequestsClient(timeout=ANSWER_SECONDS, session=requests.Session()),
            # whoever waits asks again, under the same key
            max_network_retries=0,
        )
        self._breaker = Breaker(threshold=SILENCES, rest=REST, clock=time.monotonic)

    def open_page(self, order: OrderToPay) -> Page:
        """See `Payments`."""
        ours = {"order_id": str(order.order_id)}
        parameters: dict[str, Any] = {
            "mode": "payment",
            "client_reference_id": str(order.order_id),
            "metadata": ours,
            "payment_intent_data": {"metadata": ours, "description": _description(order)},
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency.lower(),
                        "unit_amount": order.amount,
                        "product_data": {"name": order.title},
                    },
                }
            ],
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
            "expires_at": int(order.expires_at.timestamp()),
            "locale": order.locale,
            # what is paid must be what was ordered, in its currency
            "adaptive_pricing": {"enabled": False},
        }
        if order.email:
            # the receipt with the waiver is what the student keeps of it
            parameters |= {"customer_email": order.email}
            parameters["payment_intent_data"]["receipt_email"] = order.email
        if order.waiver_text:
            parameters["custom_text"] = {"submit": {"message": order.waiver_text}}
        with self._asking(keyed=True):
            session = self._stripe.v1.checkout.sessions.create(parameters, {"idempotency_key": order.key})
        return Page(session.id, session.url or "")

    def close_page(self, session_id: str) -> SessionHeard | None:
        """See `Payments`."""
        try:
            with self._asking():
                self._stripe.v1.checkout.sessions.expire(session_id)
        except Refused as refused:
            # nobody can pay on a page that is not there
            if str(refused) == "resource_missing":
                return None
            with self._asking():
                session = self._stripe.v1.checkout.sessions.retrieve(session_id, {"expand": [_CHARGE]})
            heard = _session_heard(session)
            return None if heard is None or heard.outcome == "expired" else heard
        return None

    def refund(self, payment_intent_id: str, amount: int, order_id: UUID, key: str) -> str:
        """See `Payments`."""
        with self._asking(keyed=True):
            refund = self._stripe.v1.refunds.create(
                {
                    "payment_intent": payment_intent_id,
                    "amount": amount,
                    "reason": "requested_by_customer",
                    "metadata": {"order_id": str(order_id)},
                },
                {"idempotency_key": key},
            )
        return str(refund.id)

    def receipt_url(self, payment_intent_id: str) -> str | None:
        """See `Payments`."""
        with self._asking():
            payment = self._stripe.v1.payment_intents.retrieve(payment_intent_id, {"expand": ["latest_charge"]})
        return getattr(payment.latest_charge, "receipt_url", None)

    def sessions(self, since: datetime, after: str | None) -> tuple[Sequence[SessionHeard], str | None]:
        """See `Payments`."""
        with self._asking():
            found = self._stripe.v1.checkout.sessions.list(_listed(since, after, [f"data.{_CHARGE}"]))
        return [heard for session in found.data if (heard := _session_heard(session))], _next(found)

    def refunds(self, since: datetime, after: str | None) -> tuple[Sequence[RefundHeard], str | None]:
        """See `Payments`."""
        with self._asking():
            found = self._stripe.v1.refunds.list(_listed(since, after))
            refunded = {str(refund.payment_intent) for refund in found.data if refund.payment_intent}
            totals = [total for payment in sorted(refunded) for total in self._totals(payment)]
        return totals, _next(found)

    def _totals(self, payment_intent_id: str) -> Iterator[RefundHeard]:
        """How much of a payment had been given back after each refund."""
        made = self._stripe.v1.refunds.list({"payment_intent": payment_intent_id, "limit": 100}).auto_paging_iter()
        total = 0
        for refund in sorted(made, key=lambda refund: (refund.created, refund.id)):
            if refund.status not in ("failed", "canceled"):
                total += refund.amount
                yield RefundHeard(payment_intent_id, total, instant(refund.created))

    def disputes(self, since: datetime, after: str | None) -> tuple[Sequence[DisputeHeard], str | None]:
        """See `Payments`."""
        with self._asking():
            found = self._stripe.v1.disputes.list(_listed(since, after))
        # a dispute does not say when it was closed: it counts from when we learn of it
        at = now()
        known = [StripeDispute(one.id, one.status, one.amount, one.payment_intent) for one in found.data]
        return [heard for dispute in known if (heard := dispute_heard(dispute, at))], _next(found)

    @contextmanager
    def _asking(self, *, keyed: bool = False) -> Iterator[None]:
        """Turn Stripe's errors into ours. Raises `Unavailable` at once while Stripe is silent."""
        if self._breaker.wait() > 0:
            raise Unavailable(members=_PATIENCE)
        try:
            yield
        except stripe.APIConnectionError as error:
            self._breaker.silent()
            _log.warning("stripe does not answer", reason=str(error))
            raise Unavailable(members=_PATIENCE) from error
        except stripe.StripeError as error:
            self._breaker.answered()
            raise _ours(error, keyed=keyed) from error
        self._breaker.answered()


def _ours(error: stripe.StripeError, *, keyed: bool) -> Exception:
    """What an error that Stripe answered means for us."""
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        _log.error("stripe does not know us: STRIPE_API_KEY is wrong", reason=str(error))
        return Unavailable(members=_PATIENCE)
    status = error.http_status or 500
    # Stripe remembers a fault of its own too, and answers it again under the same key
    if keyed and (isinstance(error, stripe.IdempotencyError) or status >= 500):
        _log.warning("stripe spent a key", reason=str(error))
        return KeySpent(error.code or "fault")
    # 409: another request with the same key is under way; 429: later
    if isinstance(error, stripe.InvalidRequestError | stripe.CardError) and status not in (409, 429):
        _log.warning("stripe refused", code=error.code, reason=str(error))
        return Refused(error.code or "invalid")
    _log.warning("stripe cannot answer now", reason=str(error))
    return Unavailable(members=_PATIENCE)


def _description(order: OrderToPay) -> str:
    return f"{order.title} - {order.waiver_text}" if order.waiver_text else order.title


def _listed(since: datetime, after: str | None, expand: Sequence[str] = ()) -> dict[str, Any]:
    parameters: dict[str, Any] = {"limit": 100, "created": {"gte": int(since.timestamp())}}
    if after is not None:
        parameters["starting_after"] = after
    if expand:
        parameters["expand"] = list(expand)
    return parameters


def _next(found: Any) -> str | None:
    return found.data[-1].id if found.has_more and found.data else None


def _session_heard(session: Any) -> SessionHeard | None:
    """What a payment page says; None while it is open, and of somebody else's."""
    order_id = order_id_of(session.metadata)
    if order_id is None:
        return None
    payment = session.payment_intent
    charge = getattr(payment, "latest_charge", None)
    outcome: Outcome
    match (session.status, session.payment_status):
        case ("open", _):
            return None
        case ("expired", _):
            outcome = "expired"
        case (_, "unpaid"):
            failed = getattr(payment, "status", None) in ("requires_payment_method", "canceled")
            outcome = "failed" if failed else "processing"
        case _:
            outcome = "paid"
    return SessionHeard(
        session_id=session.id,
        order_id=order_id,
        outcome=outcome,
        payment_intent_id=getattr(payment, "id", None),
        amount=session.amount_total,
        currency=session.currency,
        at=instant(getattr(charge, "created", None) or session.created),
    )
