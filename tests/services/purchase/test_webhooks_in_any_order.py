"""Whatever Stripe sends of one order, repeated and in any order, ends as if it had come cleanly."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.services.purchase.shop import NOON, PRICE, Shop, Webhook, charge, course, dispute, webhook

ENDS = ("won", "lost", "warning_closed", None)


@dataclass(frozen=True)
class Story:
    """What happens to an order: how the payment page ends, what is given back, what is disputed and how that ends."""

    page: str
    refunds: tuple[int, ...]
    disputes: tuple[str | None, ...]


stories = st.builds(
    Story,
    page=st.sampled_from(["paid", "paid later", "failed later", "expired"]),
    refunds=st.lists(st.integers(1, PRICE), max_size=3, unique=True).map(lambda totals: tuple(sorted(totals))),
    disputes=st.lists(st.sampled_from(ENDS), max_size=2).map(tuple),
)


def told_by_stripe(shop: Shop, order_id: UUID, story: Story) -> list[Webhook]:
    """The webhooks of a story, as they would come if nothing went wrong."""
    session = shop.session(order_id)
    unpaid = session | {"payment_status": "unpaid"}
    later = NOON + timedelta(minutes=1)
    pages: dict[str, list[tuple[str, dict[str, Any], Any]]] = {
        "paid": [("completed", session, NOON)],
        "paid later": [("completed", unpaid, NOON), ("async_payment_succeeded", session, later)],
        "failed later": [("completed", unpaid, NOON), ("async_payment_failed", unpaid, later)],
        "expired": [("expired", unpaid | {"status": "expired", "payment_intent": None}, later)],
    }
    come = [webhook(f"checkout.session.{name}", object, at) for name, object, at in pages[story.page]]
    if not story.page.startswith("paid"):
        return come
    for number, total in enumerate(story.refunds):
        come.append(webhook("charge.refunded", charge(order_id, total), NOON + timedelta(days=1, minutes=number)))
    for number, end in enumerate(story.disputes):
        began = "warning_needs_response" if end == "warning_closed" else "needs_response"
        at = NOON + timedelta(days=2 + number)
        come.append(webhook("charge.dispute.created", dispute(order_id, began, number=number), at))
        if end is not None:
            closed = dispute(order_id, end, number=number)
            come.append(webhook("charge.dispute.closed", closed, at + timedelta(hours=1)))
    return come


def outcome(shop: Shop, user_id: UUID, order_id: UUID) -> tuple[Any, ...]:
    """Order, access and revenue."""
    order = shop.order(order_id)
    live = shop.live(user_id)
    assert live == (order.status in ("paid", "partially_refunded"))
    return order.status, order.refunded, order.refund_due, order.paid_at, live, shop.revenue(order_id)


def without_ids(seen: tuple[Any, ...]) -> tuple[Any, ...]:
    *state, (paid, given_back, lost) = seen
    return (*state, paid, given_back, {(name.split("_")[1], amount, at) for name, amount, at in lost})


@given(story=stories, chance=st.randoms(use_true_random=False), repeats=st.integers(0, 4))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_number_of_an_orders_webhooks_ends_as_the_clean_sequence(
    shop: Shop, story: Story, chance: Any, repeats: int
) -> None:
    sold = shop.publish(course())
    clean, messy = uuid4(), uuid4()
    first, second = shop.ordered(clean, sold), shop.ordered(messy, sold)
    shop.receive(*told_by_stripe(shop, first, story))

    come = told_by_stripe(shop, second, story)
    come += [chance.choice(come) for _ in range(repeats)]
    chance.shuffle(come)
    shop.receive(*come)

    assert without_ids(outcome(shop, messy, second)) == without_ids(outcome(shop, clean, first))


def test_a_refund_of_a_payment_not_yet_known_waits_for_it(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.ordered(ber, sold)

    shop.receive(webhook("charge.refunded", charge(order_id, PRICE), NOON + timedelta(minutes=5)))
    assert (shop.order(order_id).status, shop.revenue(order_id)) == ("open", ([], set(), set()))

    shop.pay(order_id)
    assert shop.order(order_id).status == "refunded"
    assert shop.access(ber, sold) == "none"
    assert shop.revenue(order_id) == ([(PRICE, NOON)], {(PRICE, NOON + timedelta(minutes=5))}, set())


def test_a_partial_refund_leaves_the_course_and_the_rest_takes_it_away(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.bought(ber, sold)

    shop.receive(webhook("charge.refunded", charge(order_id, 1000)))
    assert (shop.order(order_id).status, shop.access(ber, sold)) == ("partially_refunded", "purchase")

    shop.receive(webhook("charge.refunded", charge(order_id, PRICE)))
    assert (shop.order(order_id).status, shop.access(ber, sold)) == ("refunded", "none")


def test_a_refund_takes_away_just_what_it_paid_for(shop: Shop) -> None:
    ber, sold, other = uuid4(), shop.publish(course()), shop.publish(course())
    order_id = shop.bought(ber, sold)
    shop.bought(ber, other)
    grant = shop.give(ber, sold)

    shop.receive(webhook("charge.refunded", charge(order_id, PRICE)))

    assert (shop.access(ber, sold), shop.access(ber, other)) == ("gift", "purchase")
    shop.take_back(sold, grant)
    assert (shop.access(ber, sold), shop.access(ber, other)) == ("none", "purchase")


def test_access_rests_while_a_payment_is_disputed_and_returns_when_the_dispute_is_won(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.bought(ber, sold)

    shop.receive(webhook("charge.dispute.created", dispute(order_id, "needs_response")))
    assert (shop.order(order_id).status, shop.access(ber, sold)) == ("disputed", "none")

    shop.receive(webhook("charge.dispute.closed", dispute(order_id, "won")))
    assert (shop.order(order_id).status, shop.access(ber, sold)) == ("paid", "purchase")
    assert [(event.live, event.ended_at is None) for event in shop.rights_told(ber)] == [
        (True, True),
        (False, False),
        (True, True),
    ]


@pytest.mark.parametrize("late", [False, True])
def test_a_lost_dispute_that_is_won_on_appeal_gives_the_course_back_and_is_said(shop: Shop, late: bool) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.bought(ber, sold)
    come = [
        webhook("charge.dispute.closed", dispute(order_id, "lost"), NOON + timedelta(days=1)),
        webhook("charge.dispute.closed", dispute(order_id, "won"), NOON + timedelta(days=2)),
    ]

    with capture_logs() as lines:
        shop.receive(*(reversed(come) if late else come))

    assert (shop.order(order_id).status, shop.access(ber, sold)) == ("paid", "purchase")
    alarms = [line["alarm"] for line in lines if line["event"] == "payment alarm"]
    assert alarms == ([] if late else ["won-after-lost"])


def test_a_banks_question_that_took_no_money_leaves_the_course(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.bought(ber, sold)

    shop.receive(webhook("charge.dispute.created", dispute(order_id, "warning_needs_response")))

    assert (shop.order(order_id).status, shop.access(ber, sold)) == ("paid", "purchase")


@pytest.mark.parametrize("kind", ["customer.created", "charge.succeeded", "payment_intent.succeeded", "invoice.paid"])
def test_other_events_are_ignored_politely(shop: Shop, kind: str) -> None:
    shop.receive(webhook(kind, {"id": "x"}))

    assert shop.execute("select event_id from stripe_events") == []
