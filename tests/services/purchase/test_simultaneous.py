"""Two browsers, two webhooks, two processes at the same time: one order, one right, and money too much is flagged."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from contracts.errors import Conflict
from contracts.events.catalog import Money
from contracts.events.purchase import OrderPaid
from services.purchase import queries, settlement
from services.purchase.stripe_events import SessionHeard
from tests.services.purchase.shop import NOON, PRICE, Shop, at_once, charge, course, dispute, intent_of, webhook
from tests.services.running import eventually


def blocked(shop: Shop) -> int:
    """How many connections wait for a lock."""
    [row] = shop.execute(
        "select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )
    return int(row.n)


def second_order(shop: Shop, user_id: UUID, first: UUID) -> UUID:
    """Another order of the same student and course, as it can only be when the first one's page seemed closed."""
    second = uuid4()
    shop.execute(
        "insert into orders select :second, user_id, course_id, instructor_id, title, amount, currency, ref, "
        "'expired', placed_at, consented_at, acknowledged_at, null, waiver_text, locale, success_url, cancel_url, "
        "gen_random_uuid(), null, null, expires_at, null, null, placed_at from orders where order_id = :first",
        first=first,
        second=second,
    )
    return second


def test_sixteen_checkouts_at_once_open_one_page(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())

    done = at_once(*[lambda: shop.check_out(ber, sold)] * 16)

    assert len(set(done)) == 1
    assert len(shop.orders_of(ber)) == len(shop.stripe.pages) == 1


def test_sixteen_who_take_a_free_course_at_once_take_it_once(shop: Shop) -> None:
    ber, free = uuid4(), shop.publish(course(price=Money(0, "EUR")))

    def take() -> str:
        try:
            shop.check_out(ber, free)
        except Conflict as refused:
            return refused.problem
        return "taken"

    assert sorted(at_once(*[take] * 16)) == ["already-owned"] * 15 + ["taken"]
    assert (shop.live(ber), len(shop.rights_told(ber))) == (1, 1)


def test_the_same_webhook_sixteen_times_at_once_counts_once(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.ordered(ber, sold)
    paid = webhook("checkout.session.completed", shop.session(order_id))

    at_once(*[lambda: shop.receive(paid)] * 16)

    assert (len(shop.told(OrderPaid)), len(shop.rights_told(ber)), shop.live(ber)) == (1, 1, 1)


@pytest.mark.parametrize("attempt", range(5))
def test_payment_refund_and_dispute_at_once_miss_nothing_of_one_another(shop: Shop, attempt: int) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.ordered(ber, sold)
    come = [
        webhook("checkout.session.completed", shop.session(order_id)),
        webhook("charge.refunded", charge(order_id, 1000)),
        webhook("charge.refunded", charge(order_id, 2000)),
        webhook("charge.dispute.created", dispute(order_id, "needs_response")),
        webhook("charge.dispute.closed", dispute(order_id, "lost", 2900)),
    ]

    at_once(*[lambda one=one: shop.receive(one) for one in come])

    order = shop.order(order_id)
    assert (order.status, order.refunded, shop.live(ber)) == ("charged_back", 2000, 0)
    paid, given_back, lost = shop.revenue(order_id)
    assert (paid, {total for total, _ in given_back}, {amount for _, amount, _ in lost}) == (
        [(PRICE, NOON)],
        {1000, 2000},
        {2900},
    )


@pytest.mark.parametrize("attempt", range(5))
def test_two_orders_paid_at_once_give_one_right_and_the_other_is_flagged_for_refund(shop: Shop, attempt: int) -> None:
    ber, sold = uuid4(), shop.publish(course())
    first = shop.ordered(ber, sold)
    second = second_order(shop, ber, first)

    with capture_logs() as lines:
        at_once(lambda: shop.pay(first), lambda: shop.pay(second))

    assert shop.live(ber) == 1
    orders = shop.orders_of(ber)
    assert sorted((order.status, order.refund_due) for order in orders) == [("paid", False), ("paid", True)]
    assert [line["alarm"] for line in lines if line["event"] == "payment alarm"] == ["paid-twice"]


def test_an_order_made_and_paid_while_another_payment_waits_is_seen_by_it(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    first = shop.ordered(ber, sold)

    with ThreadPoolExecutor(1) as pool:
        with shop.database.unit_of_work() as unit_of_work:
            settlement.lock_pair(unit_of_work.connection, ber, sold.course_id)
            queries.locked_order(unit_of_work.connection, first)
            waiting = pool.submit(shop.pay, first)
            eventually(lambda: blocked(shop) == 1)
            second = second_order(shop, ber, first)
            heard = SessionHeard(f"cs_{second.hex}", second, "paid", intent_of(second), PRICE, "eur", NOON)
            settlement.hear(unit_of_work, heard, NOON)
        waiting.result(10)

    assert {order.id: (order.status, order.refund_due) for order in shop.orders_of(ber)} == {
        first: ("paid", True),
        second: ("paid", False),
    }
    assert shop.live(ber) == 1


def test_when_the_wrong_one_of_two_payments_is_given_back_the_other_takes_its_place(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    first = shop.ordered(ber, sold)
    second = second_order(shop, ber, first)
    shop.pay(first)
    shop.pay(second, NOON + timedelta(minutes=1))

    shop.receive(webhook("charge.refunded", charge(first, PRICE)))

    assert (shop.access(ber, sold), shop.live(ber)) == ("purchase", 1)
    assert {(order.id, order.refund_due) for order in shop.orders_of(ber)} == {(first, False), (second, False)}


def test_giving_back_the_flagged_payment_leaves_the_course(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    first = shop.ordered(ber, sold)
    second = second_order(shop, ber, first)
    shop.pay(first)
    shop.pay(second, NOON + timedelta(minutes=1))
    told = len(shop.rights_told(ber))

    shop.refund(second)
    shop.receive(webhook("charge.refunded", charge(second, PRICE)))

    assert (shop.access(ber, sold), len(shop.rights_told(ber))) == ("purchase", told)
    assert not any(order.refund_due for order in shop.orders_of(ber))


def test_sixteen_refunds_at_once_give_back_once(shop: Shop) -> None:
    order_id = shop.bought(uuid4(), shop.publish(course()))

    def refund() -> str:
        try:
            shop.refund(order_id)
        except Conflict as refused:
            return refused.problem
        return "asked for"

    answers = at_once(*[refund] * 16)

    assert set(answers) <= {"asked for", "not-refundable"}
    assert [amount for _, amount in shop.stripe.refunded.values()] == [PRICE]
