"""localstripe, a fake of Stripe by others and in its own process: what we expect of Stripe holds there too."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import psutil
import pytest
import stripe

from chassis.local.processes import free_ports
from contracts.errors import BadRequest
from services.purchase.stripe_events import understood, verified
from tests.contract.stripe.receiver import Receiver, receiving
from tests.services.running import eventually

API_KEY, WEBHOOK_SECRET = "sk_test_of_localstripe", "whsec_of_localstripe"
KEPT = Path("/tmp/localstripe.pickle")
"""Where localstripe writes what it has, though nobody asks it to."""

AMOUNT = 4900
Client: TypeAlias = stripe.StripeClient


@pytest.fixture(scope="module")
def localstripe() -> Iterator[tuple[str, int]]:
    """Its address and its process id."""
    port = free_ports(1)[0]
    program = Path(sys.executable).parent / "localstripe"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent / "on_loopback")}
    process = subprocess.Popen(
        [str(program), "--port", str(port), "--from-scratch"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _answers(address))
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(10)
        KEPT.unlink(missing_ok=True)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/v1/events").status_code == 401
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def receiver(localstripe: tuple[str, int]) -> Iterator[Receiver]:
    with receiving() as receiver:
        told = {"url": receiver.url, "secret": WEBHOOK_SECRET}
        httpx.post(f"{localstripe[0]}/_config/webhooks/academy", json=told).raise_for_status()
        yield receiver


@pytest.fixture(scope="module")
def client(localstripe: tuple[str, int]) -> Client:
    return stripe.StripeClient(API_KEY, base_addresses={"api": localstripe[0]}, max_network_retries=0)


def pay(client: Client, card: str = "pm_card_visa") -> Any:
    wanted = {
        "amount": AMOUNT,
        "currency": "eur",
        "payment_method": card,
        "confirm": True,
        "metadata": {"order_id": "7"},
    }
    return client.v1.payment_intents.create(wanted)


def test_it_listens_on_loopback_only(localstripe: tuple[str, int]) -> None:
    connections = psutil.Process(localstripe[1]).net_connections()

    assert {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def test_a_payment_comes_as_a_webhook_that_verifies_for_the_library_and_for_us(
    client: Client, receiver: Receiver
) -> None:
    intent = pay(client)
    body, signature = eventually(lambda: [one for one in receiver.received if intent.id in one[0]])[0]

    ours, library = (
        verified(body, signature, WEBHOOK_SECRET),
        stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET),
    )

    assert (ours.id, ours.type, ours.livemode) == (library.id, "payment_intent.succeeded", False)
    assert library.data.object.metadata["order_id"] == "7"
    assert understood(ours) is None


def test_a_webhook_that_was_changed_or_signed_by_another_does_not_verify(client: Client, receiver: Receiver) -> None:
    intent = pay(client)
    body, signature = eventually(lambda: [one for one in receiver.received if intent.id in one[0]])[0]

    for changed, secret in ((body.replace(str(AMOUNT), "1"), WEBHOOK_SECRET), (body, "whsec_other")):
        with pytest.raises(BadRequest):
            verified(changed, signature, secret)


def test_a_payment_intent_says_what_was_charged(client: Client) -> None:
    intent = client.v1.payment_intents.retrieve(pay(client).id, {"expand": ["latest_charge"]})

    assert (intent.status, intent.amount, intent.currency) == ("succeeded", AMOUNT, "eur")
    assert (intent.latest_charge.amount, intent.latest_charge.payment_intent) == (AMOUNT, intent.id)


def test_a_refused_card_is_a_card_error_with_its_code(client: Client) -> None:
    with pytest.raises(stripe.CardError) as refused:
        pay(client, "pm_card_chargeCustomerFail")

    assert (refused.value.http_status, refused.value.code) == (402, "card_declined")


def test_refunds_in_parts_add_up_on_the_charge(client: Client) -> None:
    intent = pay(client)

    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})
    after_first = client.v1.charges.retrieve(first.charge)
    rest = client.v1.refunds.create({"payment_intent": intent.id, "amount": AMOUNT - 1000})
    after_rest = client.v1.charges.retrieve(first.charge)

    assert (first.status, rest.status) == ("succeeded", "succeeded")
    assert (after_first.amount_refunded, after_first.refunded) == (1000, False)
    assert (after_rest.amount_refunded, after_rest.refunded) == (AMOUNT, True)
    listed = client.v1.refunds.list({"payment_intent": intent.id}).data
    assert {(refund.id, refund.amount) for refund in listed} == {(first.id, 1000), (rest.id, AMOUNT - 1000)}


def test_what_is_not_there_is_refused_for_good(client: Client) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": "pi_none"})

    assert refused.value.http_status == 404
