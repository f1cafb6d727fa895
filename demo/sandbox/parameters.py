"""Requests to Stripe's API: its bracketed form fields made into trees, and checked as Stripe checks them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from babel.numbers import get_currency_precision

from demo.sandbox.errors import InvalidParameter
from demo.sandbox.store import COMPARISONS, Body

MOST = 99_999_999
LEAST_MAJOR = 0.5
"""Half a euro is the least that Stripe takes; other currencies are treated alike here."""

METADATA_KEYS, METADATA_NAME, METADATA_VALUE = 50, 40, 500
MESSAGE = 1200
SHORTEST, LONGEST = 30 * 60, 24 * 3600
"""Seconds that a payment page stays open, at least and at most."""

CLOCKS_DIFFER = 60
LOCALES = frozenset({"auto", "fr", "fr-CA", "en", "en-GB", "de", "es", "it", "nl", "pt"})
"""Those of Stripe's that anybody here may ask for."""

REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
SESSION = frozenset(
    {
        "mode",
        "line_items",
        "success_url",
        "cancel_url",
        "metadata",
        "payment_intent_data",
        "client_reference_id",
        "customer_email",
        "expires_at",
        "locale",
        "custom_text",
        "adaptive_pricing",
        "expand",
    }
)
PAYMENT_INTENT_DATA = frozenset({"metadata", "description", "receipt_email"})
REFUND = frozenset({"payment_intent", "charge", "amount", "reason", "metadata", "expand"})
LIST = frozenset({"limit", "starting_after", "created", "expand"})

_PART = re.compile(r"\[([^\]]*)\]")


@dataclass(frozen=True)
class Sale:
    """What a payment page asks for; the amount is in the currency's smallest unit, `expires_at` in epoch seconds."""

    title: str
    amount: int
    currency: str
    quantity: int
    expires_at: int


@dataclass(frozen=True)
class Listing:
    """Which part of a list is asked for."""

    limit: int
    after: str | None
    created: Mapping[str, int]


def decoded(fields: Iterable[tuple[str, str]]) -> Body:
    """Return a tree of fields such as `line_items[0][quantity]`; each `[]` is the next number."""
    tree: Body = {}
    for name, value in fields:
        head, *_ = name.partition("[")
        node, key = tree, head
        for part in _PART.findall(name[len(head) :]):
            below = node.setdefault(key, {})
            if not isinstance(below, dict):
                raise InvalidParameter(f"Invalid object: {name}", param=name)
            node, key = below, part or str(len(below))
        node[key] = value
    return tree


def sale(parameters: Body, now: int) -> Sale:
    """Return what a new Checkout Session sells. Raises `InvalidParameter` as Stripe would."""
    only(parameters, SESSION)
    only(_tree(parameters, "payment_intent_data"), PAYMENT_INTENT_DATA, "payment_intent_data")
    if required(parameters, "mode") != "payment":
        raise InvalidParameter("The sandbox takes payments only: mode must be payment.", param="mode")
    for name in ("success_url", "cancel_url"):
        if name in parameters or name == "success_url":
            _check_url(required(parameters, name), name)
    if parameters.get("locale", "auto") not in LOCALES:
        raise InvalidParameter(f"Invalid locale: {parameters['locale']}", param="locale")
    _check_length(parameters, "client_reference_id", 200)
    for within, name in ((parameters, "customer_email"), (_tree(parameters, "payment_intent_data"), "receipt_email")):
        if name in within and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", within[name]):
            raise InvalidParameter(f"Invalid email address: {within[name]}", code="email_invalid", param=name)
    submit = _tree(_tree(parameters, "custom_text"), "submit")
    _check_length(submit, "message", MESSAGE, "custom_text[submit][message]")
    checked_metadata(parameters)
    checked_metadata(_tree(parameters, "payment_intent_data"))
    expires_at = whole(parameters, "expires_at") if "expires_at" in parameters else now + LONGEST
    if not now + SHORTEST - CLOCKS_DIFFER <= expires_at <= now + LONGEST + CLOCKS_DIFFER:
        text = "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation."
        raise InvalidParameter(text, param="expires_at")
    return _sold(parameters, expires_at)


