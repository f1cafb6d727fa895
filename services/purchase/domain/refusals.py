"""Why something is refused; the values are the slugs of the problems."""

from enum import Enum


class Refusal(Enum):
    """A reason, as the one who asks is told it."""

    NOT_THERE = "not-there"
    ALREADY_OWNED = "already-owned"
    LOCKED = "locked"
    PAYMENT_UNDER_WAY = "payment-under-way"
    WAIVER_REQUIRED = "waiver-required"
    NOT_REFUNDABLE = "not-refundable"
    REFUND_UNDER_WAY = "refund-under-way"
    WITHDRAWAL_WAIVED = "withdrawal-waived"
    WITHDRAWAL_OVER = "withdrawal-over"
