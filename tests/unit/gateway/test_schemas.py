"""How bodies are read: what is cleaned, what is refused, and that nothing else can happen."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Invalid
from gateway.schemas import MAXIMUM_DEPTH, clean

texts = st.text(st.characters())
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_a_value_is_cleaned_or_refused_and_cleaning_again_changes_nothing(value: Any) -> None:
    try:
        cleaned = clean(value)
    except Invalid:
        return

    assert clean(cleaned) == cleaned


@given(texts)
def test_what_passes_is_composed_and_can_be_stored(text: str) -> None:
    try:
        cleaned = clean(text)
    except Invalid:
        return

    assert unicodedata.is_normalized("NFC", cleaned)
    assert "\x00" not in cleaned
    cleaned.encode("utf-8")


def test_lines_and_tabs_are_text() -> None:
    assert clean("a\n\tb\r\n") == "a\n\tb\r\n"


def test_what_is_nested_deeper_than_anything_we_take_is_refused() -> None:
    value: Any = "leaf"
    for _ in range(MAXIMUM_DEPTH + 1):
        value = [value]
    assert clean(value) == value

    with pytest.raises(Invalid) as refused:
        clean([value])

    assert refused.value.errors[0].code == "too-deep"


@pytest.mark.parametrize("number", [2**63, -(2**63), 10**40])
def test_a_number_that_no_column_holds_is_refused_where_it_is(number: int) -> None:
    with pytest.raises(Invalid) as refused:
        clean({"a": [0, number]})

    assert (refused.value.errors[0].pointer, refused.value.errors[0].code) == ("/a/1", "integer")
    assert clean(2**63 - 1) == 2**63 - 1
