"""Stripe's objects as Stripe answers them, whole, with the fields that nobody here uses empty."""

import secrets
from typing import Any

from demo.sandbox.store import Body

API_VERSION = "2026-10-28.endive"
"""The version that our Stripe library asks for: the sandbox speaks no other."""

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CARD = {"brand": "visa", "last4": "4242"}
ACCOUNT = {"bank_code": "20041", "last4": "2606"}


def new_id(prefix: str) -> str:
    """Return an id such as `pi_3Fq...`, never given before."""
    return f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(24))}"


def session(parameters: Body, amount: int, currency: str, expires_at: int, base_url: str, now: int) -> Body:
    """Return an open Checkout Session that asks for `amount`, made of checked request parameters."""
    identifier = new_id("cs_test")
    message = parameters.get("custom_text", {}).get("submit")
    return {
        "id": identifier,
        "object": "checkout.session",
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {"enabled": False, "status": None},
        "billing_address_collection": None,
        "cancel_url": parameters.get("cancel_url"),
        "client_reference_id": parameters.get("client_reference_id"),
        "consent": None,
        "consent_collection": None,
        "created": now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {"shipping_address": None, "submit": message},
        "customer": None,
        "customer_creation": "if_required",
        "customer_details": _customer(parameters.get("customer_email")),
        "customer_email": parameters.get("customer_email"),
        "expires_at": expires_at,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": parameters.get("locale"),
        "metadata": parameters.get("metadata", {}),
        "mode": "payment",
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_options": {},
        "payment_method_types": ["card", "sepa_debit"],
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": parameters["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "url": f"{base_url}/pay/{identifier}",
    }


def line_item(title: str, amount: int, currency: str, quantity: int) -> Body:
    """Return what is sold, as an expanded session lists it."""
    return {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": currency,
        "description": title,
        "price": None,
        "quantity": quantity,
    }


def payment_intent(session: Body, data: Body, now: int) -> Body:
    """Return the payment intent of a session, not yet paid; `data` is the session's `payment_intent_data`."""
    identifier = new_id("pi")
    return {
        "id": identifier,
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{identifier}_secret_{secrets.token_hex(8)}",
        "confirmation_method": "automatic",
        "created": now,
        "currency": session["currency"],
        "customer": None,
        "description": data.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": data.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {},
        "payment_method_types": session["payment_method_types"],
        "processing": None,
        "receipt_email": data.get("receipt_email"),
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def charge(payment_intent: Body, email: str | None, way: str, status: str, base_url: str, now: int) -> Body:
    """Return an attempt to take a payment by `way` (card, sepa_debit); `status` is succeeded, pending or failed."""
    identifier = new_id("ch")
    failed = status == "failed"
    return {
        "id": identifier,
        "object": "charge",
        "amount": payment_intent["amount"],
        "amount_captured": 0 if failed else payment_intent["amount"],
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": new_id("txn") if status == "succeeded" else None,
        "billing_details": {"address": None, "email": email, "name": None, "phone": None},
        "calculated_statement_descriptor": "TANKAACADEMY",
        "captured": not failed,
        "created": now,
        "currency": payment_intent["currency"],
        "customer": None,
        "description": payment_intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": "card_declined" if failed else None,
        "failure_message": "Your card was declined." if failed else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": payment_intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(failed),
        "paid": status == "succeeded",
        "payment_intent": payment_intent["id"],
        "payment_method": new_id("pm"),
        "payment_method_details": {"type": way, way: _card() if way == "card" else _account()},
        "radar_options": {},
        "receipt_email": payment_intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"{base_url}/receipts/{identifier}" if status == "succeeded" else None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }


def refund(charge: Body, amount: int, reason: str | None, metadata: Body, now: int) -> Body:
    """Return a refund that has gone through."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": new_id("txn"),
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def dispute(charge: Body, amount: int, status: str, now: int) -> Body:
    """Return a dispute that has just been opened; with status `warning_needs_response` a bank's inquiry."""
    due_by = now + 7 * 86_400
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "evidence": {},
        "evidence_details": {"due_by": due_by, "has_evidence": False, "past_due": False, "submission_count": 0},
        "is_charge_refundable": status.startswith("warning_"),
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "fraudulent",
        "status": status,
    }


def event(kind: str, body: Body, before: Body | None, idempotency_key: str | None, now: int) -> Body:
    """Return what tells of a happening; `before` holds what fields of the object were before, where it changed."""
    data: Body = {"object": body} if before is None else {"object": body, "previous_attributes": before}
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": idempotency_key},
        "type": kind,
    }


def page(objects: list[Body], has_more: bool, url: str) -> Body:
    """Return a page of a list."""
    return {"object": "list", "data": objects, "has_more": has_more, "url": url}


def decline(charge: Body) -> Body:
    """Return what a payment intent says of a charge that failed."""
    return {
        "type": "card_error",
        "code": charge["failure_code"],
        "message": charge["failure_message"],
        "charge": charge["id"],
    }


def _customer(email: str | None) -> Body | None:
    if email is None:
        return None
    return {"address": None, "email": email, "name": None, "phone": None, "tax_exempt": "none", "tax_ids": None}


def _card() -> Body:
    unused = ("checks", "installments", "mandate", "three_d_secure", "wallet", "fingerprint")
    more: dict[str, Any] = {"country": "FR", "exp_month": 12, "exp_year": 2034, "funding": "credit", "network": "visa"}
    return CARD | more | dict.fromkeys(unused)


def _account() -> Body:
    return ACCOUNT | {"branch_code": None, "country": "FR", "fingerprint": None, "mandate": None}


def _outcome(failed: bool) -> Body:
    return {
        "network_status": "declined_by_network" if failed else "approved_by_network",
        "reason": "generic_decline" if failed else None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not return any further details." if failed else "Payment complete.",
        "type": "issuer_declined" if failed else "authorized",
    }
