"""Stripe's HTTP API, as much of it as the academy asks for."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable

from flask import Blueprint, Response, request

from demo.sandbox import parameters as asked
from demo.sandbox import shapes
from demo.sandbox.errors import InvalidParameter, KeyUsed, NotThere, StripeError, UnknownKey
from demo.sandbox.interference import Interference
from demo.sandbox.payments import Payments
from demo.sandbox.store import Answer, Body, Store

SESSIONS = "/v1/checkout/sessions"
LISTS = {
    SESSIONS: ("checkout.session", frozenset({"payment_intent", "status"})),
    "/v1/payment_intents": ("payment_intent", frozenset[str]()),
    "/v1/charges": ("charge", frozenset({"payment_intent"})),
    "/v1/refunds": ("refund", frozenset({"payment_intent", "charge"})),
    "/v1/disputes": ("dispute", frozenset({"payment_intent", "charge"})),
    "/v1/events": ("event", frozenset({"type"})),
}
EXPANSIONS = {
    "checkout.session": ("payment_intent",),
    "payment_intent": ("latest_charge",),
    "charge": ("payment_intent",),
    "refund": ("charge", "payment_intent"),
    "dispute": ("charge", "payment_intent"),
}
DEEPEST = 4


def api(store: Store, base_url: str, api_key: str, interference: Interference) -> Blueprint:
    """Return the routes below /v1."""
    blueprint = Blueprint("api", __name__)

    def change(work: Callable[[Payments], Body]) -> Response:
        """Answer a POST; the same one again, under its idempotency key, with the same answer."""
        key = request.headers.get("Idempotency-Key")
        wanted = _digest()
        replayed = False
        with store.transaction():
            answer = store.answer(key) if key else None
            if answer is None:
                answer = _carry_out(work, Payments(store, base_url, int(time.time()), key), wanted)
                if key:
                    store.put_answer(key, answer)
            elif answer.request != wanted:
                raise KeyUsed("This idempotency key was used before with other parameters.")
            else:
                replayed = True
        interference.after(kind_of_request())
        response = answered(answer.body, answer.status)
        if replayed:
            response.headers["Idempotent-Replayed"] = "true"
        return response

    @blueprint.before_request
    def check() -> None:
        check_key(api_key)
        interference.before(kind_of_request())

    @blueprint.post(SESSIONS)
    def open_session() -> Response:
        return change(lambda payments: _expanded(store, payments.open_session(_form())))

    @blueprint.post(f"{SESSIONS}/<id>/expire")
    def expire_session(id: str) -> Response:
        return change(lambda payments: _expanded(store, payments.expire(id)))

    @blueprint.post("/v1/refunds")
    def make_refund() -> Response:
        return change(lambda payments: _expanded(store, payments.refund(_form())))

    def add_reads(path: str, kind: str, filters: frozenset[str]) -> None:
        def read(id: str) -> Response:
            body = store.get(kind, id)
            if body is None:
                raise NotThere(kind, id, "id")
            return answered(_expanded(store, body))

        def read_list() -> Response:
            parameters = asked.decoded(request.args.items(multi=True))
            listing = asked.listing(parameters, filters)
            if listing.after is not None and store.get(kind, listing.after) is None:
                raise NotThere(kind, listing.after, "starting_after")
            wanted = {name: asked.required(parameters, name) for name in filters & parameters.keys()}
            found, more = store.page(kind, listing.limit, after=listing.after, created=listing.created, **wanted)
            return answered(_expanded(store, shapes.page(found, more, path)))

        blueprint.add_url_rule(f"{path}/<id>", f"{kind} read".replace(".", " "), read)
        blueprint.add_url_rule(path, f"{kind} list".replace(".", " "), read_list)

    for path, (kind, filters) in LISTS.items():
        add_reads(path, kind, filters)

    @blueprint.errorhandler(StripeError)
    def refuse(error: StripeError) -> Response:
        return answered(error.body(), error.status)

    return blueprint


def check_key(api_key: str) -> None:
    """Raise `UnknownKey` unless the request carries the API key, as a bearer's or a user's name."""
    authorization = request.authorization
    given = "" if authorization is None else authorization.token or authorization.username or ""
    if not given:
        raise UnknownKey("You did not provide an API key.")
    if not hmac.compare_digest(given.encode(), api_key.encode()):
        raise UnknownKey(f"Invalid API Key provided: {given[:8]}{'*' * 8}")


def answered(body: object, status: int = 200) -> Response:
    """Return an answer in JSON."""
    response = Response(json.dumps(body), status, mimetype="application/json")
    response.headers["Request-Id"] = shapes.new_id("req")
    response.headers["Stripe-Version"] = shapes.API_VERSION
    return response


def kind_of_request() -> str:
    """Return which request this is, such as `GET /v1/charges/<id>`."""
    return f"{request.method} {request.url_rule}"


def _carry_out(work: Callable[[Payments], Body], payments: Payments, wanted: str) -> Answer:
    """Return the answer to keep: also a refusal, once the request was sound."""
    try:
        return Answer(wanted, 200, work(payments))
    except InvalidParameter:
        raise
    except StripeError as error:
        return Answer(wanted, error.status, error.body())


def _form() -> Body:
    return asked.decoded(request.form.items(multi=True))


def _digest() -> str:
    fields = sorted(request.form.items(multi=True))
    return f"{request.method} {request.path} {hashlib.sha256(json.dumps(fields).encode()).hexdigest()}"


def _expanded(store: Store, body: Body) -> Body:
    """Return an answer with the objects in place of the ids that `expand` names. Raises `InvalidParameter`."""
    parameters = asked.decoded((request.args or request.form).items(multi=True))
    for path in asked.listed(parameters, "expand"):
        steps = path.split(".")
        if body["object"] == "list":
            first, *steps = steps
            if first != "data" or not steps:
                raise InvalidParameter(f"This property cannot be expanded ({path}).", param="expand")
            body = body | {"data": [_expand(store, one, steps, path) for one in body["data"]]}
        else:
            body = _expand(store, body, steps, path)
    return body


def _expand(store: Store, body: Body, steps: list[str], path: str) -> Body:
    name, *below = steps
    if (body["object"], name) == ("checkout.session", "line_items"):
        items = store.details(body["id"])["line_items"]
        return body | {name: shapes.page(items, False, f"{SESSIONS}/{body['id']}/line_items")}
    if name not in EXPANSIONS.get(body["object"], ()) or len(steps) > DEEPEST:
        raise InvalidParameter(f"This property cannot be expanded ({path}).", param="expand")
    there = body[name]
    if isinstance(there, str):
        there = store.find(there)
    return body | {name: _expand(store, there, below, path) if there is not None and below else there}
