"""The JSON schema of every event, stored as it was promised, and the check that a new one keeps the promise.

`python -m contracts.schemas` writes them anew; it refuses to break what is stored.
"""

from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from contracts.events.base import Event

STORED = Path(__file__).parent
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_WORDS = frozenset({"$schema", "$id", "$defs", "title", "description"})


def path_of(event: type[Event], folder: Path = STORED) -> Path:
    """Where the event's schema is stored."""
    return folder / f"{event.type}.json"


def schema_of(event: type[Event]) -> dict[str, Any]:
    """The JSON schema (2020-12) of the event's data, as its class is now."""
    schema = msgspec.json.schema(event)
    for definition in schema["$defs"].values():
        definition["description"] = cleandoc(definition["description"])
    as_stored = msgspec.json.encode({"$schema": _DIALECT, "$id": event.data_schema(), **schema})
    return msgspec.json.decode(as_stored, type=dict[str, Any])


def as_text(schema: dict[str, Any]) -> str:
    """The schema as it is stored."""
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2).decode() + "\n"


def breaches(promised: dict[str, Any], present: dict[str, Any]) -> list[str]:
    """What breaks the promise between two schemas of one event, each as `place: reason`; empty when nothing does.

    Readers and writers of both schemas meet on the bus, so a schema may only gain optional fields: old readers ignore
    them, new readers do without them.
    """
    return _breaches("$", promised, present, promised, present)


def write(events: tuple[type[Event], ...], folder: Path = STORED) -> list[str]:
    """Store the schemas of the events. Where that would break a stored one, store nothing and return the breaches."""
    found = []
    for event in events:
        path = path_of(event, folder)
        if path.exists():
            promised = msgspec.json.decode(path.read_bytes())
            found += [f"{event.type} {breach}" for breach in breaches(promised, schema_of(event))]
    if not found:
        for event in events:
            path_of(event, folder).write_text(as_text(schema_of(event)))
    return found


def _breaches(
    place: str, promised: Any, present: Any, promised_root: dict[str, Any], present_root: dict[str, Any]
) -> list[str]:
    promised, present = _resolved(promised, promised_root), _resolved(present, present_root)
    if isinstance(promised, list) and isinstance(present, list) and len(promised) == len(present):
        pairs = zip(promised, present, strict=True)
        return [
            breach
            for index, (old, new) in enumerate(pairs)
            for breach in _breaches(f"{place}[{index}]", old, new, promised_root, present_root)
        ]
    if not isinstance(promised, dict) or not isinstance(present, dict):
        return [] if promised == present else [f"{place}: was {promised!r}, is {present!r}"]
    found = []
    for keyword in sorted((promised.keys() | present.keys()) - _WORDS):
        old, new = promised.get(keyword, {}), present.get(keyword, {})
        if keyword == "properties":
            found += [f"{place}.{name}: is gone" for name in sorted(old.keys() - new.keys())]
            for name in sorted(old.keys() & new.keys()):
                found += _breaches(f"{place}.{name}", old[name], new[name], promised_root, present_root)
        elif keyword == "required":
            found += [f"{place}.{name}: is required now" for name in sorted(set(new) - set(old))]
            found += [f"{place}.{name}: may be left out now" for name in sorted(set(old) - set(new))]
        else:
            found += _breaches(f"{place} {keyword}", old, new, promised_root, present_root)
    return found


def _resolved(schema: Any, root: dict[str, Any]) -> Any:
    if isinstance(schema, dict) and "$ref" in schema:
        return _resolved(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    return schema
