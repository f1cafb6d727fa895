"""Taking a course: for nothing at once, else on one payment page until it is paid or closed."""

from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.events.catalog import Money, Unlock
from contracts.events.purchase import EntitlementChanged
from services.purchase.handlers import Checkout
from services.purchase.payments import KeySpent, Refused
from tests.services.purchase.shop import FRONT, NOON, PRICE, Shop, course, webhook

FREE = Money(0, "EUR")


def test_a_free_course_is_there_at_once_and_its_right_is_told(shop: Shop) -> None:
    ber, free = uuid4(), shop.publish(course(price=FREE))

    assert shop.check_out(ber, free, withdrawal_waiver=False) == Checkout(None, None, None)

    assert shop.access(ber, free) == "free"
    [told] = shop.told(EntitlementChanged)
    assert (told.user_id, told.course_id, told.source, told.live) == (ber, free.course_id, "free", True)
    assert shop.stripe.asked == {}


def test_an_order_asks_stripe_for_just_what_it_is_and_keeps_what_was_agreed_to(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course(title="L’été à Nîmes"))

    done = shop.check_out(ber, sold, ref="video-42", success_url=f"{FRONT}/merci", waiver_text="Je renonce.")

    [(asked, page)] = shop.stripe.pages.values()
    assert (done.session_id, done.checkout_url) == (page.session_id, page.url)
    assert (asked.order_id, asked.amount, asked.currency, asked.title) == (done.order_id, PRICE, "EUR", "L’été à Nîmes")
    assert (asked.success_url, asked.cancel_url) == (f"{FRONT}/merci", f"{FRONT}/courses/{sold.slug}")
    assert done.order_id is not None
    kept = shop.order(done.order_id)
    assert (kept.ref, kept.waiver_text, kept.consented_at, kept.acknowledged_at) == (
        "video-42",
        "Je renonce.",
        NOON,
        NOON,
    )
    assert (kept.confirmed_at, kept.status) == (None, "open")
    assert shop.access(ber, sold) == "none"


