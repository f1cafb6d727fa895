"""Stripe's published schemas, and the check of an answer against them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

_SCHEMAS = json.loads((Path(__file__).parent / "schemas.json").read_text())


def check(body: str | bytes) -> dict[str, Any]:
    """Return the decoded answer or webhook; fails unless it, and what it lists or tells of, is as Stripe says."""
    answer: dict[str, Any] = json.loads(body)
    if "error" in answer:
        _check_one("error", answer)
    elif answer["object"] == "list":
        assert set(answer) == {"object", "data", "has_more", "url"}
        for one in answer["data"]:
            _check_resource(one)
    else:
        _check_resource(answer)
    return answer


def _check_resource(one: dict[str, Any]) -> None:
    _check_one(one["object"], one)
    if one["object"] == "event":
        _check_resource(one["data"]["object"])


def _check_one(name: str, body: dict[str, Any]) -> None:
    _validator(name).validate(body)


@cache
def _validator(name: str) -> Any:
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", **_SCHEMAS})
