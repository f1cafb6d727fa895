"""The sandbox, asked by the real Stripe library: every answer and webhook is as Stripe's published schemas say."""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import jsonschema
import pytest
import stripe

from chassis.clock import now
from demo.sandbox.shapes import API_VERSION
from demo.sandbox.webhooks import FIRST_PAUSE, LONGEST_PAUSE, pause_after
from services.purchase.stripe_events import verified
from tests.contract.stripe.conftest import AMOUNT, Open, client_of, wanted
from tests.contract.stripe.receiver import Receiver, receiving
from tests.contract.stripe.schemas import check
from tests.sandbox import WEBHOOK_SECRET, Sandbox, running_sandbox
from tests.services.running import eventually

Client: TypeAlias = stripe.StripeClient


def told(sandbox: Sandbox, receiver: Receiver, of: str) -> list[dict[str, Any]]:
    """The webhooks that came of one object, in the order of what happened, each checked and its signature too."""
    sandbox.wait_until_told()
    events = [check(body) for body, signature in receiver.received if verified(body, signature, WEBHOOK_SECRET)]
    order = {delivery["event_id"]: delivery["number"] for delivery in sandbox.deliveries()}
    about = [event for event in events if of in json.dumps(event["data"])]
    return sorted(about, key=lambda event: order[event["id"]])


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def with_payment(client: Client, session_id: str) -> Any:
    return client.v1.checkout.sessions.retrieve(session_id, {"expand": ["payment_intent.latest_charge", "line_items"]})


def paid(sandbox: Sandbox, opened: Open, **more: Any) -> str:
    """The payment intent of a page that has been paid on."""
    return str(sandbox.pay(opened(**more).id)["payment_intent"])


def test_the_sandbox_speaks_the_version_that_our_library_asks_for() -> None:
    assert stripe.api_version == API_VERSION


def test_every_field_is_one_that_our_library_knows_too(client: Client, sandbox: Sandbox, opened: Open) -> None:
    intent = paid(sandbox, opened)
    refund = client.v1.refunds.create({"payment_intent": intent, "amount": 1})
    dispute = client.v1.disputes.retrieve(sandbox.dispute(intent)["id"])
    session = with_payment(client, client.v1.checkout.sessions.list({"payment_intent": intent}).data[0].id)
    payment = session.payment_intent
    event = client.v1.events.list({"limit": 1}).data[0]

    for one in (session, session.line_items.data[0], payment, payment.latest_charge, refund, dispute, event):
        assert set(one.to_dict()) <= set(type(one).__annotations__)


def test_the_check_sees_a_field_that_is_missing_misspelt_or_of_another_type(opened: Open) -> None:
    sound = json.loads(json.dumps(opened().to_dict()))

    for wrong in ({"payment_status": None}, {"amuont": 1}, {"amount_total": "4900"}):
        with pytest.raises(jsonschema.ValidationError):
            check(json.dumps(sound | wrong))


def test_a_page_is_open_until_it_is_paid_and_says_all_that_was_asked_for(
    client: Client, sandbox: Sandbox, opened: Open, receiver: Receiver
) -> None:
    session = opened()
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert (session.amount_total, session.currency) == (AMOUNT, "eur")
    assert session.url == f"{sandbox.url}/pay/{session.id}"

    sandbox.pay(session.id)

    after = with_payment(client, session.id)
    assert (after.status, after.payment_status, after.url) == ("complete", "paid", None)
    assert after.line_items.data[0].description == "Un <b>cours</b> & plus"
    intent = after.payment_intent
    assert (intent.status, intent.amount_received, intent.receipt_email) == ("succeeded", AMOUNT, "ber@tanka.example")
    assert intent.metadata["order_id"] == session.metadata["order_id"] == wanted()["metadata"]["order_id"]
    assert httpx.get(intent.latest_charge.receipt_url).status_code == 200
    assert types(told(sandbox, receiver, intent.id)) == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_a_refused_card_leaves_the_page_open_for_another(
    client: Client, sandbox: Sandbox, opened: Open, receiver: Receiver
) -> None:
    session = opened()

    sandbox.decline(session.id)
    refused = with_payment(client, session.id)
    sandbox.pay(session.id)

    assert refused.status == "open"
    assert refused.payment_intent.status == "requires_payment_method"
    assert refused.payment_intent.last_payment_error.code == "card_declined"
    after = with_payment(client, session.id)
    assert after.payment_intent.id == refused.payment_intent.id
    assert len(client.v1.charges.list({"payment_intent": after.payment_intent.id}).data) == 2
    assert types(told(sandbox, receiver, after.payment_intent.id))[:2] == [
        "charge.failed",
        "payment_intent.payment_failed",
    ]


