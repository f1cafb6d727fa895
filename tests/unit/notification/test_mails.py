"""Given a mail whose time has come, whether it goes out, and when again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.notification.domain.kinds import DEFAULTS
from services.notification.domain.mails import DELAYS, Letter, next_attempt, reason_to_drop

NOW = datetime(2026, 11, 23, 19, tzinfo=UTC)
LETTER = Letter(True, "awa@tanka.example", True, False, NOW + timedelta(hours=1))


def test_a_mail_that_somebody_wants_and_needs_goes_out() -> None:
    assert reason_to_drop(LETTER, NOW) is None
    assert reason_to_drop(replace(LETTER, useless_after=None), NOW) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_known": False, "email": None}, "nobody"),
        ({"email": None}, "unverified"),
        ({"is_wanted": False}, "switched-off"),
        ({"is_read": True}, "read"),
        ({"useless_after": NOW}, "stale"),
    ],
)
def test_a_mail_that_is_not_wanted_not_needed_or_for_nobody_is_dropped(change: dict[str, object], reason: str) -> None:
    assert reason_to_drop(replace(LETTER, **change), NOW) == reason  # type: ignore[arg-type]


def test_attempts_come_after_ever_longer_pauses_and_end() -> None:
    pauses = [at - NOW for attempts in range(1, len(DELAYS) + 1) if (at := next_attempt(attempts, NOW))]

    assert pauses == sorted(set(pauses))
    assert len(pauses) == len(DELAYS)
    assert next_attempt(len(DELAYS) + 1, NOW) is None


def test_everything_lies_in_the_inbox_and_little_is_mailed_unless_they_wish_otherwise() -> None:
    assert all(channels.in_app for channels in DEFAULTS.values())
    assert {kind for kind, channels in DEFAULTS.items() if channels.email} == {
        "duel_challenged",
        "streak_endangered",
        "squad_of_the_week",
    }
