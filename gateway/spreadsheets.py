"""Answers as CSV for spreadsheets, for those who ask for `text/csv`."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from babel.numbers import get_currency_precision
from flask import Response, request

from gateway.messages import asked_language, say

MEDIA_TYPE = "text/csv"
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BYTE_ORDER_MARK = "\ufeff"
"""Without it, spreadsheets take UTF-8 for something else and break every accent."""


def is_wanted() -> bool:
    """Whether the one who asks would rather have CSV than JSON."""
    wanted = request.accept_mimetypes.best_match(("application/json", MEDIA_TYPE), default="application/json")
    return wanted == MEDIA_TYPE


def respond(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """The rows as a file `name.csv`; `columns` are codes of the catalogue, `column.<code>`."""
    language = asked_language()
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow([say(f"column.{column}", language) for column in columns])
    writer.writerows([_defused(value) for value in row] for row in rows)
    response = Response(_BYTE_ORDER_MARK + written.getvalue(), content_type=f"{MEDIA_TYPE}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response.headers["Content-Language"] = language
    response.vary.update(("Accept", "Accept-Language"))
    return response


def decimal(money: dict[str, Any]) -> Decimal:
    """An amount of the smallest unit as a decimal number of its currency: 4900 EUR is `49.00`."""
    return Decimal(money["amount"]).scaleb(-get_currency_precision(money["currency"]))


def _defused(value: Any) -> Any:
    """The value; as mere text when a spreadsheet would run it as a formula (owasp.org, CSV Injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_STARTS_A_FORMULA) else value
