"""Catalogues of messages: the words that people read, a gettext file for each language."""

from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po


@cache
def catalogue(locales: Path, name: str, language: str) -> dict[str, str]:
    """Every message of the catalogue `name` below `locales` by its id, in the language."""
    with (locales / language / "LC_MESSAGES" / f"{name}.po").open("rb") as file:
        messages = read_po(file, locale=language)
    return {str(message.id): str(message.string) for message in messages if message.id and message.string}
