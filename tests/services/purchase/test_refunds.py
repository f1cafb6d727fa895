"""Giving money back: asked of Stripe once, never more than there is, and later when Stripe is silent."""

from datetime import timedelta
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from contracts.errors import Conflict, Invalid, NotFound
from services.purchase.payments import KeySpent, Refused
from tests.services.purchase.shop import NOON, PRICE, Shop, charge, course, dispute, intent_of, webhook


def test_an_admin_gives_back_a_part_and_then_the_rest(shop: Shop) -> None:
    order_id = shop.bought(uuid4(), shop.publish(course()))

    assert shop.refund(order_id, 1000).amount.amount == 1000
    assert shop.refund(order_id).amount.amount == PRICE - 1000

    assert sorted(amount for _, amount in shop.stripe.refunded.values()) == [1000, PRICE - 1000]
    with pytest.raises(Conflict, match="not-refundable"):
        shop.refund(order_id)


def test_more_than_is_left_is_refused_naming_the_most_there_is(shop: Shop) -> None:
    order_id = shop.bought(uuid4(), shop.publish(course()))
    shop.receive(webhook("charge.refunded", charge(order_id, 4000)))

    with pytest.raises(Invalid) as refused:
        shop.refund(order_id, 901)

    [error] = refused.value.errors
    assert (error.pointer, error.code, error.parameters) == ("/amount", "maximum", {"maximum": 900})
    assert shop.stripe.refunded == {}


def test_a_refund_that_stripe_did_not_answer_is_sent_again_under_the_same_key(shop: Shop) -> None:
    order_id = shop.bought(uuid4(), shop.publish(course()))
    shop.stripe.silent = True
    shop.refund(order_id)
    with pytest.raises(Conflict, match="refund-under-way"):
        shop.refund(order_id, 5)
    assert shop.refund(order_id).amount.amount == PRICE
    shop.settle()
    assert shop.stripe.refunded == {}

    shop.stripe.silent = False
    shop.now = NOON + timedelta(seconds=11)
    shop.settle()
    shop.settle()

    assert [amount for _, amount in shop.stripe.refunded.values()] == [PRICE]


def test_the_rest_is_not_given_back_while_a_part_is_under_way(shop: Shop) -> None:
    order_id = shop.bought(uuid4(), shop.publish(course()))
    shop.stripe.silent = True
    shop.refund(order_id, 1000)

    with pytest.raises(Conflict, match="refund-under-way"):
        shop.refund(order_id)


def test_a_fault_of_stripe_never_gives_back_under_another_key(shop: Shop) -> None:
    order_id = shop.bought(uuid4(), shop.publish(course()))
    shop.stripe.refuses = KeySpent("fault")
    shop.refund(order_id)
    shop.stripe.refuses = None
    shop.now = NOON + timedelta(seconds=11)
    shop.settle()

    [request] = shop.execute("select request_id from refund_requests")
    assert list(shop.stripe.refunded) == [str(request.request_id)]


def test_what_stripe_did_not_answer_for_a_day_is_looked_at_by_somebody_and_never_sent_again(shop: Shop) -> None:
    order_id = shop.bought(uuid4(), shop.publish(course()))
    shop.stripe.silent = True
    shop.refund(order_id)
    shop.stripe.silent = False
    shop.now = NOON + timedelta(hours=20, seconds=1)

    with capture_logs() as lines:
        shop.settle()
        shop.settle()

    assert [line["alarm"] for line in lines if line["event"] == "payment alarm"] == ["refund-unanswered"]
    assert shop.stripe.refunded == {}


