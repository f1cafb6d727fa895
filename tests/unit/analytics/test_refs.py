"""Links that instructors make."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.refs import MAXIMUM_CHARACTERS, is_target, link, new_ref


@pytest.mark.parametrize(
    "target", ["/", "/courses/x", "/duels/a?b=c#d", "/écran", "/" + "a" * (MAXIMUM_CHARACTERS - 1)]
)
def test_a_path_within_the_front_end_is_a_target(target: str) -> None:
    assert is_target(target)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "courses/x",
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/a\nb",
        "/\t/evil.example",
        "/\x00",
        "/\ud800",
        "/" + "a" * MAXIMUM_CHARACTERS,
    ],
)
def test_what_could_lead_elsewhere_is_no_target(target: str) -> None:
    assert not is_target(target)


@given(st.text())
def test_a_link_always_leads_to_the_front_end_and_carries_the_ref(path: str) -> None:
    target = "/" + path
    if is_target(target):
        made = link("https://front.example/", target, "abc")
        assert made.startswith("https://front.example/")
        assert re.search(r"[?&]ref=abc(#|$)", made)


def test_the_ref_goes_into_the_query_before_the_fragment() -> None:
    assert link("https://front.example", "/courses/x", "abc") == "https://front.example/courses/x?ref=abc"
    assert link("https://front.example/", "/c?a=1#top", "abc") == "https://front.example/c?a=1&ref=abc#top"


def test_refs_are_short_plain_and_not_the_same() -> None:
    made = {new_ref() for _ in range(100)}

    assert len(made) == 100
    assert all(re.fullmatch("[a-z0-9]{10}", ref) for ref in made)