def test_paying_gives_the_course_and_confirms_the_waiver(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.ordered(ber, sold)

    shop.pay(order_id, NOON + timedelta(minutes=2))

    assert shop.access(ber, sold) == "purchase"
    [order] = shop.orders_of(ber)
    assert (order.status, order.withdrawal_waived, order.amount) == ("paid", True, Money(PRICE, "EUR"))


def test_the_second_click_gives_the_same_page(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())

    assert shop.check_out(ber, sold) == shop.check_out(ber, sold)

    assert len(shop.stripe.pages) == 1


def test_the_last_ref_counts(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    for ref in ("first", "last", None):
        order_id = shop.ordered(ber, sold, ref=ref)

    assert shop.order(order_id).ref == "last"


def test_when_stripe_is_silent_the_order_stays_and_asking_again_goes_on_with_it(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    shop.stripe.silent = True
    with pytest.raises(Unavailable):
        shop.check_out(ber, sold)
    shop.stripe.silent = False

    shop.check_out(ber, sold)

    assert len(shop.orders_of(ber)) == len(shop.stripe.pages) == 1


def test_an_answer_of_stripe_that_was_lost_is_the_same_when_it_is_asked_again(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())

    def die() -> None:
        raise SystemExit("between Stripe's answer and our commit")

    shop.stripe.before_answer = die
    with pytest.raises(SystemExit):
        shop.check_out(ber, sold)
    shop.stripe.before_answer = lambda: None
    done = shop.check_out(ber, sold)

    [(_, page)] = shop.stripe.pages.values()
    assert (done.session_id, len(shop.orders_of(ber))) == (page.session_id, 1)


def test_an_answer_that_was_lost_does_not_keep_a_student_with_a_new_address_from_paying(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())

    def die() -> None:
        raise SystemExit

    shop.stripe.before_answer = die
    with pytest.raises(SystemExit):
        shop.check_out(ber, sold, email="old@tanka.example")
    shop.stripe.before_answer = lambda: None

    done = shop.check_out(ber, sold, email="new@tanka.example")

    assert done.checkout_url is not None
    assert len(shop.orders_of(ber)) == 1


def test_an_address_that_stripe_does_not_take_keeps_nobody_from_paying(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())

    def refuse() -> None:
        if any(order.email for order, _ in shop.stripe.pages.values()):
            shop.stripe.pages.clear()
            raise Refused("email_invalid")

    shop.stripe.before_answer = refuse
    done = shop.check_out(ber, sold, email="élève@tanka.example")

    [(asked, page)] = shop.stripe.pages.values()
    assert (asked.email, page.url, [order.id for order in shop.orders_of(ber)]) == (
        None,
        done.checkout_url,
        [done.order_id],
    )


def test_a_fault_of_stripe_spends_the_key_and_the_next_one_sells(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    faults = iter([KeySpent("fault")])

    def fail_once() -> None:
        shop.stripe.pages.clear()
        for fault in faults:
            raise fault
        shop.stripe.before_answer = lambda: None

    shop.stripe.before_answer = fail_once
    shop.check_out(ber, sold)
    assert len(shop.orders_of(ber)) == 1

    shop.stripe.refuses = KeySpent("fault")
    with pytest.raises(Unavailable):
        shop.check_out(uuid4(), sold)


def test_an_order_that_was_closed_while_stripe_was_asked_is_paid_by_nobody(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    shop.stripe.before_answer = lambda: shop.execute("update orders set status = 'expired', expired_at = now()")

    with pytest.raises(Unavailable):
        shop.check_out(ber, sold)

    [(_, page)] = shop.stripe.pages.values()
    assert shop.stripe.closed == {page.session_id}


def test_another_price_closes_the_page_and_opens_a_new_one(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    old = shop.check_out(ber, sold)
    shop.publish(msgspec.structs.replace(sold, price=Money(1900, "EUR")))

    new = shop.check_out(ber, sold)

    assert shop.stripe.closed == {old.session_id}
    assert new.order_id != old.order_id
    assert [
        (order.status, order.amount.amount) for order in sorted(shop.orders_of(ber), key=lambda o: o.amount.amount)
    ] == [
        ("open", 1900),
        ("expired", PRICE),
    ]


def test_who_has_just_paid_the_old_price_is_not_asked_to_pay_again(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    old = shop.check_out(ber, sold)
    shop.publish(msgspec.structs.replace(sold, price=Money(1900, "EUR")))
    assert old.order_id is not None
    shop.pay_unheard(old.order_id)

    with pytest.raises(Conflict, match="payment-under-way"):
        shop.check_out(ber, sold)

    assert shop.access(ber, sold) == "purchase"
    shop.pay(old.order_id)
    assert len(shop.revenue(old.order_id)[0]) == 1


def test_a_page_whose_payment_was_not_heard_of_for_a_day_is_not_sold_again(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.ordered(ber, sold)
    shop.pay_unheard(order_id)
    shop.now = NOON + timedelta(hours=25)

    with pytest.raises(Conflict, match="payment-under-way"):
        shop.check_out(ber, sold)

    with pytest.raises(Conflict, match="already-owned"):
        shop.check_out(ber, sold)
    assert [order.id for order in shop.orders_of(ber)] == [order_id]


def test_a_course_that_became_free_closes_the_page_that_asked_money_for_it(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    old = shop.check_out(ber, sold)
    shop.publish(msgspec.structs.replace(sold, price=FREE))

    assert shop.check_out(ber, sold) == Checkout()

    assert shop.stripe.closed == {old.session_id}
    assert (shop.access(ber, sold), [order.status for order in shop.orders_of(ber)]) == ("free", ["expired"])


def test_a_page_that_is_about_to_close_is_not_given_again(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    old = shop.check_out(ber, sold)
    shop.now = NOON + timedelta(hours=22, minutes=30)

    assert shop.check_out(ber, sold).session_id != old.session_id


def test_while_a_transfer_is_under_way_nothing_is_sold_again_and_after_it_failed_it_is(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.ordered(ber, sold)
    shop.pay(order_id, payment_status="unpaid")
    assert shop.order(order_id).status == "processing"
    with pytest.raises(Conflict, match="payment-under-way"):
        shop.check_out(ber, sold)

    shop.receive(webhook("checkout.session.async_payment_failed", shop.session(order_id, payment_status="unpaid")))

    assert shop.order(order_id).status == "failed"
    assert shop.ordered(ber, sold) != order_id


def test_what_stripe_will_never_sell_is_said_and_the_next_try_is_a_new_order(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    shop.stripe.refuses = Refused("amount_too_small")
    with pytest.raises(Conflict, match="payment-refused"):
        shop.check_out(ber, sold)
    shop.stripe.refuses = None

    shop.check_out(ber, sold)

    assert sorted(order.status for order in shop.orders_of(ber)) == ["failed", "open"]


def test_without_the_waiver_nothing_is_sold_and_the_field_is_named(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())

    with pytest.raises(Invalid) as refused:
        shop.check_out(ber, sold, withdrawal_waiver=False)

    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/withdrawal_waiver", "waiver-required")
    ]
    assert shop.orders_of(ber) == []


def test_what_is_owned_is_not_taken_again(shop: Shop) -> None:
    ber, sold, free = uuid4(), shop.publish(course()), shop.publish(course(price=FREE))
    shop.bought(ber, sold)
    shop.check_out(ber, free)
    for owned in (sold, free):
        with pytest.raises(Conflict, match="already-owned"):
            shop.check_out(ber, owned)
    with pytest.raises(Conflict, match="already-owned"):
        shop.check_out(sold.instructor_id, sold)


def test_who_gave_a_course_back_may_buy_it_again(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    order_id = shop.bought(ber, sold)
    shop.receive(
        webhook("charge.refunded", {"id": "ch", "payment_intent": f"pi_{order_id.hex}", "amount_refunded": PRICE})
    )
    assert shop.access(ber, sold) == "none"

    again = shop.bought(ber, sold)

    assert (again != order_id, shop.access(ber, sold), shop.live(ber)) == (True, "purchase", 1)


def test_a_bonus_course_is_never_sold(shop: Shop) -> None:
    with pytest.raises(Conflict, match="locked"):
        shop.check_out(uuid4(), shop.publish(course(price=FREE, unlock=Unlock(7))))


@pytest.mark.parametrize("status", ["draft", "unpublished", "archived", "deleted"])
def test_only_what_is_published_can_be_taken(shop: Shop, status: str) -> None:
    with pytest.raises(NotFound):
        shop.check_out(uuid4(), shop.publish(course(status=status)))


def test_a_course_published_a_moment_ago_is_sold_before_its_event_arrives(shop: Shop) -> None:
    sold = shop.publish(course(), heard=False)

    assert shop.check_out(uuid4(), sold).checkout_url is not None


def test_nobody_is_refused_for_what_catalog_could_not_be_asked(shop: Shop) -> None:
    shop.catalog.silent = True

    with pytest.raises(Unavailable):
        shop.check_out(uuid4(), course())


def test_an_owner_keeps_what_becomes_of_the_course(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    shop.bought(ber, sold)
    for status in ("unpublished", "archived"):
        shop.publish(msgspec.structs.replace(sold, status=status))
        assert shop.access(ber, sold) == "purchase"
