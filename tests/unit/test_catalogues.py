"""What is true of the words of every part of the academy."""

import re
from pathlib import Path

import pytest

from chassis.catalogues import catalogue

ROOT = Path(__file__).parents[2]
FRENCH = sorted(
    path.relative_to(ROOT)
    for package in ("chassis", "demo", "gateway", "services")
    for path in (ROOT / package).rglob("locales/fr/LC_MESSAGES/*.po")
)

_NOT_WORDS = re.compile(r"\{\w*\}|\w+://\S+")
_BREAKS = re.compile(r" [:;!?»]|« |n° ")


def broken(text: str) -> bool:
    """Whether a line may end before a sign that belongs to the word before it, or behind one that opens."""
    return _BREAKS.search(_NOT_WORDS.sub("x", text)) is not None


def test_every_catalogue_is_found() -> None:
    assert {path.stem for path in FRENCH} >= {"gateway", "notification", "sandbox"}


@pytest.mark.parametrize("path", FRENCH, ids=lambda path: path.stem)
def test_french_breaks_no_line_before_its_punctuation(path: Path) -> None:
    words = catalogue(ROOT / path.parents[2], path.stem, "fr")

    assert {message: text for message, text in words.items() if broken(text)} == {}


@pytest.mark.parametrize("text", ["Bravo !", "« Awa\u00a0»", "Points : {points}", "{name} ?", "http://x.example ;"])
def test_a_plain_space_is_found(text: str) -> None:
    assert broken(text)


@pytest.mark.parametrize(
    "text", ["Bravo\u00a0!", "«\u202fAwa\u202f»", "Points\u00a0: {points}", "https://x.example/?a", "12:30"]
)
def test_what_holds_together_is_fine(text: str) -> None:
    assert not broken(text)
