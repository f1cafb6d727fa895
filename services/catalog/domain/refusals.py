"""Why something is refused, and the rules that all texts share."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """One field that is refused: where it is (a JSON pointer), why (a code), and the values of the reason."""

    pointer: str
    code: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def check_line(pointer: str, value: str, most: int, *, required: bool = True) -> tuple[Refusal, ...]:
    """What is wrong with one line of at most `most` characters, without control characters."""
    return _check(pointer, value, required, Refusal(pointer, "too-long", {"maximum": most}), len(value) > most, "")


def check_text(pointer: str, value: str, most: int, *, required: bool = False) -> tuple[Refusal, ...]:
    """What is wrong with a text of at most `most` bytes in UTF-8, which may have tabs and line ends."""
    too_long = Refusal(pointer, "too-many-bytes", {"maximum": most})
    return _check(pointer, value, required, too_long, len(value.encode(errors="replace")) > most, "\t\n\r")


def check_number(pointer: str, value: int, least: int, most: int) -> tuple[Refusal, ...]:
    """What is wrong with a number from `least` to `most`."""
    if value < least:
        return (Refusal(pointer, "too-small", {"minimum": least}),)
    if value > most:
        return (Refusal(pointer, "too-large", {"maximum": most}),)
    return ()


def _check(
    pointer: str, value: str, required: bool, too_long: Refusal, is_too_long: bool, allowed: str
) -> tuple[Refusal, ...]:
    if required and not any(unicodedata.category(character)[0] not in "CZ" for character in value):
        return (Refusal(pointer, "required"),)
    if is_too_long:
        return (too_long,)
    if any(unicodedata.category(character) in ("Cc", "Cs") and character not in allowed for character in value):
        return (Refusal(pointer, "control-characters"),)
    return ()
