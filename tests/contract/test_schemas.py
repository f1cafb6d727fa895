"""Events keep what was promised: old readers read new events, and new readers old ones."""

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast
from uuid import UUID

import msgspec
import pytest
from jsonschema import Draft202012Validator

from contracts.events import BY_TYPE, EVENTS, Undecodable, read
from contracts.events.base import Event, Instant
from contracts.schemas import STORED, as_text, breaches, path_of, schema_of, write
from tests.contract.told_events import PATHS, each_told_event, members_of

each_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)


@each_event
def test_the_stored_schema_of_an_event_is_that_of_its_class(event: type[Event]) -> None:
    assert path_of(event).read_text() == as_text(schema_of(event)), "run: python -m contracts.schemas"


def test_every_stored_schema_belongs_to_an_event_that_still_exists() -> None:
    assert {path.stem for path in STORED.glob("*.json")} == set(BY_TYPE)


@each_event
def test_a_stored_schema_is_a_valid_json_schema(event: type[Event]) -> None:
    Draft202012Validator.check_schema(json.loads(path_of(event).read_bytes()))


def test_every_event_was_told_at_least_once_with_all_its_fields() -> None:
    full = [members_of(path) for path in PATHS if path.stem.endswith(".full")]

    assert {members["type"] for members in full} == set(BY_TYPE)
    for members in full:
        missing = set(BY_TYPE[members["type"]].__struct_fields__) - members["data"].keys()
        assert not missing, f"{members['type']}: tell it with {missing} in a new file"


@each_told_event
def test_an_event_told_before_is_read_today_and_nothing_of_it_is_lost(path: Path) -> None:
    envelope, event = read(path.read_bytes())

    assert event.type == envelope.type
    assert_holds(json.loads(msgspec.json.encode(event)), members_of(path)["data"])


@each_told_event
def test_an_event_told_before_keeps_to_the_stored_schema(path: Path) -> None:
    told = members_of(path)
    schema = json.loads((STORED / f"{told['type']}.json").read_bytes())

    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(told["data"])


@each_told_event
def test_a_reader_ignores_fields_of_a_later_writer_wherever_they_are(path: Path) -> None:
    told = members_of(path)
    told_later = json.dumps(told | {"laterattribute": "x", "data": with_later_fields(told["data"])}).encode()

    assert read(told_later)[1] == read(path.read_bytes())[1]


@each_told_event
def test_an_event_without_one_of_its_required_fields_is_refused(path: Path) -> None:
    told = members_of(path)
    for name in schema_of(BY_TYPE[told["type"]])["$defs"][BY_TYPE[told["type"]].__name__]["required"]:
        data = {key: value for key, value in told["data"].items() if key != name}

        with pytest.raises(Undecodable, match=name):
            read(json.dumps(told | {"data": data}).encode())


def test_an_instant_without_its_offset_is_refused() -> None:
    told = members_of(STORED.parents[1] / "tests/contract/told/progress.lesson_completed.v1.full.json")
    told["data"]["completed_at"] = "2026-11-23T18:30:15"

    with pytest.raises(Undecodable, match="completed_at"):
        read(json.dumps(told).encode())


PERSONAL = {"name", "display_name", "first_name", "last_name", "email", "avatar_url", "bio", "birth_year", "ip"}


@each_event
def test_an_event_carries_nothing_personal_but_ids(event: type[Event]) -> None:
    definitions = schema_of(event)["$defs"].values()

    assert not PERSONAL & {name for definition in definitions for name in definition["properties"]}


class Part(msgspec.Struct, frozen=True):
    """A part of a sample."""

    id: UUID
    weight: int = 1


class LongerPart(Part, frozen=True):
    """A part that gained an optional field."""

    length: int = 0


class ThinnerPart(msgspec.Struct, frozen=True):
    """A part that lost a field."""

    id: UUID


class StricterPart(Part, frozen=True, kw_only=True):
    """A part that gained a required field."""

    length: int


class Sample(Event, frozen=True):
    """A sample."""

    type: ClassVar[str] = "samples.sample_made.v1"
    sample_id: UUID
    made_at: Instant
    colour: Literal["red", "green"]
    parts: tuple[Part, ...] = ()
    note: str | None = None


