"""How bodies and queries are read and answers written: strict pydantic models behind APIFlask's decorators.

Bodies: JSON only (415, 400), at most a megabyte (413), normalised to NFC, no control characters, unknown fields
refused (422). Queries: unknown parameters refused. Answers carry what their model names, and nothing else.
"""

import re
import unicodedata
from typing import Annotated, Any
from zoneinfo import available_timezones

import msgspec
from apiflask.schema_adapters import registry
from apiflask.schema_adapters.pydantic import PydanticAdapter
from flask import Request, Response
from flask.json.provider import DefaultJSONProvider
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from contracts.errors import BadRequest, FieldError, Invalid
from gateway.problems import TooLarge, UnsupportedMediaType

MAXIMUM_JSON_BYTES = 1024 * 1024
MAXIMUM_DEPTH = 32
_MAXIMUM_INTEGER = 2**63 - 1


class In(BaseModel):
    """What a request carries: unknown fields are refused, text is trimmed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True, allow_inf_nan=False)


class Out(BaseModel):
    """What an answer carries: exactly the fields named."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)


def _single_line(text: str) -> str:
    if any(character in text for character in "\n\r\t\u2028\u2029"):
        raise PydanticCustomError("single-line", "must be one line")
    if any("\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069" for character in text):
        raise PydanticCustomError("control-characters", "must not override directions")
    return text


def _time_zone(name: str) -> str:
    if name not in _zones():
        raise PydanticCustomError("time-zone", "must be an IANA time zone")
    return name


_NO_PLACES = frozenset({"localtime", "Factory", "posixrules"})
"""Found among a machine's time zones, but not on every machine, and not the same."""

_ZONES: frozenset[str] = frozenset()


def _zones() -> frozenset[str]:
    global _ZONES
    if not _ZONES:
        _ZONES = frozenset(available_timezones()) - _NO_PLACES
    return _ZONES


Line = Annotated[str, AfterValidator(_single_line)]
"""Text of one line, without direction overrides. Give it a length: `Annotated[Line, Field(max_length=80)]`."""

TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_time_zone)]
"""The name of an IANA time zone."""


def optional() -> Any:
    """For a field that may be left out but not be null; whether it was given is in `model_fields_set`."""
    return Field(default=None, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class Page(In):
    """The query of every list."""

    limit: int = Field(default=20, ge=1, le=100)
    cursor: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Empty(Out):
    """No content."""


CODES = {
    "missing": "required",
    "extra_forbidden": "unknown-field",
    "string_type": "text",
    "string_too_short": "too-short",
    "string_too_long": "too-long",
    "too_short": "too-few",
    "too_long": "too-many",
    "int_type": "integer",
    "int_parsing": "integer",
    "int_from_float": "integer",
    "int_parsing_size": "integer",
    "float_type": "number",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "list_type": "list",
    "tuple_type": "list",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "literal_error": "one-of",
    "enum": "one-of",
    "greater_than_equal": "minimum",
    "less_than_equal": "maximum",
    "greater_than": "above",
    "less_than": "below",
    "uuid_parsing": "id",
    "uuid_type": "id",
    "string_pattern_mismatch": "pattern",
    "datetime_type": "instant",
    "datetime_parsing": "instant",
    "datetime_from_date_parsing": "instant",
    "timezone_aware": "instant",
}
_QUOTED = re.compile("'([^']*)'")
_PARAMETERS = {
    "min_length": "minimum",
    "max_length": "maximum",
    "ge": "minimum",
    "le": "maximum",
    "gt": "minimum",
    "lt": "maximum",
    "expected": "expected",
}


def field_error(error: ErrorDetails) -> FieldError:
    """Pydantic's complaint as one of ours; a custom error's type is already the code."""
    kind = error["type"]
    context = error.get("ctx") or {}
    code = CODES.get(kind) or (kind if "_" not in kind else "invalid")
    parameters = {ours: context[theirs] for theirs, ours in _PARAMETERS.items() if theirs in context}
    if context.get("field_type") == "Value":  # a text: pydantic no longer knows that once it was validated by us
        code = {"too-few": "too-short", "too-many": "too-long"}[code]
    if code == "one-of":  # a list for each language to write, not an English sentence
        parameters["expected"] = _QUOTED.findall(context["expected"])
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in error["loc"])
    return FieldError(pointer, code, parameters)


