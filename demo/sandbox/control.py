"""What tests steer the sandbox with, below /_sandbox and with the API key: JSON in and out."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, request

from demo.sandbox.api import answered, check_key
from demo.sandbox.errors import InvalidParameter, NotThere, StripeError
from demo.sandbox.interference import Failure, Hold, Interference
from demo.sandbox.payments import Payments
from demo.sandbox.store import WEBHOOKS, Body, Store


def control(store: Store, base_url: str, api_key: str, interference: Interference) -> Blueprint:
    """Return the routes below /_sandbox."""
    blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")

    def happen(work: Callable[[Payments], Body]) -> Response:
        with store.transaction():
            body = work(Payments(store, base_url, int(time.time())))
        return answered(body)

    @blueprint.before_request
    def check() -> None:
        check_key(api_key)

    @blueprint.post("/sessions/<id>/<any(pay, decline, pay_later, expire):happening>")
    def session_happens(id: str, happening: str) -> Response:
        return happen(lambda payments: getattr(payments, happening)(id))

    @blueprint.post("/sessions/<id>/settle")
    def settle(id: str) -> Response:
        return happen(lambda payments: payments.settle(id, _one_of("outcome", ("succeed", "fail"))))

    @blueprint.post("/payment_intents/<id>/refund")
    def refund(id: str) -> Response:
        amount = {name: str(value) for name, value in _given().items() if name == "amount"}
        return happen(lambda payments: payments.refund({"payment_intent": id, **amount}))

    @blueprint.post("/payment_intents/<id>/dispute")
    def open_dispute(id: str) -> Response:
        status = _one_of("status", ("needs_response", "warning_needs_response"))
        return happen(lambda payments: payments.open_dispute(id, status, _given().get("amount")))

    @blueprint.post("/disputes/<id>/close")
    def close_dispute(id: str) -> Response:
        return happen(lambda payments: payments.close_dispute(id, _one_of("status", ("won", "lost", "warning_closed"))))

    @blueprint.post("/webhooks/<any(on, off):position>")
    def turn_webhooks(position: str) -> Response:
        store.turn(WEBHOOKS, position == "on")
        return answered({"webhooks": position})

    @blueprint.get("/deliveries")
    def deliveries() -> Response:
        return answered({"deliveries": [asdict(delivery) for delivery in store.deliveries()]})

    @blueprint.post("/events/<id>/send")
    def send(id: str) -> Response:
        if store.get("event", id) is None:
            raise NotThere("event", id, "id")
        store.deliver(id, time.time())
        return answered({"sent": id})

    @blueprint.post("/holds")
    def hold() -> Response:
        return answered(_shown(interference.hold(_given()["request"], float(_given().get("seconds", 30)))))

    @blueprint.get("/holds/<id>")
    def show_hold(id: str) -> Response:
        return answered(_shown(found_hold(id)))

    @blueprint.post("/holds/<id>/release")
    def release(id: str) -> Response:
        found_hold(id).released.set()
        return answered(_shown(found_hold(id)))

    @blueprint.post("/failures")
    def fail() -> Response:
        given = _given()
        failure = Failure(
            given["request"], given.get("times", 1), given.get("status", 500), float(given.get("seconds", 0))
        )
        interference.fail(failure)
        return answered(asdict(failure))

    @blueprint.get("/counts")
    def counts() -> Response:
        return answered(store.counts())

    @blueprint.errorhandler(StripeError)
    def refuse(error: StripeError) -> Response:
        return answered(error.body(), error.status)

    def found_hold(id: str) -> Hold:
        hold = interference.found(id)
        if hold is None:
            raise NotThere("hold", id, "id")
        return hold

    return blueprint


def _given() -> Body:
    given: Body = request.get_json(silent=True) or {}
    return given


def _one_of(name: str, values: tuple[Any, ...]) -> Any:
    given = _given().get(name, values[0])
    if given not in values:
        raise InvalidParameter(f"{name} is one of {', '.join(values)}.", param=name)
    return given


def _shown(hold: Hold) -> Body:
    return {"id": hold.id, "request": hold.request, "seconds": hold.seconds, "state": hold.state}
