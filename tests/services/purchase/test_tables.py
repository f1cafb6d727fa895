"""The tables: made by the migrations as the code has them, and refusing what must not be."""

from uuid import uuid4

import pytest

from chassis.database import Database
from services.purchase.tables import metadata
from tests.services.purchase.shop import Shop, course
from tests.services.tables import assert_migrated_as_coded, refusal


def test_the_migrated_tables_are_those_of_the_code(database: Database) -> None:
    assert_migrated_as_coded(database, metadata)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("update orders set amount = 0", "ck_orders_amount"),
        ("update orders set currency = 'eur'", "ck_orders_amount"),
        ("update orders set status = 'lost'", "ck_orders_status"),
        ("update orders set status = 'open' where paid_at is not null", "ck_orders_paid"),
        ("update orders set paid_at = now(), status = 'open' where status = 'open'", "ck_orders_paid"),
        ("update orders set refunded = -1", "ck_orders_refunded"),
        ("update orders set refunded = 1 where paid_at is null", "ck_orders_refunded"),
        ("update orders set refund_due = true where paid_at is null", "ck_orders_refund_due"),
        ("update orders set confirmed_at = now() where paid_at is null", "ck_orders_confirmed"),
        ("update orders set session_id = 'cs_same'", "orders_session_id_key"),
        ("update payments set order_id = gen_random_uuid()", "payments_order_id_fkey"),
        ("insert into refunds select payment_intent_id, 0, now() from payments", "ck_refunds_refunded"),
        ("insert into refunds values ('pi_unknown', 1, now())", "refunds_payment_intent_id_fkey"),
        ("insert into disputes select 'dp', payment_intent_id, 'lost', 1, null from payments", "ck_disputes_closed"),
        ("insert into disputes select 'dp', payment_intent_id, 'x', 1, null from payments", "ck_disputes_status"),
        (
            "insert into refund_requests select gen_random_uuid(), (select order_id from payments), 1, 'admin', now() "
            "from generate_series(1, 2)",
            "refund_requests_one_under_way",
        ),
        ("update entitlements set live = false", "ck_entitlements_live"),
        ("update entitlements set source = 'gift'", "ck_entitlements_order"),
        (
            "insert into entitlements select gen_random_uuid(), 1, user_id, course_id, 'gift', null, null, null, "
            "now(), true, null from entitlements, generate_series(1, 2)",
            "entitlements_one_live",
        ),
    ],
)
def test_a_wrong_state_cannot_be_stored(shop: Shop, statement: str, constraint: str) -> None:
    shop.bought(uuid4(), shop.publish(course()))
    shop.ordered(uuid4(), shop.publish(course()))

    assert refusal(lambda: shop.execute(statement)) == constraint


def test_a_student_has_one_open_order_of_a_course(shop: Shop) -> None:
    first = shop.ordered(uuid4(), shop.publish(course()))
    second = (
        "insert into orders select gen_random_uuid(), user_id, course_id, instructor_id, title, amount, currency, ref, "
        "status, placed_at, consented_at, acknowledged_at, null, waiver_text, locale, success_url, cancel_url, "
        "session_key, null, null, expires_at from orders where order_id = :first"
    )

    assert refusal(lambda: shop.execute(second, first=first)) == "orders_one_open"
