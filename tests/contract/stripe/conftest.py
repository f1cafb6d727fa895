"""A sandbox for a module's tests, a receiver of its webhooks, and clients of both kinds."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from tests.contract.stripe.receiver import Receiver, receiving
from tests.contract.stripe.schemas import check
from tests.sandbox import API_KEY, Sandbox, running_sandbox

AMOUNT = 4900
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def sandbox(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), receiver.url) as sandbox:
        yield sandbox


class CheckedClient(stripe.RequestsClient):  # type: ignore[misc]
    """The library's own HTTP client, which holds every answer against Stripe's published schemas."""

    def request(self, *arguments: Any, **more: Any) -> Any:
        """As the library's."""
        body, status, headers = super().request(*arguments, **more)
        check(body)
        return body, status, headers


def client_of(sandbox: Sandbox, api_key: str = API_KEY) -> stripe.StripeClient:
    """The real library, pointed at the sandbox."""
    return stripe.StripeClient(
        api_key, base_addresses={"api": sandbox.url}, http_client=CheckedClient(), max_network_retries=0
    )


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


@pytest.fixture(scope="module")
def opened(client: stripe.StripeClient) -> Open:
    """`opened(unit_amount=100)`: a new payment page, as the academy would ask for it."""

    def open_page(key: str | None = None, unit_amount: int = AMOUNT, **changes: Any) -> Any:
        return client.v1.checkout.sessions.create(
            wanted(unit_amount) | changes, {"idempotency_key": key or str(uuid.uuid4())}
        )

    return open_page


def wanted(unit_amount: int = AMOUNT) -> dict[str, Any]:
    """What the academy asks for a page with."""
    ours = {"order_id": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}
    return {
        "mode": "payment",
        "client_reference_id": ours["order_id"],
        "metadata": ours,
        "payment_intent_data": {"metadata": ours, "description": "Cours", "receipt_email": "ber@tanka.example"},
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": "eur",
                    "unit_amount": unit_amount,
                    "product_data": {"name": "Un <b>cours</b> & plus"},
                },
            }
        ],
        "customer_email": "ber@tanka.example",
        "success_url": "http://127.0.0.1:3000/merci?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:3000/cours",
        "expires_at": int(time.time()) + 23 * 3600,
        "locale": "fr",
        "custom_text": {"submit": {"message": "Je renonce au délai de rétractation."}},
    }
