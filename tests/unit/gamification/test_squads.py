"""The rules of squads."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.gamification.domain.squads import (
    MEMBERS_MAX,
    Member,
    is_full,
    motto_fault,
    name_fault,
    name_key,
    successor,
    tidy,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "other",
    ["les éclairs", "LES ECLAIRS", "Les  Éclairs", "Les E\u0301clairs", "Ｌｅｓ Éclairs", "𝐋𝐄𝐒 ÉCLAIRS"],
)
def test_names_that_look_the_same_are_the_same(other: str) -> None:
    assert name_key(tidy(other)) == name_key("Les Éclairs")


@pytest.mark.parametrize("name", ["Éclairs", "l'équipe №1", "Team 🔥 feu", "学習者たち", "x" * 30])
def test_a_name_may_have_any_letters(name: str) -> None:
    assert name_fault(tidy(name)) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "squad-name-length"),
        ("ab", "squad-name-length"),
        ("x" * 31, "squad-name-length"),
        ("a\u202eb c", "squad-name-characters"),
        ("a\u200bb", "squad-name-characters"),
        ("a b", "squad-name-characters"),
    ],
)
def test_a_name_too_short_too_long_or_with_what_nobody_sees_is_refused(name: str, code: str) -> None:
    assert name_fault(tidy(name)) == code


def test_a_motto_may_be_empty_and_is_bounded() -> None:
    assert motto_fault("") is None
    assert motto_fault("x" * 140) is None
    assert motto_fault("x" * 141) == "squad-motto-length"
    assert motto_fault("a\x00") == "squad-motto-characters"


def test_the_oldest_member_succeeds() -> None:
    oldest, other = Member(uuid4(), NOON), Member(uuid4(), NOON + timedelta(seconds=1))

    assert successor([other, oldest]) == oldest.user_id
    assert successor([]) is None


def test_only_official_squads_have_no_cap() -> None:
    assert not is_full(MEMBERS_MAX - 1, official=False)
    assert is_full(MEMBERS_MAX, official=False)
    assert not is_full(MEMBERS_MAX, official=True)