@pytest.mark.parametrize(
    ("outcome", "event", "payment_status", "status"),
    [
        ("succeed", "checkout.session.async_payment_succeeded", "paid", "succeeded"),
        ("fail", "checkout.session.async_payment_failed", "unpaid", "requires_payment_method"),
    ],
)
def test_a_payment_that_arrives_later_is_completed_first_and_decided_afterwards(
    client: Client,
    sandbox: Sandbox,
    opened: Open,
    receiver: Receiver,
    outcome: str,
    event: str,
    payment_status: str,
    status: str,
) -> None:
    session = opened()

    sandbox.pay_later(session.id)
    before = with_payment(client, session.id)
    sandbox.settle(session.id, outcome)

    assert (before.status, before.payment_status, before.payment_intent.status) == ("complete", "unpaid", "processing")
    after = with_payment(client, session.id)
    assert (after.status, after.payment_status, after.payment_intent.status) == ("complete", payment_status, status)
    of_session = types(told(sandbox, receiver, f'"{session.id}"'))
    assert [kind for kind in of_session if kind.startswith("checkout")] == ["checkout.session.completed", event]


def test_a_refund_gives_back_some_then_the_rest_then_nothing(
    client: Client, sandbox: Sandbox, opened: Open, receiver: Receiver
) -> None:
    intent = paid(sandbox, opened)

    part = client.v1.refunds.create({"payment_intent": intent, "amount": 1000, "reason": "requested_by_customer"})
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        client.v1.refunds.create({"payment_intent": intent, "amount": AMOUNT})
    rest = client.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.refunds.create({"payment_intent": intent})

    assert (part.amount, rest.amount, rest.status) == (1000, AMOUNT - 1000, "succeeded")
    assert too_much.value.param == "amount"
    assert again.value.code == "charge_already_refunded"
    assert [refund.id for refund in client.v1.refunds.list({"payment_intent": intent}).data] == [rest.id, part.id]
    totals = [
        (event["data"]["object"]["amount_refunded"], event["data"]["object"]["refunded"])
        for event in told(sandbox, receiver, intent)
        if event["type"] == "charge.refunded"
    ]
    assert totals == [(1000, False), (AMOUNT, True)]


@pytest.mark.parametrize("verdict", ["won", "lost"])
def test_a_dispute_is_opened_and_decided(
    client: Client, sandbox: Sandbox, opened: Open, receiver: Receiver, verdict: str
) -> None:
    intent = paid(sandbox, opened)

    dispute = sandbox.dispute(intent)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent})
    sandbox.close_dispute(dispute["id"], verdict)

    assert (dispute["status"], dispute["amount"]) == ("needs_response", AMOUNT)
    assert refused.value.code == "charge_disputed"
    assert client.v1.disputes.list({"payment_intent": intent}).data[0].status == verdict
    statuses = [
        (event["type"], event["data"]["object"]["status"])
        for event in told(sandbox, receiver, intent)
        if "dispute" in event["type"]
    ]
    assert statuses == [("charge.dispute.created", "needs_response"), ("charge.dispute.closed", verdict)]


def test_a_banks_inquiry_can_only_be_closed(sandbox: Sandbox, opened: Open) -> None:
    inquiry = sandbox.dispute(paid(sandbox, opened), status="warning_needs_response")

    assert inquiry["is_charge_refundable"]
    assert sandbox.close_dispute(inquiry["id"], "warning_closed")["status"] == "warning_closed"


