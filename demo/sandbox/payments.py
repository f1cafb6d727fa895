"""What happens to payments: pages opened, paid, refused, closed; refunds; disputes. Each happening tells its events.

Every function is called within a transaction of the store. Times are epoch seconds.
"""

from dataclasses import dataclass
from typing import Literal

from demo.sandbox import parameters as asked
from demo.sandbox import shapes
from demo.sandbox.errors import InvalidParameter, NotThere, StripeError
from demo.sandbox.store import Body, Store

Outcome = Literal["succeed", "fail"]
Verdict = Literal["won", "lost", "warning_closed"]


@dataclass
class Payments:
    """The objects, and the moment and request of what happens to them."""

    store: Store
    base_url: str
    now: int
    idempotency_key: str | None = None

    def open_session(self, parameters: Body) -> Body:
        """Open a page to pay on. Raises `InvalidParameter`."""
        sale = asked.sale(parameters, self.now)
        session = self.store.put(
            shapes.session(parameters, sale.amount, sale.currency, sale.expires_at, self.base_url, self.now)
        )
        item = shapes.line_item(sale.title, sale.amount, sale.currency, sale.quantity)
        details = {"line_items": [item], "payment_intent_data": parameters.get("payment_intent_data", {})}
        self.store.put_details(session["id"], details)
        return session

    def pay(self, session_id: str) -> Body:
        """Let a card be charged. Raises `NotThere`, and `StripeError` when the page is not open."""
        session, intent = self._attempted(session_id)
        charge = self._charge(session, intent, "card", "succeeded")
        self._succeed(intent, charge)
        return self._change(session, "checkout.session.completed", status="complete", payment_status="paid", url=None)

    def decline(self, session_id: str) -> Body:
        """Let the card be refused: the page stays open. Raises as `pay`."""
        session, intent = self._attempted(session_id)
        self._fail(intent, self._charge(session, intent, "card", "failed"))
        return session

    def pay_later(self, session_id: str) -> Body:
        """Let the money be collected from a bank account, which takes days. Raises as `pay`."""
        session, intent = self._attempted(session_id)
        charge = self._charge(session, intent, "sepa_debit", "pending")
        self._keep(intent, status="processing", latest_charge=charge["id"], payment_method=charge["payment_method"])
        return self._change(session, "checkout.session.completed", status="complete", url=None)

    def settle(self, session_id: str, outcome: Outcome) -> Body:
        """Let money that was to be collected arrive, or not. Raises `NotThere`, `StripeError` when none is awaited."""
        session = self.get("checkout.session", session_id)
        intent = self.store.get("payment_intent", session["payment_intent"] or "")
        if intent is None or intent["status"] != "processing":
            raise StripeError("No payment of this session is under way.")
        charge = self.get("charge", intent["latest_charge"])
        if outcome == "succeed":
            receipt_url = f"{self.base_url}/receipts/{charge['id']}"
            settled = {"status": "succeeded", "paid": True, "balance_transaction": shapes.new_id("txn")}
            self._succeed(intent, self._keep(charge, receipt_url=receipt_url, **settled))
            return self._change(session, "checkout.session.async_payment_succeeded", payment_status="paid")
        told = {"failure_code": "insufficient_funds", "failure_message": "The account has insufficient funds."}
        self._fail(intent, self._keep(charge, status="failed", captured=False, amount_captured=0, **told))
        return self._change(session, "checkout.session.async_payment_failed")

    def expire(self, session_id: str) -> Body:
        """Close a page that nobody has paid on. Raises `NotThere`, and `StripeError` when it is not open."""
        session = self.get("checkout.session", session_id)
        if session["status"] != "open":
            raise StripeError(f"Only Checkout Sessions that are open can be expired. This one is {session['status']}.")
        if session["payment_intent"] is not None:
            intent = self.get("payment_intent", session["payment_intent"])
            self._keep(intent, status="canceled", canceled_at=self.now, cancellation_reason="automatic")
        return self._change(session, "checkout.session.expired", status="expired", url=None)

    def expire_due(self) -> None:
        """Close the pages whose time is over."""
        for session_id in self.store.expiring(self.now):
            self.expire(session_id)

    def refund(self, parameters: Body) -> Body:
        """Give back some of a payment, or all that is left. Raises `InvalidParameter`, `NotThere`, `StripeError`."""
        asked.only(parameters, asked.REFUND)
        metadata = asked.checked_metadata(parameters)
        reason = parameters.get("reason")
        if reason is not None and reason not in asked.REASONS:
            raise InvalidParameter("Invalid reason", param="reason")
        amount = asked.whole(parameters, "amount") if "amount" in parameters else None
        if amount is not None and amount < 1:
            raise InvalidParameter("Invalid positive integer", code="parameter_invalid_integer", param="amount")
        charge = self._refundable(parameters)
        left = charge["amount"] - charge["amount_refunded"]
        if left == 0:
            raise StripeError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        if self._is_charged_back(charge):
            raise StripeError(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
            )
        if amount is not None and amount > left:
            text = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            raise StripeError(text, param="amount")
        refund = self.store.put(shapes.refund(charge, left if amount is None else amount, reason, metadata, self.now))
        self._tell("refund.created", refund)
        total = charge["amount_refunded"] + refund["amount"]
        self._change(charge, "charge.refunded", amount_refunded=total, refunded=total == charge["amount"])
        return refund

    def open_dispute(self, payment_intent_id: str, status: str, amount: int | None) -> Body:
        """Let the cardholder's bank dispute a payment, or with `warning_needs_response` ask about it."""
        charge = self._refundable({"payment_intent": payment_intent_id})
        dispute = self.store.put(shapes.dispute(charge, amount or charge["amount"], status, self.now))
        self._keep(charge, disputed=True)
        self._tell("charge.dispute.created", dispute)
        return dispute

    def close_dispute(self, dispute_id: str, verdict: Verdict) -> Body:
        """Let the bank decide. Raises `NotThere`, and `StripeError` when it has, or where the verdict does not fit."""
        dispute = self.get("dispute", dispute_id)
        if dispute["status"] not in ("needs_response", "warning_needs_response"):
            raise StripeError("This dispute is already closed.")
        if (verdict == "warning_closed") != dispute["status"].startswith("warning_"):
            raise StripeError(f"A dispute that is {dispute['status']} cannot become {verdict}.")
        return self._change(dispute, "charge.dispute.closed", status=verdict, is_charge_refundable=verdict != "lost")

    def get(self, kind: str, identifier: str, param: str = "id") -> Body:
        """Return an object. Raises `NotThere`."""
        found = self.store.get(kind, identifier)
        if found is None:
            raise NotThere(kind, identifier, param)
        return found

    def _attempted(self, session_id: str) -> tuple[Body, Body]:
        """Return an open session with its payment intent, which the first attempt to pay makes."""
        session = self.get("checkout.session", session_id)
        if session["status"] != "open" or session["expires_at"] <= self.now:
            raise StripeError("This Checkout Session is no longer open.")
        if session["payment_intent"] is not None:
            return session, self.get("payment_intent", session["payment_intent"])
        data = self.store.details(session_id)["payment_intent_data"]
        intent = self.store.put(shapes.payment_intent(session, data, self.now))
        return self._keep(session, payment_intent=intent["id"]), intent

    def _charge(self, session: Body, intent: Body, way: str, status: str) -> Body:
        email = session["customer_email"]
        return self.store.put(shapes.charge(intent, email, way, status, self.base_url, self.now))

    def _succeed(self, intent: Body, charge: Body) -> None:
        self._tell("charge.succeeded", charge)
        self._change(
            intent,
            "payment_intent.succeeded",
            status="succeeded",
            amount_received=charge["amount"],
            latest_charge=charge["id"],
            payment_method=charge["payment_method"],
            last_payment_error=None,
        )

    def _fail(self, intent: Body, charge: Body) -> None:
        self._tell("charge.failed", charge)
        self._change(
            intent,
            "payment_intent.payment_failed",
            status="requires_payment_method",
            latest_charge=charge["id"],
            payment_method=None,
            last_payment_error=shapes.decline(charge),
        )

    def _refundable(self, parameters: Body) -> Body:
        """Return the charge that has the money of the payment or charge named. Raises `NotThere`, `StripeError`."""
        if "charge" in parameters:
            charge = self.get("charge", parameters["charge"], "charge")
        else:
            intent = self.get("payment_intent", asked.required(parameters, "payment_intent"), "payment_intent")
            charge = self.store.get("charge", intent["latest_charge"] or "") or {"status": "failed", "id": intent["id"]}
        if charge["status"] != "succeeded":
            raise StripeError(f"This payment ({charge['id']}) does not have a successful charge.")
        return charge

    def _is_charged_back(self, charge: Body) -> bool:
        disputes, _ = self.store.page("dispute", 100, charge=charge["id"])
        return any(not dispute["is_charge_refundable"] for dispute in disputes)

    def _keep(self, body: Body, **changes: object) -> Body:
        return self.store.put(body | changes)

    def _change(self, body: Body, event: str, **changes: object) -> Body:
        before = {name: body[name] for name, value in changes.items() if body[name] != value}
        changed = self._keep(body, **changes)
        self._tell(event, changed, before)
        return changed

    def _tell(self, kind: str, body: Body, before: Body | None = None) -> None:
        event = self.store.put(shapes.event(kind, body, before, self.idempotency_key, self.now))
        self.store.deliver(event["id"], self.now)
