"""The envelope keeps to CloudEvents 1.0.2 (spec.md and json-format.md of the project)."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from chassis.bus.relay import envelope_of
from chassis.context import Trace, traced
from chassis.outbox import outbox_row
from contracts.envelope import decode, encode
from contracts.events import read
from tests.contract.told_events import each_told_event, members_of

REQUIRED = ("id", "source", "specversion", "type")


def faults(members: dict[str, Any]) -> list[str]:
    """What is wrong with an event in structured JSON, by the rules of CloudEvents 1.0.2."""
    attributes = {name: value for name, value in members.items() if name != "data" and value is not None}
    found = [f"{name} is missing" for name in REQUIRED if name not in attributes]
    for name, value in attributes.items():
        if not re.fullmatch(r"[a-z0-9]{1,20}", name):
            found.append(f"{name} is no attribute name")
        if value == "" or not isinstance(value, str | int | bool):
            found.append(f"{name} is empty or of no type of CloudEvents")
        if isinstance(value, int) and not -(2**31) <= value < 2**31:
            found.append(f"{name} is no Integer")
    if attributes.get("specversion") != "1.0":
        found.append("specversion is not 1.0")
    if not urlsplit(attributes.get("dataschema", "x:")).scheme:
        found.append("dataschema is no URI")
    if not re.fullmatch(r"[^/;]+/[^/;]+", attributes.get("datacontenttype", "a/b")):
        found.append("datacontenttype is no media type")
    if "time" in attributes and datetime.fromisoformat(attributes["time"]).tzinfo is None:
        found.append("time is no timestamp of RFC 3339")
    return found


@each_told_event
def test_an_event_told_before_is_a_cloud_event(path: Path) -> None:
    assert faults(members_of(path)) == []


@each_told_event
def test_what_the_relay_publishes_is_a_cloud_event_with_its_trace(path: Path) -> None:
    event = read(path.read_bytes())[1]
    with traced(Trace(request_id="r", correlation_id="c", event_id=str(uuid4()))):
        row = SimpleNamespace(**outbox_row(event, sequence=7), recorded_at=datetime.now(UTC))

    members = json.loads(encode(envelope_of(row)))

    assert faults(members) == []
    assert members["source"] == f"/services/{event.type.split('.')[0]}"
    assert members["dataschema"].endswith(f"/contracts/schemas/{event.type}.json")
    assert members["subject"] == members["partitionkey"] == event.partition_key() != ""
    assert (members["correlationid"], members["causationid"], members["sequence"]) == ("c", row.causation_id, 7)
    assert read(json.dumps(members).encode())[1] == event


@each_told_event
def test_an_envelope_is_written_as_it_was_read(path: Path) -> None:
    told = members_of(path)
    unset = {"correlationid": None, "causationid": None, "sequence": 0}

    assert json.loads(encode(decode(path.read_bytes()))) == unset | told


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"id": None}, "id is missing"),
        ({"type": ""}, "type is empty or of no type of CloudEvents"),
        ({"specversion": "0.3"}, "specversion is not 1.0"),
        ({"correlation_id": "c"}, "correlation_id is no attribute name"),
        ({"dataschema": "/contracts/x.json"}, "dataschema is no URI"),
        ({"sequence": 2**31}, "sequence is no Integer"),
        ({"time": "2026-11-23T18:30:16"}, "time is no timestamp of RFC 3339"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@each_told_event
def test_these_rules_find_what_is_wrong(path: Path, change: dict[str, Any], fault: str) -> None:
    assert fault in faults(members_of(path) | change)