def test_one_refund_that_stripe_refuses_keeps_no_other_waiting(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    wrong, good = shop.bought(ber, shop.publish(course())), shop.bought(ber, sold)
    shop.stripe.silent = True
    shop.refund(wrong)
    shop.refund(good, 1000)
    shop.stripe.silent = False
    shop.now = NOON + timedelta(seconds=11)
    shop.stripe.refuses_payments.add(intent_of(wrong))

    shop.settle()

    assert [amount for _, amount in shop.stripe.refunded.values()] == [1000]


def test_a_refund_whose_answer_was_lost_is_made_once(shop: Shop) -> None:
    order_id = shop.bought(uuid4(), shop.publish(course()))

    def die() -> None:
        raise SystemExit("between Stripe's answer and our commit")

    shop.stripe.before_answer = die
    with pytest.raises(SystemExit):
        shop.refund(order_id)
    shop.stripe.before_answer = lambda: None
    shop.now = NOON + timedelta(seconds=11)
    shop.settle()

    assert len(shop.stripe.refunded) == 1
    with pytest.raises(Conflict, match="not-refundable"):
        shop.refund(order_id)


def test_the_same_request_again_gives_back_nothing_more_and_another_does(shop: Shop) -> None:
    order_id, request_id = shop.bought(uuid4(), shop.publish(course())), uuid4()

    assert shop.refund(order_id, 1000, request_id) == shop.refund(order_id, 1000, request_id)
    shop.receive(webhook("charge.refunded", charge(order_id, 1000)))
    shop.refund(order_id, 1000, request_id)
    assert len(shop.stripe.refunded) == 1

    shop.refund(order_id, 1000)
    assert len(shop.stripe.refunded) == 2


def test_a_refund_that_stripe_refuses_is_said_and_may_be_asked_for_anew(shop: Shop) -> None:
    order_id = shop.bought(uuid4(), shop.publish(course()))
    request_id = uuid4()
    shop.stripe.refuses = Refused("charge_already_refunded")
    with pytest.raises(Conflict, match="not-refundable"):
        shop.refund(order_id, None, request_id)
    shop.stripe.refuses = None

    with pytest.raises(Conflict, match="not-refundable"):
        shop.refund(order_id, None, request_id)
    assert shop.refund(order_id).amount.amount == PRICE


def test_what_was_not_paid_or_is_disputed_cannot_be_given_back(shop: Shop) -> None:
    unpaid = shop.ordered(uuid4(), shop.publish(course()))
    disputed = shop.bought(uuid4(), shop.publish(course()))
    shop.receive(webhook("charge.dispute.created", dispute(disputed, "needs_response")))

    for order_id in (unpaid, disputed):
        with pytest.raises(Conflict, match="not-refundable"):
            shop.refund(order_id)


def test_an_unknown_order_is_not_there(shop: Shop) -> None:
    with pytest.raises(NotFound):
        shop.refund(uuid4())


def test_who_waived_the_right_of_withdrawal_has_none(shop: Shop) -> None:
    ber = uuid4()
    order_id = shop.bought(ber, shop.publish(course()))

    with pytest.raises(Conflict, match="withdrawal-waived"):
        shop.withdraw(ber, order_id)


def test_a_waiver_without_its_confirmation_is_none_for_fourteen_days(shop: Shop) -> None:
    ber = uuid4()
    order_id = shop.bought(ber, shop.publish(course()))
    shop.execute("update orders set confirmed_at = null where order_id = :id", id=order_id)

    shop.now = NOON + timedelta(days=14, seconds=1)
    with pytest.raises(Conflict, match="withdrawal-over"):
        shop.withdraw(ber, order_id)
    shop.now = NOON + timedelta(days=14)
    assert shop.withdraw(ber, order_id).amount.amount == PRICE


def test_nobody_withdraws_from_anothers_order(shop: Shop) -> None:
    order_id = shop.bought(uuid4(), shop.publish(course()))

    with pytest.raises(NotFound):
        shop.withdraw(uuid4(), order_id)


def test_the_receipt_comes_as_soon_as_stripe_has_it(shop: Shop) -> None:
    ber = uuid4()
    order_id = shop.bought(ber, shop.publish(course()))
    shop.settle()
    assert [order.receipt_url for order in shop.orders_of(ber)] == [None]

    shop.stripe.receipts[intent_of(order_id)] = "https://pay.example/receipt"
    shop.settle()
    shop.settle()

    assert [order.receipt_url for order in shop.orders_of(ber)] == ["https://pay.example/receipt"]
    assert shop.stripe.asked["receipt_url"] == 2


def test_a_receipt_that_stripe_does_not_have_keeps_no_other_from_coming(shop: Shop) -> None:
    ber = uuid4()
    lost, good = (shop.bought(ber, shop.publish(course()), NOON + timedelta(minutes=n)) for n in (1, 0))
    shop.stripe.receipts[intent_of(good)] = "https://pay.example/receipt"
    shop.stripe.without_receipt.add(intent_of(lost))

    shop.settle()

    assert {order.id: order.receipt_url for order in shop.orders_of(ber)} == {
        lost: None,
        good: "https://pay.example/receipt",
    }
    shop.now = NOON + timedelta(days=4)
    asked = shop.stripe.asked["receipt_url"]
    shop.settle()
    assert shop.stripe.asked["receipt_url"] == asked
