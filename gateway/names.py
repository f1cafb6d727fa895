"""The names that nobody may take, and the names under which students appear to everybody."""

from functools import cache
from pathlib import Path
from uuid import UUID

from contracts.errors import FieldError, Invalid
from contracts.events.accounts import Role
from gateway.domain.names import is_blocked, is_like_web_address
from gateway.messages import Language, catalogue, say

_LISTS = Path(__file__).parent / "wordlists"
_NUMBERS = 9000
_RANDOM_BITS = 62


def refuse_blocked(pointer: str, text: str, role: Role) -> None:
    """Refuse a name or motto that someone in this role may not choose.

    What would pass for the academy itself is refused to students only. Raises `Invalid` (blocked-name, web-address,
    reserved-name).
    """
    if is_blocked(text, words("blocked")):
        raise Invalid(errors=(FieldError(pointer, "blocked-name"),))
    if is_like_web_address(text, _endings()):
        raise Invalid(errors=(FieldError(pointer, "web-address"),))
    if role == "student" and is_blocked(text, words("reserved")):
        raise Invalid(errors=(FieldError(pointer, "reserved-name"),))


def pseudonym(seed: UUID, language: Language) -> str:
    """The name in place of a student's own; the same animal in either language. `seed` is random (version 4)."""
    numbers = seed.int % 2**_RANDOM_BITS
    numbers, number = divmod(numbers, _NUMBERS)
    masculine = _words("pseudonym.nouns.masculine", language)
    nouns = (*masculine, *_words("pseudonym.nouns.feminine", language))
    numbers, noun = divmod(numbers, len(nouns))
    gender = "masculine" if noun < len(masculine) else "feminine"
    adjectives = _words(f"pseudonym.adjectives.{gender}", language)
    parts = {"noun": nouns[noun], "adjective": adjectives[numbers % len(adjectives)], "number": 1000 + number}
    return say("pseudonym", language, parts)


@cache
def words(name: str) -> tuple[str, ...]:
    """The words of a list in `wordlists`."""
    lines = (_LISTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


@cache
def _endings() -> frozenset[str]:
    return frozenset(words("endings"))


@cache
def _words(message: str, language: Language) -> tuple[str, ...]:
    return tuple(catalogue(language)[message].split(", "))