def _refuse(error: ValidationError) -> Invalid:
    return Invalid(
        errors=tuple(field_error(item) for item in error.errors(include_url=False, include_input=False)[:50])
    )


def clean(value: Any, pointer: str = "", depth: int = 0) -> Any:
    """The decoded JSON value with its texts in NFC. Raises `Invalid` for control characters, lone surrogates, huge
    integers, and nesting deeper than anything we take."""
    if isinstance(value, str):
        return _clean_text(value, pointer)
    if depth > MAXIMUM_DEPTH:
        raise Invalid(errors=(FieldError(pointer, "too-deep"),))
    if isinstance(value, dict):
        return {_clean_text(name, pointer): clean(item, f"{pointer}/{name}", depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [clean(item, f"{pointer}/{index}", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, int) and not -_MAXIMUM_INTEGER <= value <= _MAXIMUM_INTEGER:
        raise Invalid(errors=(FieldError(pointer, "integer"),))
    return value


def _clean_text(text: str, pointer: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t":
            raise Invalid(errors=(FieldError(pointer, "control-characters"),))
    return unicodedata.normalize("NFC", text)


def read_json(request: Request) -> Any:
    """The request's JSON body, cleaned; an empty body is an empty object. Raises the problem that it is."""
    if (request.content_length or 0) > MAXIMUM_JSON_BYTES:
        raise TooLarge()
    body = request.get_data(cache=True)
    if len(body) > MAXIMUM_JSON_BYTES:
        raise TooLarge()
    if not body.strip():
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType()
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("not-json") from error
    return clean(value)


def read_form(request: Request) -> dict[str, Any]:
    """The fields and files of a multipart body; an absent body has none. Raises the problem that it is."""
    if request.mimetype != "multipart/form-data":
        if request.get_data(cache=True):
            raise UnsupportedMediaType()
        return {}
    fields: dict[str, Any] = clean(request.form.to_dict())
    return fields | request.files.to_dict()


class StrictAdapter(PydanticAdapter):
    """APIFlask's pydantic adapter, reading strictly and writing at once."""

    def validate_input(self, request: Request, location: str, **_: Any) -> BaseModel:
        """The model that the request carries at the location. Raises the problem that it is."""
        try:
            if location == "json":
                return self.model_class.model_validate_json(msgspec.json.encode(read_json(request)), strict=True)
            if location == "query":
                return self.model_class.model_validate_strings(clean(request.args.to_dict()))
            if location == "files":
                return self.model_class.model_validate(read_form(request))
        except ValidationError as error:
            raise _refuse(error) from None
        raise ValueError(f"nothing is read from {location}")

    def serialize_output(self, data: Any, many: bool = False) -> Any:
        """The model, or list of models, that the data is."""
        if many:
            return [self.model_class.model_validate(item) for item in data]
        return data if isinstance(data, BaseModel) else self.model_class.model_validate(data)


registry.register("pydantic", StrictAdapter)

_encode = msgspec.json.Encoder(enc_hook=lambda value: value.model_dump(mode="json")).encode


class JsonProvider(DefaultJSONProvider):
    """JSON by pydantic and msgspec."""

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """A response with the value as JSON."""
        value = self._prepare_response_obj(args, kwargs)
        return Response(to_json(value), mimetype="application/json")


def to_json(value: Any) -> bytes:
    """The value (a model, or plain data with dates and UUIDs) as JSON."""
    if isinstance(value, BaseModel):
        return value.__pydantic_serializer__.to_json(value)
    return _encode(value)
