"""The words of the sandbox's pages, in French and English, and how amounts and instants are written in them."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from babel.dates import format_datetime
from babel.numbers import format_currency, get_currency_precision
from flask import request

from chassis import catalogues

LANGUAGES = ("fr", "en")
_LOCALES = Path(__file__).parent / "locales"


def catalogue(language: str) -> dict[str, str]:
    """Return every message by its id."""
    return catalogues.catalogue(_LOCALES, "sandbox", language)


def language_of(session: dict[str, Any] | None) -> str:
    """Return the language of a payment page, or of the reader where it names none that we speak; French by default."""
    named = ((session or {}).get("locale") or "auto").partition("-")[0]
    return named if named in LANGUAGES else request.accept_languages.best_match(LANGUAGES, default="fr") or "fr"


def words(language: str) -> dict[str, Any]:
    """Return what a template writes with: `say`, `money` and `moment` in the language."""
    return {
        "language": language,
        "say": lambda message, **parameters: catalogue(language)[message].format(**parameters),
        "money": partial(money, language=language),
        "moment": partial(moment, language=language),
    }


def money(amount: int, currency: str, language: str) -> str:
    """Return an amount of the currency's smallest unit as people write it."""
    code = currency.upper()
    return format_currency(Decimal(amount).scaleb(-get_currency_precision(code)), code, locale=language)


def smallest_unit(text: str, currency: str) -> int:
    """Return what somebody typed, such as `12,50`, in the currency's smallest unit. Raises `ArithmeticError`."""
    return int(Decimal(text.strip().replace(",", ".")).scaleb(get_currency_precision(currency.upper())))


def moment(seconds: int, language: str) -> str:
    """Return an instant as this machine's clock shows it."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC).astimezone(), "d MMM y, HH:mm", locale=language)
