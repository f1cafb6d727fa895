"""What people see of the sandbox: the page to pay on, the receipt, and the list of payments, where to play the bank."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, render_template, request, send_from_directory

from demo.sandbox.errors import StripeError
from demo.sandbox.messages import language_of, smallest_unit, words
from demo.sandbox.payments import Payments, Verdict
from demo.sandbox.store import Body, Store

SHOWN = 50
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


@dataclass(frozen=True)
class Payment:
    """One payment as the list shows it; `state` names its message."""

    session: Body
    title: str
    state: str
    charge: Body | None
    dispute: Body | None

    @property
    def is_refundable(self) -> bool:
        """Whether there is money to give back."""
        return self.is_disputable or self.state in ("won", "inquiry")

    @property
    def is_disputable(self) -> bool:
        """Whether its owner's bank can still complain."""
        return self.state in ("paid", "partially_refunded", "inquiry_closed")

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """How the dispute can end that is open."""
        verdicts: dict[str, tuple[Verdict, ...]] = {"disputed": ("won", "lost"), "inquiry": ("warning_closed",)}
        return verdicts.get(self.state, ())


def pages(store: Store, base_url: str) -> Blueprint:
    """Return the routes of the pages."""
    blueprint = Blueprint("pages", __name__, template_folder="templates")

    def happen(work: Callable[[Payments], Body]) -> Body:
        with store.transaction():
            return work(Payments(store, base_url, int(time.time())))

    def page_to_pay(id: str) -> Response:
        session = store.get("checkout.session", id)
        if session is None:
            return nothing_here()
        payment = _payment(store, session)
        return _page("pay.html", language_of(session), leads_to=session["success_url"], payment=payment)

    def list_of_payments(refused: bool = False) -> Response:
        sessions, _ = store.page("checkout.session", SHOWN)
        waiting = sum(delivery.state == "waiting" for delivery in store.deliveries())
        payments = [_payment(store, session) for session in sessions]
        page = _page("payments.html", language_of(None), payments=payments, waiting=waiting, refused=refused)
        page.status_code = 409 if refused else 200
        return page

    def nothing_here() -> Response:
        page = _page("nothing.html", language_of(None))
        page.status_code = 404
        return page

    @blueprint.get("/")
    def show_payments() -> Response:
        return list_of_payments()

    @blueprint.get("/pay/<id>")
    def show_page(id: str) -> Response:
        return page_to_pay(id)

    @blueprint.post("/pay/<id>/<any(card, refused, later, arrive, fail):way>")
    def pay(id: str, way: str) -> Response:
        ways: dict[str, Callable[[Payments], Body]] = {
            "card": lambda payments: payments.pay(id),
            "refused": lambda payments: payments.decline(id),
            "later": lambda payments: payments.pay_later(id),
            "arrive": lambda payments: payments.settle(id, "succeed"),
            "fail": lambda payments: payments.settle(id, "fail"),
        }
        try:
            session = happen(ways[way])
        except StripeError:
            # a second click, or a page that has expired: the page says which
            return _see(f"/pay/{id}")
        return _see(filled(session["success_url"], id) if way == "card" else f"/pay/{id}")

    @blueprint.get("/receipts/<id>")
    def receipt(id: str) -> Response:
        charge = store.get("charge", id)
        if charge is None or charge["status"] != "succeeded":
            return nothing_here()
        sessions, _ = store.page("checkout.session", 1, payment_intent=charge["payment_intent"])
        return _page("receipt.html", language_of(sessions[0]), payment=_payment(store, sessions[0]))

    @blueprint.post("/payments/<id>/<any(refund, dispute, inquiry):happening>")
    def befall(id: str, happening: str) -> Response:
        def refund(payments: Payments) -> Body:
            given = request.form.get("amount", "").strip()
            currency = payments.get("payment_intent", id)["currency"]
            amount = {"amount": str(smallest_unit(given, currency))} if given else {}
            return payments.refund({"payment_intent": id, **amount})

        happenings: dict[str, Callable[[Payments], Body]] = {
            "refund": refund,
            "dispute": lambda payments: payments.open_dispute(id, "needs_response", None),
            "inquiry": lambda payments: payments.open_dispute(id, "warning_needs_response", None),
        }
        return from_the_list(happenings[happening])

    @blueprint.post("/disputes/<id>/<any(won, lost, warning_closed):verdict>")
    def close(id: str, verdict: Verdict) -> Response:
        return from_the_list(lambda payments: payments.close_dispute(id, verdict))

    def from_the_list(work: Callable[[Payments], Body]) -> Response:
        try:
            happen(work)
        except (StripeError, ArithmeticError):
            return list_of_payments(refused=True)
        return _see("/")

    @blueprint.get("/style.css")
    def style() -> Response:
        return send_from_directory(f"{blueprint.root_path}/templates", "style.css", mimetype="text/css")

    return blueprint


def filled(success_url: str, session_id: str) -> str:
    """Return where somebody who has paid goes to."""
    return success_url.replace("{CHECKOUT_SESSION_ID}", session_id)


def _payment(store: Store, session: Body) -> Payment:
    intent = store.get("payment_intent", session["payment_intent"] or "")
    charge = store.get("charge", (intent or {}).get("latest_charge") or "")
    disputes, _ = store.page("dispute", 1, payment_intent=session["payment_intent"] or "none")
    dispute = disputes[0] if disputes else None
    title = store.details(session["id"])["line_items"][0]["description"]
    return Payment(session, title, state_of(session, intent, charge, dispute), charge, dispute)


def state_of(session: Body, intent: Body | None, charge: Body | None, dispute: Body | None) -> str:
    """Return in one word how a payment stands."""
    if session["status"] == "open":
        return "refused" if charge is not None else "open"
    if session["status"] == "expired" or intent is None or charge is None:
        return "expired"
    if intent["status"] != "succeeded":
        return "processing" if intent["status"] == "processing" else "failed"
    if charge["refunded"]:
        return "refunded"
    if dispute is not None:
        disputes = {
            "needs_response": "disputed",
            "warning_needs_response": "inquiry",
            "lost": "lost",
            "won": "won",
            "warning_closed": "inquiry_closed",
        }
        return disputes[dispute["status"]]
    return "partially_refunded" if charge["amount_refunded"] else "paid"


def _page(template: str, language: str, leads_to: str | None = None, **values: object) -> Response:
    """Return a page; a form on it may only lead here and, where one is named, to that address."""
    response = Response(render_template(template, **words(language), filled=filled, **values))
    response.headers.update(HEADERS)
    there = urlsplit(leads_to or "")
    origin = f" {there.scheme}://{there.netloc}" if there.netloc else ""
    response.headers["Content-Language"] = language
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; form-action 'self'{origin}; base-uri 'none'; frame-ancestors 'none'"
    )
    return response


def _see(address: str) -> Response:
    """Return a redirection that a reload does not pay again after."""
    response: Response = redirect(address, 303)  # type: ignore[assignment]
    response.headers.update(HEADERS)
    return response
