"""What does not fit grants nothing and is said in a line of the log; 400 where Stripe should send it again."""

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from contracts.errors import BadRequest
from services.purchase.alarms import PAYMENT_ALARMS
from tests.services.purchase.shop import SECRET, Shop, Webhook, charge, course, signed, webhook


@pytest.fixture
def order(shop: Shop) -> UUID:
    """An order that waits to be paid."""
    return shop.ordered(uuid4(), shop.publish(course()))


def alarms_of(act: Callable[[], Any]) -> list[str]:
    with capture_logs() as lines:
        act()
    return [line["alarm"] for line in lines if line["event"] == "payment alarm" and line["log_level"] == "error"]


def assert_nothing_granted(shop: Shop) -> None:
    assert shop.execute("select * from entitlements") == []
    assert shop.execute("select * from orders where paid_at is not null") == []
    assert shop.execute("select * from outbox") == []


def completed(shop: Shop, order_id: UUID, **changes: Any) -> Webhook:
    return webhook("checkout.session.completed", shop.session(order_id, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_total": 1},
        {"amount_total": 4899},
        {"amount_total": 4901},
        {"amount_total": None},
        {"currency": "usd"},
        {"currency": None},
        {"payment_intent": None},
        {"payment_status": "no_payment_required", "amount_total": 0, "payment_intent": None},
    ],
    ids=str,
)
def test_a_payment_that_is_not_as_ordered_grants_nothing_and_is_not_asked_for_again(
    shop: Shop, order: UUID, changes: dict[str, Any]
) -> None:
    wrong = completed(shop, order, **changes)

    assert alarms_of(lambda: shop.receive(wrong)) == ["not-as-ordered"]
    assert_nothing_granted(shop)
    assert alarms_of(lambda: shop.receive(wrong)) == []


def test_a_payment_of_an_unknown_order_is_asked_for_again_and_counts_once_the_order_is_known(
    shop: Shop, order: UUID
) -> None:
    unknown = completed(shop, order, metadata={"order_id": str(uuid4())})

    def receive() -> None:
        with pytest.raises(BadRequest, match="unknown-order"):
            shop.receive(unknown)

    assert alarms_of(receive) == ["unknown-order"]
    assert_nothing_granted(shop)
    assert shop.execute("select * from stripe_events") == []


@pytest.mark.parametrize("metadata", [None, {}, {"order_id": "no id"}, {"other": "x"}], ids=str)
def test_somebody_elses_payment_page_is_ignored(shop: Shop, order: UUID, metadata: Any) -> None:
    assert alarms_of(lambda: shop.receive(completed(shop, order, metadata=metadata))) == []
    assert_nothing_granted(shop)


def test_an_event_of_a_foreign_account_grants_nothing(shop: Shop, order: UUID) -> None:
    foreign = webhook("checkout.session.completed", shop.session(order), account="acct_other")

    assert alarms_of(lambda: shop.receive(foreign)) == ["foreign-account"]
    assert_nothing_granted(shop)


def test_test_money_buys_nothing_where_real_money_moves_and_the_other_way_round(shop: Shop, order: UUID) -> None:
    live = webhook("checkout.session.completed", shop.session(order), livemode=True)

    assert alarms_of(lambda: shop.receive(live)) == ["foreign-account"]
    assert_nothing_granted(shop)


FORGERIES: dict[str, Callable[[str], str]] = {
    "another secret": lambda body: signed(body, "whsec_other"),
    "another body": lambda body: signed(body + " "),
    "too old": lambda body: signed(body, at=time.time() - 301),
    "none": lambda _: "",
    "no scheme": lambda body: signed(body).replace("v1=", "v0="),
    "no time": lambda body: signed(body).partition(",")[2],
    "nonsense": lambda _: "t=é,v1=ü",
    "letters that are no digits": lambda _: f"t={int(time.time())},v1=é",
}


@pytest.mark.parametrize("forged", FORGERIES)
def test_what_stripe_did_not_sign_lately_is_refused(shop: Shop, order: UUID, forged: str) -> None:
    body = completed(shop, order).body()

    def receive() -> None:
        with pytest.raises(BadRequest, match="bad-signature"):
            shop.receive_raw(body, FORGERIES[forged](body))

    assert alarms_of(receive) == ["bad-signature"]
    assert_nothing_granted(shop)


def test_a_signature_of_a_moment_ago_is_good(shop: Shop, order: UUID) -> None:
    body = completed(shop, order).body()

    shop.receive_raw(body, signed(body, SECRET, time.time() - 290))

    assert shop.order(order).status == "paid"


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"id": 1}', "\x00", "é" * 1000, '{"id":"e","type":"x"}'])
def test_what_is_signed_but_no_event_is_refused(shop: Shop, body: str) -> None:
    with pytest.raises(BadRequest):
        shop.receive_raw(body, signed(body))


@pytest.mark.parametrize("kind", ["checkout.session.completed", "charge.refunded", "charge.dispute.created"])
def test_an_event_whose_object_is_not_what_its_kind_says_is_refused_whole(shop: Shop, kind: str) -> None:

    def receive() -> None:
        with pytest.raises(BadRequest):
            shop.receive(webhook(kind, {"id": 3}))

    assert alarms_of(receive) == ["not-understood"]
    assert shop.execute("select * from stripe_events") == []


def test_an_instant_that_no_calendar_has_is_refused(shop: Shop, order: UUID) -> None:
    body = completed(shop, order).body()
    created = json.loads(body) | {"created": 10**17}

    with pytest.raises(BadRequest):
        shop.receive_raw(json.dumps(created), signed(json.dumps(created)))

    assert_nothing_granted(shop)


def test_a_second_payment_of_one_order_changes_nothing_and_is_said(shop: Shop, order: UUID) -> None:
    shop.pay(order)
    again = completed(shop, order, payment_intent="pi_second")

    assert alarms_of(lambda: shop.receive(again)) == ["second-payment"]
    assert len(shop.revenue(order)[0]) == 1


def test_one_payment_pays_one_order(shop: Shop, order: UUID) -> None:
    shop.pay(order)
    other = shop.ordered(uuid4(), shop.publish(course()))
    stolen = completed(shop, other, payment_intent=shop.session(order)["payment_intent"])

    assert alarms_of(lambda: shop.receive(stolen)) == ["second-payment"]
    assert shop.order(other).status == "open"


def test_a_charge_without_a_payment_intent_is_none_of_ours(shop: Shop, order: UUID) -> None:
    shop.receive(webhook("charge.refunded", charge(order, 4900) | {"payment_intent": None}))

    assert shop.execute("select * from payments") == []


def test_alarms_are_counted(shop: Shop, order: UUID) -> None:
    def count() -> float:
        return float(PAYMENT_ALARMS.labels("not-as-ordered")._value.get())

    before = count()
    shop.receive(completed(shop, order, amount_total=1))

    assert count() == before + 1
