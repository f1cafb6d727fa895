"""The words of notifications, for inbox and mail alike. The names of people are filled in by who passes them on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec

from chassis.catalogues import catalogue

Language = Literal["fr", "en"]
_LOCALES = Path(__file__).parent / "locales"

_PEOPLE = {"rival": ("rival", "somebody"), "Rival": ("rival", "Somebody")}
"""Of each placeholder for a person: the parameter with the id, and the word for who has no name any more."""


class Mentioned(msgspec.Struct, frozen=True):
    """A person in a text: whose name to put there, and what when they have none."""

    id: UUID
    otherwise: str


class Text(msgspec.Struct, frozen=True):
    """A text with its numbers filled in; each placeholder of `people`, in braces, still stands for a name."""

    title: str
    body: str
    people: dict[str, Mentioned]


class _Numbers(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def say(message: str, language: Language) -> str:
    """A message as it is in the catalogue."""
    return catalogue(_LOCALES, "notification", language)[message]


def written(message: str, parameters: Mapping[str, Any], language: Language) -> Text:
    """What a notification says."""
    numbers = _Numbers({name: value for name, value in parameters.items() if isinstance(value, int)})
    title, body = (say(f"{message}.{part}", language).format_map(numbers) for part in ("title", "body"))
    people = {
        placeholder: Mentioned(UUID(parameters[parameter]), say(otherwise, language))
        for placeholder, (parameter, otherwise) in _PEOPLE.items()
        if f"{{{placeholder}}}" in title + body
    }
    return Text(title, body, people)


def filled(text: str, people: Mapping[str, Mentioned], names: Mapping[UUID, str]) -> str:
    """The text with people's names in it."""
    for placeholder, person in people.items():
        text = text.replace(f"{{{placeholder}}}", names.get(person.id, person.otherwise))
    return text
