"""Courses that are given, and free ones that progress hands over."""

from datetime import timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
from structlog.testing import capture_logs

from contracts.errors import Conflict, NotFound
from contracts.events.catalog import Money, Unlock
from contracts.events.gamification import CourseUnlocked
from contracts.events.progress import FreeEntitlementGranted
from services.purchase import handlers
from tests.services.purchase.shop import NOON, Shop, course


def test_a_gift_opens_a_course_and_taking_it_back_closes_it(shop: Shop) -> None:
    awa, sold = uuid4(), shop.publish(course())
    grant = shop.give(awa, sold)
    assert shop.access(awa, sold) == "gift"

    shop.take_back(sold, grant)

    assert shop.access(awa, sold) == "none"
    assert [event.live for event in shop.rights_told(awa)] == [True, False]
    assert shop.rights_told(awa)[1].ended_at == NOON


def test_a_gift_is_given_once_at_a_time_and_can_be_given_anew(shop: Shop) -> None:
    awa, sold = uuid4(), shop.publish(course())
    grant = shop.give(awa, sold)
    with pytest.raises(Conflict, match="already-owned"):
        shop.give(awa, sold)
    shop.take_back(sold, grant)

    assert shop.give(awa, sold) != grant
    assert shop.access(awa, sold) == "gift"


def test_the_same_request_again_is_the_same_gift(shop: Shop) -> None:
    awa, sold, request_id = uuid4(), shop.publish(course()), uuid4()

    assert shop.give(awa, sold, request_id) == shop.give(awa, sold, request_id)

    assert len(shop.rights_told(awa)) == 1


def test_nobody_pays_for_what_they_are_given(shop: Shop) -> None:
    awa, sold = uuid4(), shop.publish(course())
    page = shop.check_out(awa, sold)

    shop.give(awa, sold)

    assert shop.stripe.closed == {page.session_id}
    assert [order.status for order in shop.orders_of(awa)] == ["expired"]


def test_a_gift_does_not_wait_for_stripe_and_what_is_paid_meanwhile_is_said(shop: Shop) -> None:
    awa, sold = uuid4(), shop.publish(course())
    order_id = shop.ordered(awa, sold)
    shop.stripe.silent = True
    shop.give(awa, sold)

    with capture_logs() as lines:
        shop.pay(order_id)

    assert [line["alarm"] for line in lines if line["event"] == "payment alarm"] == ["paid-though-held"]


def test_who_bought_a_course_may_be_given_it_and_keeps_what_was_bought(shop: Shop) -> None:
    awa, sold = uuid4(), shop.publish(course())
    shop.bought(awa, sold)
    shop.now = NOON + timedelta(days=1)
    grant = shop.give(awa, sold)

    shop.take_back(sold, grant)

    assert shop.access(awa, sold) == "purchase"


def test_taking_back_wants_the_right_course_and_a_gift_that_lives(shop: Shop) -> None:
    awa, sold, other = uuid4(), shop.publish(course()), shop.publish(course())
    grant = shop.give(awa, sold)
    with pytest.raises(NotFound):
        shop.take_back(other, grant)
    shop.take_back(sold, grant)
    with pytest.raises(NotFound):
        shop.take_back(sold, grant)


def test_what_was_bought_cannot_be_taken_back_as_a_gift(shop: Shop) -> None:
    awa, sold = uuid4(), shop.publish(course())
    shop.bought(awa, sold)
    [right] = shop.rights_told(awa)

    with pytest.raises(NotFound):
        shop.take_back(sold, right.entitlement_id)

    assert shop.access(awa, sold) == "purchase"


@pytest.mark.parametrize("status", ["draft", "deleted"])
def test_what_was_never_published_is_not_given(shop: Shop, status: str) -> None:
    with pytest.raises(NotFound):
        shop.give(uuid4(), shop.publish(course(status=status)))
    with pytest.raises(NotFound):
        shop.give(uuid4(), course())


@pytest.mark.parametrize("status", ["unpublished", "archived"])
def test_what_was_published_before_may_be_given(shop: Shop, status: str) -> None:
    awa, old = uuid4(), shop.publish(course(status=status), heard=False)
    shop.give(awa, old)

    assert shop.access(awa, old) == "gift"


def test_free_entitlements_of_progress_are_taken_over_once_under_their_ids(shop: Shop) -> None:
    ber, old = uuid4(), shop.publish(course())
    granted = FreeEntitlementGranted(
        entitlement_id=uuid4(), user_id=ber, course_id=old.course_id, granted_at=NOON - timedelta(days=9)
    )
    for _ in range(2):
        with shop.database.unit_of_work() as unit_of_work:
            handlers.take_over(unit_of_work, [granted, msgspec.structs.replace(granted)])

    assert shop.access(ber, old) == "free"
    [told] = shop.rights_told(ber)
    assert (told.entitlement_id, told.granted_at) == (granted.entitlement_id, granted.granted_at)


def unlocked(user_id: UUID, course_id: UUID) -> CourseUnlocked:
    """Their streak has opened the course."""
    return CourseUnlocked(user_id=user_id, course_id=course_id, streak_days=7, unlocked_at=NOON)


def test_a_bonus_course_is_opened_by_a_streak_once_and_for_good(shop: Shop) -> None:
    awa, bonus = uuid4(), shop.publish(course(price=Money(0, "EUR"), unlock=Unlock(7)))
    with pytest.raises(Conflict, match="locked"):
        shop.check_out(awa, bonus)

    for _ in range(2):
        with shop.database.unit_of_work() as unit_of_work:
            handlers.unlock(unit_of_work, [unlocked(awa, bonus.course_id)] * 2)

    assert shop.access(awa, bonus) == "unlock"
    [told] = shop.rights_told(awa)
    assert (told.source, told.live, told.course_id, told.granted_at) == ("unlock", True, bonus.course_id, NOON)


def test_a_bonus_course_of_which_nothing_was_heard_yet_is_opened_all_the_same(shop: Shop) -> None:
    awa, bonus = uuid4(), course(price=Money(0, "EUR"), unlock=Unlock(7))

    with shop.database.unit_of_work() as unit_of_work:
        handlers.unlock(unit_of_work, [unlocked(awa, bonus.course_id)])
    shop.publish(bonus)

    assert shop.access(awa, bonus) == "unlock"
    assert len(shop.rights_told(awa)) == 1
