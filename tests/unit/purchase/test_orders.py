"""An order is what was heard of it, in whatever order."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.purchase.domain.orders import (
    ENTITLING,
    Claim,
    Dispute,
    DisputeStatus,
    Facts,
    Status,
    dispute_status,
    holder,
    is_as_ordered,
    merged,
    status_of,
)

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
instants = st.datetimes(timezones=st.just(UTC))
disputes = st.builds(
    Dispute,
    dispute_id=st.just("dp_1"),
    status=st.sampled_from(get_args(DisputeStatus)),
    amount=st.just(4900),
    closed_at=instants | st.none(),
)


def lost(amount: int = 4900) -> Dispute:
    return Dispute("dp", "lost", amount, NOON)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        (Facts(4900), Status.OPEN),
        (Facts(4900, processing_at=NOON), Status.PROCESSING),
        (Facts(4900, expired_at=NOON), Status.EXPIRED),
        (Facts(4900, processing_at=NOON, failed_at=NOON), Status.FAILED),
        (Facts(4900, failed_at=NOON, expired_at=NOON, processing_at=NOON, paid_at=NOON), Status.PAID),
        (Facts(4900, paid_at=NOON, refunded=1), Status.PARTIALLY_REFUNDED),
        (Facts(4900, paid_at=NOON, refunded=4899), Status.PARTIALLY_REFUNDED),
        (Facts(4900, paid_at=NOON, refunded=4900), Status.REFUNDED),
        (Facts(4900, paid_at=NOON, refunded=5000), Status.REFUNDED),
        (Facts(4900, paid_at=NOON, disputes=(Dispute("dp", "inquiry", 4900, None),)), Status.PAID),
        (Facts(4900, paid_at=NOON, disputes=(Dispute("dp", "open", 4900, None),)), Status.DISPUTED),
        (Facts(4900, paid_at=NOON, disputes=(Dispute("dp", "won", 4900, NOON),)), Status.PAID),
        (Facts(4900, paid_at=NOON, disputes=(lost(),)), Status.CHARGED_BACK),
        (Facts(4900, paid_at=NOON, refunded=4900, disputes=(lost(),)), Status.CHARGED_BACK),
        (Facts(4900, refunded=4900, disputes=(lost(),)), Status.OPEN),
    ],
)
def test_the_state_of_an_order(facts: Facts, status: Status) -> None:
    assert status_of(facts) is status


def test_only_what_was_paid_and_is_not_given_back_or_disputed_opens_a_course() -> None:
    assert {Status.PAID, Status.PARTIALLY_REFUNDED} == ENTITLING


@given(disputes, disputes)
def test_a_dispute_heard_of_twice_is_the_same_in_either_order(one: Dispute, other: Dispute) -> None:
    assert merged(one, other) == merged(other, one)
    assert merged(one, one) == one
    assert merged(merged(one, other), one) == merged(one, other)


def test_the_end_of_a_dispute_outweighs_its_beginning() -> None:
    began, ended = Dispute("dp", "open", 4900, None), Dispute("dp", "won", 4900, NOON)

    assert merged(ended, began) == ended


def test_of_two_ends_of_a_dispute_the_later_counts() -> None:
    lost_first, won_on_appeal = lost(), Dispute("dp", "won", 4900, NOON + timedelta(days=30))

    assert merged(won_on_appeal, lost_first) == won_on_appeal


def claim(number: int, minutes: int) -> Claim:
    return Claim(UUID(int=number), NOON + timedelta(minutes=minutes))


def test_the_first_to_be_paid_holds_the_right_in_whatever_order_they_are_seen() -> None:
    claims = [claim(1, 5), claim(2, 0), claim(3, 0)]

    assert {holder(seen, None) for seen in permutations(claims)} == {UUID(int=2)}


def test_who_holds_the_right_keeps_it_while_it_can() -> None:
    assert holder([claim(1, 0), claim(2, 5)], UUID(int=2)) == UUID(int=2)
    assert holder([claim(1, 0)], UUID(int=2)) == UUID(int=1)
    assert holder([], UUID(int=2)) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("warning_needs_response", "inquiry"),
        ("warning_under_review", "inquiry"),
        ("warning_closed", "inquiry"),
        ("needs_response", "open"),
        ("under_review", "open"),
        ("appeal_under_review", "open"),
        ("something new", "open"),
        ("won", "won"),
        ("prevented", "won"),
        ("lost", "lost"),
    ],
)
def test_what_stripes_words_for_a_dispute_mean(said: str, meant: str) -> None:
    assert dispute_status(said) == meant


def test_what_was_paid_must_be_what_was_ordered() -> None:
    assert is_as_ordered(4900, "EUR", 4900, "eur")
    for amount, currency in ((4901, "eur"), (4900, "usd"), (None, "eur"), (4900, None)):
        assert not is_as_ordered(4900, "EUR", amount, currency)