def test_an_open_page_can_be_closed_and_a_paid_one_cannot(
    client: Client, sandbox: Sandbox, opened: Open, receiver: Receiver
) -> None:
    left, bought = opened(), opened()
    sandbox.pay(bought.id)

    closed = client.v1.checkout.sessions.expire(left.id)
    with pytest.raises(stripe.InvalidRequestError) as too_late:
        client.v1.checkout.sessions.expire(bought.id)

    assert (closed.status, closed.url) == ("expired", None)
    assert too_late.value.http_status == 400
    assert types(told(sandbox, receiver, left.id)) == ["checkout.session.expired"]


def test_lists_are_newest_first_in_pages_from_a_moment_on(client: Client, opened: Open) -> None:
    ids = [opened().id for _ in range(3)][::-1]
    sessions = client.v1.checkout.sessions

    first = sessions.list({"limit": 2, "created": {"gte": int(time.time()) - 60}})
    second = sessions.list({"limit": 1, "starting_after": first.data[-1].id})

    assert [session.id for session in first.data] == ids[:2]
    assert first.has_more
    assert second.data[0].id == ids[2]
    assert sessions.list({"created": {"gte": int(time.time()) + 60}}).data == []
    assert sessions.list({"limit": 100, "expand": ["data.payment_intent.latest_charge"]}).data[0].id == ids[0]


def test_events_are_listed_by_type(client: Client, sandbox: Sandbox, opened: Open) -> None:
    intent = paid(sandbox, opened)

    newest = client.v1.events.list({"type": "payment_intent.succeeded", "limit": 1}).data[0]

    assert newest.data.object.id == intent
    assert newest.api_version == API_VERSION


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in wanted().items() if key != name}


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        (without("success_url"), "success_url"),
        (without("line_items"), "line_items"),
        (wanted() | {"mode": "subscription"}, "mode"),
        (wanted() | {"sucess_url": "http://127.0.0.1"}, "sucess_url"),
        (wanted() | {"success_url": "javascript:alert(1)"}, "success_url"),
        (wanted() | {"expires_at": int(time.time()) + 60}, "expires_at"),
        (wanted() | {"expires_at": int(time.time()) + 90_000}, "expires_at"),
        (wanted() | {"locale": "xx"}, "locale"),
        (wanted() | {"metadata": {"k": "v" * 501}}, "metadata[k]"),
        (wanted() | {"custom_text": {"submit": {"message": "m" * 1201}}}, "custom_text[submit][message]"),
        (wanted() | {"customer_email": "nobody"}, "customer_email"),
        (wanted(unit_amount=49), "line_items"),
    ],
)
def test_what_stripe_would_not_take_is_refused_by_name(client: Client, parameters: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.checkout.sessions.create(parameters)

    assert (refused.value.http_status, refused.value.param) == (400, param)


def test_what_is_not_there_is_said_so(client: Client, sandbox: Sandbox) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.payment_intents.retrieve("pi_none")
    with pytest.raises(stripe.InvalidRequestError) as named:
        client.v1.refunds.create({"payment_intent": "pi_none"})
    with pytest.raises(stripe.InvalidRequestError) as route:
        client.v1.customers.list()

    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    assert named.value.param == "payment_intent"
    assert route.value.http_status == 404


def test_without_the_key_nothing_is_answered(sandbox: Sandbox) -> None:
    for key in ("sk_test_other", "sk_test_é"):
        with pytest.raises(stripe.AuthenticationError):
            client_of(sandbox, key).v1.charges.list()
    assert httpx.get(f"{sandbox.url}/v1/charges").status_code == 401
    assert httpx.post(f"{sandbox.url}/_sandbox/webhooks/off").status_code == 401


def test_the_same_key_gives_the_same_answer_and_another_request_under_it_is_refused(
    client: Client, sandbox: Sandbox, opened: Open
) -> None:
    key = str(uuid.uuid4())
    parameters = wanted()
    before = sandbox.counts()["checkout.session"]

    def ask() -> Any:
        return client.v1.checkout.sessions.create(parameters, {"idempotency_key": key})

    first = ask()
    with ThreadPoolExecutor(4) as pool:
        again = [answer.result() for answer in [pool.submit(ask) for _ in range(4)]]
    with pytest.raises(stripe.IdempotencyError) as refused:
        opened(key=key, unit_amount=100)

    assert {answer.id for answer in again} == {first.id}
    assert again[0].last_response.headers["Idempotent-Replayed"] == "true"
    assert sandbox.counts()["checkout.session"] == before + 1
    assert refused.value.http_status == 400


def test_a_key_keeps_a_refusal_but_not_a_request_that_made_no_sense(
    client: Client, sandbox: Sandbox, opened: Open
) -> None:
    intent = paid(sandbox, opened)
    key = {"idempotency_key": str(uuid.uuid4())}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent, "amount": 0}, key)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent, "amount": AMOUNT + 1}, key)

    with pytest.raises(stripe.IdempotencyError):
        client.v1.refunds.create({"payment_intent": intent, "amount": 1}, key)


