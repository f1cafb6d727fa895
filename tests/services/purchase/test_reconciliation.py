"""What webhooks missed is found at Stripe and repaired; what is known changes nothing."""

from datetime import timedelta
from uuid import UUID, uuid4

from services.purchase import reconciliation
from services.purchase.domain.orders import Dispute
from services.purchase.reconciliation import Kind
from services.purchase.stripe_events import DisputeHeard, Outcome, RefundHeard, SessionHeard
from tests.services.purchase.shop import NOON, PRICE, Shop, charge, course, intent_of, webhook


def page_of(order_id: UUID, outcome: Outcome = "paid", amount: int = PRICE) -> SessionHeard:
    return SessionHeard(f"cs_{order_id.hex}", order_id, outcome, intent_of(order_id), amount, "eur", NOON)


def reconcile(shop: Shop, kind: Kind) -> tuple[int, list[UUID], int]:
    """How many were looked at, which orders were repaired, and how many pages were of unknown orders."""
    looked_at, repaired, unknown, after = 0, [], 0, None
    while True:
        found = reconciliation.reconcile(
            shop.database, shop.stripe, kind, NOON - timedelta(days=30), after, NOON + timedelta(days=1)
        )
        looked_at, unknown, after = looked_at + found.looked_at, unknown + found.unknown, found.next
        repaired += found.repaired
        if after is None:
            return looked_at, repaired, unknown


def test_paid_but_not_heard_of_is_repaired_and_the_late_webhook_changes_nothing(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    known, missed = shop.bought(uuid4(), sold), shop.ordered(ber, sold)
    shop.stripe.sessions_there = [page_of(known), page_of(missed), page_of(uuid4())]

    assert reconcile(shop, "sessions") == (3, [missed], 1)
    assert shop.access(ber, sold) == "purchase"
    assert reconcile(shop, "sessions") == (3, [], 1)

    shop.pay(missed)
    assert len(shop.revenue(missed)[0]) == len(shop.rights_told(ber)) == 1


def test_missed_ends_of_payment_pages_are_repaired(shop: Shop) -> None:
    orders = {outcome: shop.ordered(uuid4(), shop.publish(course())) for outcome in ("expired", "failed", "processing")}
    shop.stripe.sessions_there = [page_of(order_id, outcome) for outcome, order_id in orders.items()]  # type: ignore[arg-type]

    assert set(reconcile(shop, "sessions")[1]) == set(orders.values())
    assert {outcome: shop.order(order_id).status for outcome, order_id in orders.items()} == {
        outcome: outcome for outcome in orders
    }


def test_a_payment_that_is_not_as_ordered_is_not_repaired(shop: Shop) -> None:
    order_id = shop.ordered(uuid4(), shop.publish(course()))
    shop.stripe.sessions_there = [page_of(order_id, amount=1)]

    assert reconcile(shop, "sessions") == (1, [], 0)
    assert shop.order(order_id).status == "open"


def test_missed_refunds_are_repaired_and_known_ones_are_left(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.bought(ber, sold)
    shop.receive(webhook("charge.refunded", charge(order_id, 1000)))
    shop.stripe.refunds_there = [
        RefundHeard(intent_of(order_id), 1000, NOON),
        RefundHeard(intent_of(order_id), PRICE, NOON),
        RefundHeard("pi_of_somebody_else", 100, NOON),
    ]

    assert reconcile(shop, "refunds") == (3, [order_id], 0)
    assert (shop.order(order_id).status, shop.access(ber, sold)) == ("refunded", "none")
    assert reconcile(shop, "refunds") == (3, [], 0)


def test_missed_disputes_are_repaired(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.bought(ber, sold)
    shop.stripe.disputes_there = [DisputeHeard(intent_of(order_id), Dispute("dp_1", "lost", PRICE, NOON))]

    assert reconcile(shop, "disputes") == (1, [order_id], 0)
    assert shop.order(order_id).status == "charged_back"
    later = DisputeHeard(intent_of(order_id), Dispute("dp_1", "lost", PRICE, NOON + timedelta(days=1)))
    shop.stripe.disputes_there = [later]
    assert reconcile(shop, "disputes") == (1, [], 0)
    assert len(shop.revenue(order_id)[2]) == 1
