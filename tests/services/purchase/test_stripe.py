"""What purchase asks of Stripe, asked with Stripe's own library of a Stripe that answers over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from chassis.clock import now
from chassis.settings import Settings, SettingsError
from contracts.errors import Unavailable
from services.purchase import payments
from services.purchase.payments import KeySpent, OrderToPay, Refused, StripePayments
from services.purchase.stripe_events import DisputeHeard, SessionHeard
from tests.sandbox import API_KEY, SandboxProcess, running_sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    folder: Path = tmp_path_factory.mktemp("sandbox")
    with running_sandbox(folder) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def stripe(sandbox: SandboxProcess) -> StripePayments:
    return StripePayments(sandbox.url, API_KEY)


def order(**changes: object) -> OrderToPay:
    made = OrderToPay(
        order_id=uuid4(),
        key=str(uuid4()),
        title="L’été, « enfin »",
        amount=4900,
        currency="EUR",
        email="ber@tanka.example",
        locale="fr",
        waiver_text="Je demande l’accès immédiat.",
        success_url="http://front.example/merci?session={CHECKOUT_SESSION_ID}",
        cancel_url="http://front.example/cours",
        expires_at=now() + timedelta(hours=23),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def paid(sandbox: SandboxProcess, stripe: StripePayments) -> tuple[UUID, str]:
    """An order that was paid, and its payment intent."""
    wanted = order()
    session = sandbox.pay(stripe.open_page(wanted).session_id)
    return wanted.order_id, session["payment_intent"]


def sessions(stripe: StripePayments) -> dict[UUID | None, SessionHeard]:
    found: dict[UUID | None, SessionHeard] = {}
    after = None
    while True:
        page, after = stripe.sessions(now() - timedelta(days=1), after)
        found |= {heard.order_id: heard for heard in page}
        if after is None:
            return found


def test_a_page_is_opened_once_for_a_key_and_sells_what_was_ordered(
    sandbox: SandboxProcess, stripe: StripePayments
) -> None:
    wanted = order()

    page = stripe.open_page(wanted)

    assert stripe.open_page(wanted) == page
    assert page.url.startswith(sandbox.url)
    assert sandbox.pay(page.session_id)["amount_total"] == 4900
    heard = sessions(stripe)[wanted.order_id]
    assert (heard.session_id, heard.outcome, heard.amount, heard.currency) == (page.session_id, "paid", 4900, "eur")


def test_a_key_that_was_used_for_something_else_says_so(stripe: StripePayments) -> None:
    wanted = order()
    stripe.open_page(wanted)

    with pytest.raises(KeySpent):
        stripe.open_page(replace(wanted, email="other@tanka.example"))


def test_what_stripe_cannot_sell_is_refused_for_good(stripe: StripePayments) -> None:
    with pytest.raises(Refused):
        stripe.open_page(order(expires_at=now() + timedelta(minutes=1)))


def test_a_page_is_closed_unless_it_was_paid(sandbox: SandboxProcess, stripe: StripePayments) -> None:
    open_one, paid_one = stripe.open_page(order()), stripe.open_page(order())
    sandbox.pay(paid_one.session_id)

    for _ in range(2):
        assert stripe.close_page(open_one.session_id) is None
    assert stripe.close_page("cs_test_of_another_account") is None
    heard = stripe.close_page(paid_one.session_id)
    assert heard is not None
    assert (heard.session_id, heard.outcome, heard.amount) == (paid_one.session_id, "paid", 4900)


def test_a_refund_is_made_once_for_a_key_and_never_of_more_than_there_is(
    sandbox: SandboxProcess, stripe: StripePayments
) -> None:
    order_id, payment = paid(sandbox, stripe)
    key = str(uuid4())

    assert stripe.refund(payment, 1000, order_id, key) == stripe.refund(payment, 1000, order_id, key)
    stripe.refund(payment, 3900, order_id, str(uuid4()))
    with pytest.raises(Refused):
        stripe.refund(payment, 1, order_id, str(uuid4()))

    found, _ = stripe.refunds(now() - timedelta(days=1), None)
    totals = sorted(heard.refunded for heard in found if heard.payment_intent_id == payment)
    assert totals[-1] == 4900
    assert set(totals) <= {1000, 3900, 4900}


def test_the_receipt_is_where_stripe_says(sandbox: SandboxProcess, stripe: StripePayments) -> None:
    _, payment = paid(sandbox, stripe)

    receipt = stripe.receipt_url(payment)

    assert receipt is not None
    assert receipt.startswith("http")


def test_what_became_of_pages_is_listed_without_those_that_are_open(
    sandbox: SandboxProcess, stripe: StripePayments
) -> None:
    orders = {name: order() for name in ("open", "paid", "expired", "processing", "failed")}
    pages = {name: stripe.open_page(one).session_id for name, one in orders.items()}
    sandbox.pay(pages["paid"])
    sandbox.expire(pages["expired"])
    sandbox.pay_later(pages["processing"])
    sandbox.pay_later(pages["failed"])
    sandbox.settle(pages["failed"], "fail")

    found = sessions(stripe)

    assert orders["open"].order_id not in found
    outcomes = {name: found[one.order_id].outcome for name, one in orders.items() if name != "open"}
    assert outcomes == {name: name for name in outcomes}
    assert found[orders["paid"].order_id].payment_intent_id is not None


def test_disputes_are_listed_with_what_became_of_them(sandbox: SandboxProcess, stripe: StripePayments) -> None:
    payments_made = [paid(sandbox, stripe)[1] for _ in range(3)]
    disputes = [sandbox.dispute(payment)["id"] for payment in payments_made]
    sandbox.close_dispute(disputes[1], "won")
    sandbox.close_dispute(disputes[2], "lost")

    found, _ = stripe.disputes(now() - timedelta(days=1), None)

    by_id: dict[str, DisputeHeard] = {heard.dispute.dispute_id: heard for heard in found}
    known = [by_id[dispute] for dispute in disputes]
    assert [heard.dispute.status for heard in known] == ["open", "won", "lost"]
    assert [heard.dispute.closed_at is None for heard in known] == [True, False, False]
    assert [heard.payment_intent_id for heard in known] == payments_made


def test_lists_go_on_page_by_page(stripe: StripePayments) -> None:
    opened = [order() for _ in range(120)]
    for one in opened:
        stripe.close_page(stripe.open_page(one).session_id)

    assert {one.order_id for one in opened} <= sessions(stripe).keys()


def test_a_fault_of_stripe_spends_the_key_it_was_asked_with(sandbox: SandboxProcess, stripe: StripePayments) -> None:
    sandbox.fail("POST /v1/checkout/sessions", times=1)
    wanted = order()
    with pytest.raises(KeySpent):
        stripe.open_page(wanted)

    assert stripe.open_page(replace(wanted, key=str(uuid4()))).session_id


def test_a_fault_of_stripe_where_no_key_matters_is_unavailable(sandbox: SandboxProcess, stripe: StripePayments) -> None:
    page = stripe.open_page(order())
    sandbox.fail("POST /v1/checkout/sessions/<id>/expire", times=1)

    with pytest.raises(Unavailable):
        stripe.close_page(page.session_id)


def test_a_stripe_that_is_down_is_unavailable_and_soon_left_alone() -> None:
    stripe = StripePayments("http://127.0.0.1:1", API_KEY)

    for _ in range(payments.SILENCES + 1):
        with pytest.raises(Unavailable):
            stripe.open_page(order())


def test_a_wrong_key_is_unavailable_rather_than_a_refusal(sandbox: SandboxProcess) -> None:
    with pytest.raises(Unavailable):
        StripePayments(sandbox.url, "sk_test_wrong").open_page(order())


def test_production_wants_real_keys_and_stripe_itself() -> None:
    real = {"environment": "production", "stripe_api_key": "sk_live_1", "stripe_webhook_secret": "whsec_1"}
    payments.check(Settings(**real))  # type: ignore[arg-type]
    payments.check(Settings())
    for name in ("stripe_api_key", "stripe_webhook_secret"):
        with pytest.raises(SettingsError, match=name.upper()):
            payments.check(Settings(**(real | {name: ""})))  # type: ignore[arg-type]
    environment = {
        "ENVIRONMENT": "production",
        "JWT_SIGNING_KEY": "set",
        "AMQP_URI": "amqp://a:b@broker//",
        "STRIPE_API_KEY": "sk_live_1",
    }
    assert payments.is_live(Settings.from_environment(environment))
    for wrong in ({"STRIPE_API_BASE": "http://127.0.0.1:9"}, {"STRIPE_API_KEY": "sk_test_sandbox_1"}):
        with pytest.raises(SettingsError, match="sandbox"):
            Settings.from_environment(environment | wrong)
