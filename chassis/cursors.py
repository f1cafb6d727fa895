"""Cursors of lists: where a page ended, as an opaque text."""

import base64
from typing import Any, TypeVar

import msgspec

from contracts.errors import FieldError, Invalid

T = TypeVar("T")


def write_cursor(position: Any) -> str:
    """The position, whatever msgspec can encode, as a cursor."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode()


def read_cursor(cursor: str, of: type[T]) -> T:
    """The position that `write_cursor` wrote. Raises `Invalid` where the text is no cursor of such a position."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=of)
    except ValueError as error:
        raise Invalid(errors=(FieldError("/cursor", "bad-cursor"),)) from error
