"""When the money of an order moved, and who it is owed to."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.attribution import WINDOW, Registration, credited_ref
from services.analytics.domain.money import Chargeback, Movement, RefundTotal, main_currency, movements

PAID = datetime(2026, 11, 23, 12, tzinfo=UTC)


def later(days: int) -> datetime:
    """So many days after the payment."""
    return PAID + timedelta(days=days)


def test_a_payment_moves_on_its_own_instant() -> None:
    assert movements(4900, PAID, [], []) == [Movement(PAID, 1, 4900, 0)]


def test_each_refund_is_the_difference_to_the_next_smaller_total_on_its_own_instant() -> None:
    totals = [RefundTotal(4900, later(9)), RefundTotal(1000, later(2)), RefundTotal(1500, later(5))]

    moved = movements(4900, PAID, totals, [])

    assert [(one.at, one.refunds) for one in moved[1:]] == [(later(2), 1000), (later(5), 500), (later(9), 3400)]


def test_a_refund_and_a_lost_dispute_never_take_more_than_was_paid() -> None:
    moved = movements(
        4900, PAID, [RefundTotal(3000, later(2))], [Chargeback(4900, later(4)), Chargeback(100, later(6))]
    )

    assert [(one.at, one.refunds) for one in moved] == [(PAID, 0), (later(2), 3000), (later(4), 1900)]


@given(
    st.integers(0, 5000),
    st.dictionaries(st.integers(1, 6000), st.integers(-2, 40)),
    st.lists(st.tuples(st.integers(0, 6000), st.integers(-2, 40)), max_size=4),
    st.randoms(use_true_random=False),
)
def test_whatever_is_given_back_the_sums_hold_in_any_order(
    price: int, totals: dict[int, int], lost: list[tuple[int, int]], random: object
) -> None:
    refunds = [RefundTotal(total, later(days)) for total, days in totals.items()]
    disputes = [Chargeback(amount, later(days)) for amount, days in lost]

    moved = movements(price, PAID, refunds, disputes)

    assert sum(one.sales for one in moved) == 1
    assert sum(one.gross for one in moved) == price
    assert sum(one.refunds for one in moved) == min(price, max(totals, default=0) + sum(amount for amount, _ in lost))
    assert all(one.sales or one.refunds for one in moved)
    assert len({one.at for one in moved}) == len(moved)
    random.shuffle(refunds)  # type: ignore[attr-defined]
    assert movements(price, PAID, refunds, disputes[::-1]) == moved


@pytest.mark.parametrize(
    ("order_ref", "registered", "age", "owed_to"),
    [
        ("video2", "video1", timedelta(days=1), "video2"),
        ("video2", None, timedelta(days=1), "video2"),
        (None, "video1", timedelta(0), "video1"),
        (None, "video1", WINDOW, "video1"),
        (None, "video1", WINDOW + timedelta(seconds=1), None),
        (None, "video1", -timedelta(seconds=1), None),
        (None, None, timedelta(days=1), None),
        ("", "", timedelta(days=1), None),
    ],
)
def test_a_sale_is_owed_to_the_orders_own_link_or_to_that_of_a_recent_registration(
    order_ref: str | None, registered: str | None, age: timedelta, owed_to: str | None
) -> None:
    assert credited_ref(order_ref, PAID, Registration(registered, PAID - age)) == owed_to


def test_a_sale_to_someone_not_heard_of_yet_is_owed_to_its_own_link_alone() -> None:
    assert credited_ref("video", PAID, None) == "video"
    assert credited_ref(None, PAID, None) is None


@pytest.mark.parametrize(
    ("sold_in", "currency"), [((), "EUR"), (("EUR",), "EUR"), (("USD",), "USD"), (("CHF", "USD"), "EUR")]
)
def test_figures_are_in_the_academys_currency_unless_all_was_sold_in_one_other(
    sold_in: tuple[str, ...], currency: str
) -> None:
    assert main_currency("EUR", sold_in) == currency