def _sold(parameters: Body, expires_at: int) -> Sale:
    items = listed(parameters, "line_items")
    if len(items) != 1:
        raise InvalidParameter("The sandbox sells one line item at a time.", param="line_items")
    where = "line_items[0][price_data]"
    price = _tree(items[0], "price_data")
    currency = required(price, "currency", where).lower()
    title = required(_tree(price, "product_data"), "name", f"{where}[product_data]")
    if not re.fullmatch("[a-z]{3}", currency):
        raise InvalidParameter(f"Invalid currency: {currency}", param=f"{where}[currency]")
    quantity = whole(items[0], "quantity", "line_items[0]")
    amount = whole(price, "unit_amount", where) * quantity
    if amount < LEAST_MAJOR * 10 ** get_currency_precision(currency.upper()):
        raise InvalidParameter("The total amount due is too small.", code="amount_too_small", param="line_items")
    if amount > MOST:
        raise InvalidParameter("The total amount due is too large.", code="amount_too_large", param="line_items")
    return Sale(title, amount, currency, quantity, expires_at)


def listing(parameters: Body, filters: frozenset[str]) -> Listing:
    """Return which part of a list is asked for. Raises `InvalidParameter`."""
    only(parameters, LIST | filters)
    limit = whole(parameters, "limit") if "limit" in parameters else 10
    if not 1 <= limit <= 100:
        raise InvalidParameter("This value must be between 1 and 100.", param="limit")
    created = parameters.get("created", {})
    if not isinstance(created, dict):
        created = {"gte": created, "lte": created}
    only(created, frozenset(COMPARISONS), "created")
    bounds = {name: whole(created, name, "created") for name in created}
    return Listing(limit, parameters.get("starting_after"), bounds)


def only(parameters: Body, known: frozenset[str], within: str | None = None) -> None:
    """Raise `InvalidParameter` when there is one that is not known."""
    for name in parameters:
        if name not in known:
            param = _named(name, within)
            raise InvalidParameter(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)


def required(parameters: Body, name: str, within: str | None = None) -> str:
    """Return a text that must be there. Raises `InvalidParameter` when it is not, or empty."""
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        param = _named(name, within)
        raise InvalidParameter(f"Missing required param: {param}.", code="parameter_missing", param=param)
    return value


def whole(parameters: Body, name: str, within: str | None = None) -> int:
    """Return a whole number that must be there. Raises `InvalidParameter`."""
    text = required(parameters, name, within)
    if not re.fullmatch("-?[0-9]{1,12}", text):
        param = _named(name, within)
        raise InvalidParameter(f"Invalid integer: {text}", code="parameter_invalid_integer", param=param)
    return int(text)


def listed(parameters: Body, name: str) -> list[Any]:
    """Return what is numbered below a name, in order."""
    below = _tree(parameters, name)
    return [below[key] for key in sorted(below, key=_number)]


def checked_metadata(parameters: Body) -> Body:
    """Return the metadata. Raises `InvalidParameter` when Stripe would not keep them."""
    metadata = _tree(parameters, "metadata")
    if len(metadata) > METADATA_KEYS:
        raise InvalidParameter(f"Metadata can have up to {METADATA_KEYS} keys.", param="metadata")
    for key, value in metadata.items():
        _check_length({key: key}, key, METADATA_NAME, "metadata")
        _check_length(metadata, key, METADATA_VALUE, f"metadata[{key}]")
        if not isinstance(value, str):
            raise InvalidParameter("Metadata values must be strings.", param=f"metadata[{key}]")
    return metadata


def _tree(parameters: Body, name: str) -> Body:
    value = parameters.get(name, {})
    if not isinstance(value, dict):
        raise InvalidParameter("Invalid object", param=name)
    return value


def _number(key: str) -> int:
    return int(key) if key.isdigit() else 0


def _check_url(url: str, name: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidParameter("Not a valid URL", code="url_invalid", param=name)


def _check_length(parameters: Body, name: str, most: int, param: str | None = None) -> None:
    if len(parameters.get(name, "")) > most:
        raise InvalidParameter(f"Invalid string: must be at most {most} characters", param=param or name)


def _named(name: str, within: str | None) -> str:
    return f"{within}[{name}]" if within else name
