"""'My courses', 'my orders', and the orders that admins look for."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from contracts.errors import Invalid, Unavailable
from contracts.events.catalog import Money
from services.purchase import handlers, queries
from services.purchase.domain.orders import Status
from tests.services.purchase.shop import NOON, Shop, charge, course, webhook


class FakeProgress:
    """Progress as purchase asks it; of the courses in `percents` it knows how far everybody is."""

    def __init__(self, **percents: int) -> None:
        self.percents = percents
        self.silent = False

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        assert (service, method) == ("progress", "get_standings")
        if self.silent:
            raise Unavailable
        known = [str(course_id) for course_id in arguments["course_ids"] if str(course_id) in self.percents]
        return {
            "items": [
                {"course_id": id, "percent": self.percents[id], "next_lesson_id": "next", "completed_at": None}
                for id in known
            ]
        }


def my_courses(
    shop: Shop, progress: FakeProgress, user_id: UUID, limit: int = 20, cursor: str | None = None
) -> queries.EnrollmentPage:
    return handlers.get_user_enrollments(shop.database, progress, user_id, limit, cursor)


def test_a_course_shows_since_when_why_and_how_far(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    shop.bought(ber, sold)

    [item] = my_courses(shop, FakeProgress(**{str(sold.course_id): 40}), ber).items

    assert item == queries.Enrollment(sold.course_id, NOON, "purchase", 40, "next", None)


def test_a_course_that_progress_has_not_heard_of_yet_is_there_and_not_begun(shop: Shop) -> None:
    ber, sold = uuid4(), shop.publish(course())
    shop.bought(ber, sold)

    [item] = my_courses(shop, FakeProgress(), ber).items

    assert (item.percent, item.next_lesson_id, item.completed_at) == (0, None, None)


def test_archived_courses_stay_refunded_ones_go_and_one_held_twice_shows_once(shop: Shop) -> None:
    ber, archived, refunded, twice = uuid4(), *(shop.publish(course()) for _ in range(3))
    shop.bought(ber, archived)
    shop.publish(msgspec.structs.replace(archived, status="archived"))
    given_back = shop.bought(ber, refunded)
    shop.receive(webhook("charge.refunded", charge(given_back, 4900)))
    shop.bought(ber, twice, NOON - timedelta(days=2))
    shop.give(ber, twice)

    items = my_courses(shop, FakeProgress(), ber).items

    assert [(item.course_id, item.source) for item in items] == [
        (archived.course_id, "purchase"),
        (twice.course_id, "purchase"),
    ]


def test_pages_follow_one_another_without_gap_or_double(shop: Shop) -> None:
    ber, taken = uuid4(), []
    for number in range(7):
        free = shop.publish(course(price=Money(0, "EUR")))
        shop.now = NOON + timedelta(minutes=number // 2)
        shop.check_out(ber, free)
        taken.append(free.course_id)

    pages, cursor = [], None
    while True:
        page = my_courses(shop, FakeProgress(), ber, 3, cursor)
        pages.append([item.course_id for item in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break

    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(one for page in pages for one in page) == sorted(taken)


def test_while_progress_is_silent_nobody_is_told_that_they_have_not_begun(shop: Shop) -> None:
    ber, progress = uuid4(), FakeProgress()
    assert my_courses(shop, progress, ber).items == []
    shop.bought(ber, shop.publish(course()))
    progress.silent = True

    with pytest.raises(Unavailable):
        my_courses(shop, progress, ber)


@pytest.mark.parametrize("cursor", ["x", "é", "WzEsMl0=", "\x00", "a" * 5000])
def test_a_cursor_that_is_none_of_ours_is_refused(shop: Shop, cursor: str) -> None:
    for read in (
        lambda: my_courses(shop, FakeProgress(), uuid4(), 20, cursor),
        lambda: page_of(shop, cursor=cursor),
    ):
        with pytest.raises(Invalid) as refused:
            read()
        assert [(error.pointer, error.code) for error in refused.value.errors] == [("/cursor", "bad-cursor")]


def page_of(shop: Shop, limit: int = 20, cursor: str | None = None, **which: Any) -> queries.OrderPage:
    with shop.database.single_statement() as unit_of_work:
        return queries.order_page(unit_of_work.connection, limit, cursor, **which)


def test_my_orders_are_mine_newest_first_in_pages(shop: Shop) -> None:
    ber, mine = uuid4(), []
    for number in range(5):
        shop.now = NOON + timedelta(minutes=number)
        mine.append(shop.ordered(ber, shop.publish(course())))
        shop.ordered(uuid4(), shop.publish(course()))

    first = page_of(shop, 3, user_id=ber)
    second = page_of(shop, 3, first.next_cursor, user_id=ber)

    assert [order.id for order in first.items + second.items] == mine[::-1]
    assert second.next_cursor is None


def test_admins_find_orders_by_state_and_by_what_is_due(shop: Shop) -> None:
    paid = shop.bought(uuid4(), shop.publish(course()))
    shop.ordered(uuid4(), shop.publish(course()))
    due = shop.bought(uuid4(), shop.publish(course()))
    shop.execute("update orders set refund_due = true where order_id = :id", id=due)

    assert {order.id for order in page_of(shop, status=Status.PAID).items} == {paid, due}
    assert [order.id for order in page_of(shop, refund_due=True).items] == [due]
    assert len(page_of(shop).items) == 3
