"""`python -m tests.contract.stripe.cut stripe.com.json`: cuts Stripe's OpenAPI document down to `schemas.json`.

What comes out is plain JSON Schema: the resources below with what they refer to, `nullable` as a type, no descriptions.
An expansion is an id, or one of the resources below. Objects take no field that Stripe does not name.
"""

import json
import sys
from pathlib import Path
from typing import Any

RESOURCES = ("checkout.session", "payment_intent", "charge", "refund", "dispute", "event", "error")
SCHEMAS = Path(__file__).parent / "schemas.json"
PREFIX = "#/components/schemas/"
KEPT = ("type", "enum", "format", "maxLength", "pattern", "required", "properties", "items", "anyOf")

WAYS_TO_PAY = ("type", "card", "sepa_debit")
ONLY = {
    "payment_method_details": WAYS_TO_PAY,
    "payment_intent_payment_method_options": WAYS_TO_PAY,
    "checkout_session_payment_method_options": WAYS_TO_PAY,
    "api_errors": ("type", "code", "message", "param", "decline_code", "charge", "doc_url", "request_log_url"),
}
"""Where these fields are enough: Stripe has some sixty ways to pay, each with its own fields; the sandbox has two."""


def main(arguments: list[str]) -> None:
    """Write the schemas anew from the document named in the first argument."""
    document = json.loads(Path(arguments[0]).read_text())["components"]["schemas"]
    definitions: dict[str, Any] = {}
    waiting = list(RESOURCES)
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            definitions[name] = _cut(_only(name, document[name]), waiting)
    text = json.dumps({"$defs": definitions}, sort_keys=True, separators=(",", ":"))
    SCHEMAS.write_text(text.replace('},"', '},\n"') + "\n")


def _only(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if name not in ONLY:
        return schema
    return schema | {"properties": {key: value for key, value in schema["properties"].items() if key in ONLY[name]}}


def _cut(schema: dict[str, Any], waiting: list[str]) -> dict[str, Any]:
    """Return a schema as plain JSON Schema; what it refers to is added to `waiting`."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(PREFIX)
        waiting.append(name)
        return {"$ref": f"#/$defs/{name}"}
    kept = {key: value for key, value in schema.items() if key in KEPT}
    if "anyOf" in kept:
        kept["anyOf"] = [_cut(option, waiting) for option in kept["anyOf"] if _is_kept(option, schema)]
    if "items" in kept:
        kept["items"] = _cut(kept["items"], waiting)
    if "properties" in kept:
        kept["properties"] = {name: _cut(value, waiting) for name, value in kept["properties"].items()}
        kept["additionalProperties"] = False
    elif isinstance(schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = _cut(schema["additionalProperties"], waiting)
    return {"anyOf": [kept, {"type": "null"}]} if schema.get("nullable") else kept


def _is_kept(option: dict[str, Any], schema: dict[str, Any]) -> bool:
    expansion = "x-expansionResources" in schema and "$ref" in option
    return not expansion or option["$ref"].removeprefix(PREFIX) in RESOURCES


if __name__ == "__main__":
    main(sys.argv[1:])
