"""The accounts' rules."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.accounts import email_key, is_plausible_birth_year, may_have_profile
from gateway.domain.sessions import RETRY_WINDOW, Refresh, RefreshToken, judge

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _token(
    *, used: float | None = None, key: bytes | None = None, revoked: bool = False, left: float = 60
) -> RefreshToken:
    return RefreshToken(
        NOW + timedelta(seconds=left), None if used is None else NOW - timedelta(seconds=used), key, revoked
    )


@pytest.mark.parametrize(
    ("token", "key", "verdict"),
    [
        (_token(), None, Refresh.ROTATE),
        (_token(), b"k", Refresh.ROTATE),
        (_token(left=0), None, Refresh.REFUSE),
        (_token(revoked=True), None, Refresh.REFUSE),
        (_token(used=1), None, Refresh.REVOKE),
        (_token(used=1), b"k", Refresh.REVOKE),
        (_token(used=1, key=b"k"), None, Refresh.REVOKE),
        (_token(used=1, key=b"k"), b"other", Refresh.REVOKE),
        (_token(used=1, key=b"k"), b"k", Refresh.REPEAT),
        (_token(used=60, key=b"k"), b"k", Refresh.REPEAT),
        (_token(used=61, key=b"k"), b"k", Refresh.REVOKE),
        (_token(used=1, key=b"k", revoked=True), b"k", Refresh.REFUSE),
        (_token(used=1, key=b"k", left=-1), b"k", Refresh.REPEAT),
    ],
)
def test_what_is_done_with_a_refresh_token(token: RefreshToken, key: bytes | None, verdict: Refresh) -> None:
    assert judge(token, NOW, key) is verdict


@given(st.floats(0, 10_000), st.binary(min_size=1), st.none() | st.binary(min_size=1))
def test_a_used_token_never_rotates_again(seconds: float, key: bytes, other: bytes | None) -> None:
    verdict = judge(_token(used=seconds, key=key), NOW, other)

    assert verdict in (Refresh.REPEAT, Refresh.REVOKE)
    assert (verdict is Refresh.REPEAT) <= (other == key and timedelta(seconds=seconds) <= RETRY_WINDOW)


# the dotless ı is a letter of its own, though its capital is that of i
@given(st.text(st.characters(exclude_characters="ı", codec="utf-8")))
def test_the_key_of_an_address_is_the_same_for_every_spelling(address: str) -> None:
    key = email_key(address)

    assert email_key(key) == key
    assert email_key(address.upper().lower()) == email_key(address.lower())
    assert email_key(f" {address} ") == key


def test_birth_years_are_those_of_living_people() -> None:
    plausible = [year for year in range(1800, 2100) if is_plausible_birth_year(year, NOW)]

    assert (plausible[0], plausible[-1]) == (1906, 2022)


def test_a_profile_is_for_those_who_teach() -> None:
    assert [role for role in ("student", "instructor", "admin") if may_have_profile(role)] == ["instructor", "admin"]
