"""Who has access, what may be bought, and what may be given back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.purchase.domain.checkout import STILL_USEFUL, Offer, is_reusable, refusal_to_check_out
from services.purchase.domain.entitlements import Right, access_of
from services.purchase.domain.orders import Status
from services.purchase.domain.refunds import (
    WITHDRAWAL,
    Waiver,
    refundable,
    refusal_to_refund,
    refusal_to_withdraw,
)
from services.purchase.domain.refusals import Refusal

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
OFFER = Offer("published", 4900, "EUR", None)
WAIVED = Waiver(NOON, NOON, NOON)

rights = st.builds(
    Right,
    entitlement_id=st.uuids(),
    source=st.sampled_from(["purchase", "free", "gift", "unlock"]),
    live=st.booleans(),
    granted_at=st.datetimes(timezones=st.just(UTC)),
)


@given(st.lists(rights, max_size=5))
def test_access_is_any_live_right(held: list[Right]) -> None:
    access = access_of(held, is_author=False, role="student")

    assert (access is not None) == any(right.live for right in held)
    assert access is None or access in {right.source for right in held if right.live}
    assert access == access_of(held[::-1], is_author=False, role="student")


def test_authors_and_admins_are_told_as_such_whatever_they_own() -> None:
    owned = [Right(UUID(int=1), "purchase", True, NOON)]

    assert access_of(owned, is_author=True, role="admin") == "author"
    assert access_of(owned, is_author=False, role="admin") == "admin"
    assert access_of([], is_author=False, role="instructor") is None


@pytest.mark.parametrize(
    ("offer", "access", "is_processing", "waiver", "refusal"),
    [
        (OFFER, None, False, True, None),
        (OFFER, None, False, False, Refusal.WAIVER_REQUIRED),
        (OFFER, None, True, True, Refusal.PAYMENT_UNDER_WAY),
        (OFFER, "gift", False, True, Refusal.ALREADY_OWNED),
        (OFFER, "author", False, True, Refusal.ALREADY_OWNED),
        (Offer("published", 0, "EUR", None), None, False, False, None),
        (Offer("published", 0, "EUR", 7), None, False, True, Refusal.LOCKED),
        (Offer("draft", 4900, "EUR", None), None, False, True, Refusal.NOT_THERE),
        (Offer("archived", 4900, "EUR", None), "purchase", False, True, Refusal.ALREADY_OWNED),
        (Offer("deleted", 4900, "EUR", None), "author", False, True, Refusal.NOT_THERE),
    ],
)
def test_what_may_be_taken(
    offer: Offer, access: str | None, is_processing: bool, waiver: bool, refusal: Refusal | None
) -> None:
    assert refusal_to_check_out(offer, access, is_processing=is_processing, waiver=waiver) is refusal


def test_a_page_is_given_again_at_the_same_price_while_it_stays_open_a_while() -> None:
    assert is_reusable(OFFER, 4900, "EUR", NOON + STILL_USEFUL, NOON)
    assert not is_reusable(OFFER, 4900, "EUR", NOON + STILL_USEFUL - timedelta(seconds=1), NOON)
    assert not is_reusable(OFFER, 3900, "EUR", NOON + timedelta(hours=23), NOON)
    assert not is_reusable(OFFER, 4900, "USD", NOON + timedelta(hours=23), NOON)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_never_is_more_given_back_than_was_paid(amount: int, refunded: int, requested: int) -> None:
    left = refundable(amount, refunded, requested)

    assert 0 <= left <= amount
    assert left + max(refunded, requested) >= amount or left == 0 or left == amount - max(refunded, requested)


@pytest.mark.parametrize("status", Status)
def test_only_what_is_paid_and_undisputed_is_refundable(status: Status) -> None:
    possible = status in (Status.PAID, Status.PARTIALLY_REFUNDED)

    assert (refusal_to_refund(status, 1) is None) == possible
    assert refusal_to_refund(status, 0) is Refusal.NOT_REFUNDABLE


@pytest.mark.parametrize("missing", range(3))
def test_a_waiver_is_whole_only_with_consent_acknowledgement_and_confirmation(missing: int) -> None:
    assert WAIVED.is_whole
    parts: list[datetime | None] = [NOON, NOON, NOON]
    parts[missing] = None
    assert not Waiver(*parts).is_whole


def test_withdrawing_ends_with_the_waiver_or_after_fourteen_days() -> None:
    none = Waiver(NOON, NOON, None)

    assert refusal_to_withdraw(Status.PAID, NOON, none, NOON + WITHDRAWAL) is None
    assert (
        refusal_to_withdraw(Status.PAID, NOON, none, NOON + WITHDRAWAL + timedelta(seconds=1))
        is Refusal.WITHDRAWAL_OVER
    )
    assert refusal_to_withdraw(Status.PAID, NOON, WAIVED, NOON) is Refusal.WITHDRAWAL_WAIVED
    assert refusal_to_withdraw(Status.OPEN, None, WAIVED, NOON) is Refusal.NOT_REFUNDABLE
    assert refusal_to_withdraw(Status.REFUNDED, NOON, none, NOON) is Refusal.NOT_REFUNDABLE