def changed(**fields: Any) -> dict[str, Any]:
    """The schema of the sample with fields changed, added, or (with None) removed."""
    kept = {field.name: (field.type, field.default) for field in msgspec.structs.fields(Sample)}
    kept.update(
        {name: value if isinstance(value, tuple) else (value, msgspec.NODEFAULT) for name, value in fields.items()}
    )
    definition = [
        (name, kind) if default is msgspec.NODEFAULT else (name, kind, default)
        for name, (kind, default) in kept.items()
        if kind is not None
    ]
    namespace = {"type": Sample.type, "__doc__": "A sample, later."}
    return schema_of(
        cast(type[Event], msgspec.defstruct("Sample", definition, bases=(Event,), namespace=namespace, kw_only=True))
    )


@pytest.mark.parametrize(
    "later",
    [
        {},
        {"size": (int | None, None)},
        {"size": (int, 0)},
        {"parts": (tuple[LongerPart, ...], ())},
    ],
    ids=["nothing", "an optional field", "a field with a default", "an optional field of a part"],
)
def test_a_schema_may_gain_optional_fields(later: dict[str, Any]) -> None:
    assert breaches(schema_of(Sample), changed(**later)) == []


@pytest.mark.parametrize(
    ("later", "breach"),
    [
        ({"sample_id": None}, "$.sample_id: is gone"),
        ({"note": None}, "$.note: is gone"),
        ({"colour": None, "color": Literal["red", "green"]}, "$.colour: is gone"),
        ({"size": int}, "$.size: is required now"),
        ({"note": str | None}, "$.note: is required now"),
        ({"made_at": (Instant, "2026-01-01T00:00:00Z")}, "$.made_at: may be left out now"),
        ({"sample_id": int}, "$.sample_id type: was 'string', is 'integer'"),
        ({"sample_id": str}, "$.sample_id format: was 'uuid', is {}"),
        ({"sample_id": UUID | None}, "$.sample_id type: was 'string', is {}"),
        ({"note": (str, "")}, "$.note default: was None, is ''"),
        ({"note": (str | None, "none")}, "$.note default: was None, is 'none'"),
        ({"colour": Literal["red", "green", "blue"]}, "$.colour enum: was"),
        ({"colour": Literal["red"]}, "$.colour enum: was"),
        (
            {"note": (Annotated[str, msgspec.Meta(max_length=3)] | None, None)},
            "$.note anyOf[0] maxLength: was {}, is 3",
        ),
        (
            {"parts": (tuple[ThinnerPart, ...], ())},
            "$.parts items.weight: is gone",
        ),
        (
            {"parts": (tuple[StricterPart, ...], ())},
            "$.parts items.length: is required now",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_other_change_breaks_the_promise(later: dict[str, Any], breach: str) -> None:
    found = breaches(schema_of(Sample), changed(**later))

    assert any(line.startswith(breach) for line in found), found


def test_a_schema_that_would_break_the_stored_one_is_not_written(tmp_path: Path) -> None:
    class Later(Event, frozen=True):
        """Another event under the name of the sample."""

        type: ClassVar[str] = Sample.type
        sample_id: UUID

    assert write((Sample,), tmp_path) == []
    before = path_of(Sample, tmp_path).read_text()

    found = write((Later,), tmp_path)

    assert "samples.sample_made.v1 $.made_at: is gone" in found
    assert path_of(Sample, tmp_path).read_text() == before


def assert_holds(whole: Any, part: Any, place: str = "$") -> None:
    """Every member of the part is in the whole, with the same value."""
    if isinstance(part, dict):
        for name, value in part.items():
            assert name in whole, f"{place}.{name} is lost"
            assert_holds(whole[name], value, f"{place}.{name}")
    elif isinstance(part, list):
        assert len(whole) == len(part), place
        for index, value in enumerate(part):
            assert_holds(whole[index], value, f"{place}[{index}]")
    else:
        assert whole == part, place


def with_later_fields(value: Any) -> Any:
    """The same JSON with a field that nobody knows in every object."""
    if isinstance(value, dict):
        return {**{name: with_later_fields(member) for name, member in value.items()}, "told_later": {"x": [1]}}
    return [with_later_fields(member) for member in value] if isinstance(value, list) else value