def test_an_answer_can_be_held_after_the_work_is_done(sandbox: Sandbox, opened: Open) -> None:
    before = sandbox.counts()["checkout.session"]
    hold = sandbox.hold("POST /v1/checkout/sessions")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(opened)
        hold.wait_until_holding()

        assert sandbox.counts()["checkout.session"] == before + 1
        assert not answer.done()
        hold.release()
        assert answer.result(5).status == "open"
    assert hold.state() == "over"


def test_requests_can_be_made_to_fail_with_nothing_done(sandbox: Sandbox, opened: Open) -> None:
    before = sandbox.counts()
    sandbox.fail("POST /v1/checkout/sessions", times=2, status=500)

    for _ in range(2):
        with pytest.raises(stripe.APIError):
            opened()

    assert sandbox.counts() == before
    assert opened().status == "open"


def test_what_is_not_taken_is_sent_again_with_growing_pauses() -> None:
    assert [pause_after(attempts) for attempts in (1, 2, 3)] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pause_after(1000) == LONGEST_PAUSE


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[tuple[Any, Receiver]]:
    """A sandbox whose webhooks are refused once, and the receiver that refuses."""
    with receiving() as receiver, running_sandbox(tmp_path, receiver.url) as sandbox:
        receiver.refusals = 1
        yield sandbox, receiver


def test_a_restart_forgets_nothing(fresh: tuple[Any, Receiver]) -> None:
    sandbox, receiver = fresh
    receiver.refusals = 10_000
    client = client_of(sandbox)
    key = {"idempotency_key": "the same"}
    parameters = wanted()
    session = client.v1.checkout.sessions.create(parameters, key)
    sandbox.pay(session.id)
    eventually(lambda: receiver.refused >= 3)

    sandbox.kill()
    receiver.refusals = 0
    sandbox.start()

    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert client.v1.checkout.sessions.create(parameters, key).id == session.id
    sandbox.wait_until_told()
    events = [verified(body, signature, WEBHOOK_SECRET) for body, signature in receiver.received]
    assert sorted(event.type for event in events) == [
        "charge.succeeded",
        "checkout.session.completed",
        "payment_intent.succeeded",
    ]


def test_webhooks_can_be_lost_and_sent_twice(fresh: tuple[Any, Receiver]) -> None:
    sandbox, receiver = fresh
    sandbox.turn_webhooks("off")
    session = client_of(sandbox).v1.checkout.sessions.create(wanted())
    sandbox.pay(session.id)
    lost = sandbox.events("checkout.session.completed")[0]["id"]
    assert {delivery["state"] for delivery in sandbox.deliveries()} == {"kept"}

    sandbox.turn_webhooks("on")
    sandbox.send_again(lost)
    sandbox.send_again(lost)
    sandbox.wait_until_told()

    assert [json.loads(body)["id"] for body, _ in receiver.received] == [lost, lost]
    assert receiver.refused == 1


def test_a_webhook_signed_with_another_secret_or_changed_is_not_ours(
    sandbox: Sandbox, opened: Open, receiver: Receiver
) -> None:
    paid(sandbox, opened)
    sandbox.wait_until_told()
    body, signature = receiver.received[-1]

    assert stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET).api_version == API_VERSION
    for changed, secret in ((body.replace("eur", "usd"), WEBHOOK_SECRET), (body, "whsec_other")):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(changed, signature, secret)
    assert now().timestamp() - json.loads(body)["created"] < 300
