"""The words for problems and refused fields, in French and English, from gettext catalogues loaded at start."""

from pathlib import Path
from typing import Any, Literal

from flask import has_request_context, request

from chassis import catalogues

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = ("fr", "en")
_LOCALES = Path(__file__).parent / "locales"


class _Lenient(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "…"


def catalogue(language: Language) -> dict[str, str]:
    """Every message by its id: `problem.<slug>.title`, `.detail`, `field.<code>`, `word.<code>`, `mail.*`."""
    return catalogues.catalogue(_LOCALES, "gateway", language)


def say(message: str, language: Language, parameters: dict[str, Any] | None = None, *, otherwise: str = "") -> str:
    """The message in the language with its `{parameters}` filled in; the message `otherwise` when there is none."""
    words = catalogue(language).get(message) or catalogue(language).get(otherwise, "")
    return words.format_map(_Lenient({name: _shown(value, language) for name, value in (parameters or {}).items()}))


def _shown(value: Any, language: Language) -> Any:
    """A list as its items, one after another; those that are codes of ours in words."""
    if not isinstance(value, list | tuple):
        return value
    return ", ".join(catalogue(language).get(f"word.{item}", str(item)) for item in value)


def asked_language() -> Language:
    """The language that the request prefers (`Accept-Language`); French when it says nothing that we speak."""
    if not has_request_context():
        return "fr"
    return "en" if request.accept_languages.best_match(LANGUAGES, default="fr") == "en" else "fr"
