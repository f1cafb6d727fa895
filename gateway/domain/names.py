"""What people and squads may be called, and who is shown to everybody by name.

A name is refused for a word of a list, in whatever disguise: accents, case, figures for letters, letters drawn out,
letters set apart, characters that cannot be seen, letters of other alphabets that look the same. A word counts where it
stands alone, so that names and towns which merely contain one (Scunthorpe, Puteaux) are nobody's trouble. A name that
looks like a web address would be a link wherever it is shown.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from functools import cache, lru_cache

OLDEST_WITHOUT_NAME = 15
"""Who may turn so old this year, or is younger, is not shown by name."""

_LOOK_ALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХԚԜавеѕіјкмнорстухԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβεηικμνορςτυχ",
    "ABESIJKMHOPCTYXQWabesijkmhopctyxqwABEZHIKMNOPTYXabenikuvopstux",
)
_LATIN = re.compile(
    r"(?:.* )?(?:LATIN|REGIONAL INDICATOR) .*?(?:LETTER|CAPITAL|LIGATURE|DOTLESS|TURNED|OPEN|SCRIPT) "
    r"([A-Z]{1,2})(?: WITH .+)?"
)
_UNSEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_FIGURES = tuple(str.maketrans("034578@$€+1!|", "oeastbaset" + 3 * one) for one in "il")
_WORD = re.compile(r"[^\W\d_]+")
_VOWELS = "aeiouy"
_LABEL = r"[^\W_]+(?:-+[^\W_]+)*"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_BEGINNING = re.compile(r"[a-z]://|(?<!\w)www\d*\.\w")
_NUMBERS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_DOTS = str.maketrans("。", ".")


def is_shown_by_name(birth_year: int | None, now: datetime, *, is_hidden: bool) -> bool:
    """Whether a student appears to everybody under the display name: old enough for sure, and not hidden by an admin.

    Only the year of birth is known, so who may turn 15 this year counts as not yet 15.
    """
    return not is_hidden and birth_year is not None and now.year - birth_year > OLDEST_WITHOUT_NAME


def is_blocked(name: str, words: tuple[str, ...]) -> bool:
    """Whether a word of the list is in the name, in any disguise.

    A word of the list is plain lower case letters, several with a space between. It stands alone, or, with `*` before,
    behind or around it, may end, begin or be within another.
    """
    pattern = _pattern(words)
    return any(pattern.search(reading) for reading in set(_readings(name)))


def is_like_web_address(name: str, endings: frozenset[str]) -> bool:
    """Whether mail and chat programs would make a link of the name, or of a part of it.

    Words that a dot holds together count when one behind a dot is of the `endings` (com, fr): some programs stop there.
    """
    plain = unicodedata.normalize("NFKC", name).translate(_DOTS).casefold()
    seen = "".join(character for character in plain if unicodedata.category(character) != "Cf")
    if _BEGINNING.search(seen):
        return True
    return any(
        _NUMBERS.fullmatch(host) or any(label in endings or label.startswith("xn--") for label in host.split(".")[1:])
        for host in _HOST.findall(seen)
    )


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(_expression(word) for word in words))


def _expression(word: str) -> str:
    bare = word.strip("*")
    letters = "".join(_drawn_out(match[0], len(bare)) for match in re.finditer(r"(.)\1*", bare))
    return ("" if word.startswith("*") else r"(?<!\S)") + letters + ("" if word.endswith("*") else r"(?!\S)")


def _drawn_out(run: str, length: int) -> str:
    letter, times = run[0], len(run)
    if letter == " ":
        return " "
    if letter in _VOWELS and length > 3:
        return f"{letter}{{{times},}}"
    # names double their consonants (Putte is a town), but nobody writes three
    return f"(?:{letter}{{3,}}|{letter}{{{times}}})"


def _readings(name: str) -> Iterator[str]:
    seen = "".join(_letter(character) for character in unicodedata.normalize("NFKD", name))
    for text in {seen, _parted(seen)}:
        plain = text.casefold()
        for reading in (plain, *(plain.translate(figures) for figures in _FIGURES)):
            yield " ".join(_spelled_out(_WORD.findall(reading)))
            yield " ".join("".join(_WORD.findall(chunk)) for chunk in reading.split())


@lru_cache(maxsize=4096)
def _letter(character: str) -> str:
    """The plain letter that it looks like; nothing for what cannot be seen; else itself."""
    if character.isascii():
        return character
    if unicodedata.category(character) in ("Mn", "Me", "Cf") or character in _UNSEEN:
        return ""
    if ord(character) in _LOOK_ALIKES:
        return chr(_LOOK_ALIKES[ord(character)])
    name = unicodedata.name(character, "")
    latin = _LATIN.fullmatch(name)
    if latin is None:
        return character
    return latin[1] if "CAPITAL LETTER" in name else latin[1].lower()


def _parted(text: str) -> str:
    """With a space where a small letter meets a capital."""
    return "".join(
        f" {letter}" if letter.isupper() and before.islower() else letter
        for before, letter in zip(" " + text, text, strict=False)
    )


def _spelled_out(words: list[str]) -> Iterator[str]:
    """The words, three and more letters that stand alone as one."""
    letters: list[str] = []
    for word in [*words, ""]:
        if len(word) == 1:
            letters.append(word)
            continue
        yield from ["".join(letters)] if len(letters) > 2 else letters
        letters = []
        if word:
            yield word
