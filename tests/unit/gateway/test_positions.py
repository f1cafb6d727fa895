"""Where a stream stands goes out as an event's id and comes back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.positions import Position, read_position


@given(st.none() | st.integers(0, 10**18 - 1), st.binary(max_size=8))
def test_a_position_is_read_as_it_was_written(number: int | None, digest: bytes) -> None:
    position = Position(number, digest.hex())

    assert read_position(str(position)) == position


@given(st.text())
def test_whatever_else_a_browser_sends_names_no_position_or_one_of_ours(text: str) -> None:
    found = read_position(text)

    assert found is None or str(found).lstrip("0") == text.lstrip("0") or text.startswith("0")


@pytest.mark.parametrize("text", [None, "", "7", "x-", "7-G", "-7-a", "7-a\n", "٣-a", "9" * 19 + "-"])
def test_what_is_none_of_ours_begins_anew(text: str | None) -> None:
    assert read_position(text) is None
