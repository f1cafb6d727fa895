"""The OpenAPI 3.1 document: what APIFlask finds in the views, completed with security, bodies and problem answers."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from apiflask import APIFlask

from gateway.auth import WHO_ATTRIBUTE
from gateway.idempotency import HEADER

View = TypeVar("View", bound=Callable[..., Any])

VERSION = "3.1.0"
_BEARER = "bearer"
TICKET = "ticket"
"""Another way to say who one is: the query parameter of that name."""

_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details, in the language of Accept-Language (fr by default).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/purchase-required"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}

_ALSO_ATTRIBUTE = "tanka_answers_also"
_BODY_ATTRIBUTE = "tanka_takes"
_OPENED_ATTRIBUTE = "tanka_is_opened_by"

_DESCRIPTIONS = {
    304: "You have it already",
    308: "An old slug: the present one is in Location",
    400: "Not JSON",
    401: "No token, or not a good one",
    403: "Not yours",
    404: "Not there",
    405: "Not for this method",
    409: "In conflict with the present state",
    413: "Too large",
    415: "Another media type than the one taken",
    422: "Invalid fields",
    429: "Too often",
    500: "A fault of ours",
    503: "A service did not answer in time",
}


def answers_also(*statuses: int) -> Callable[[View], View]:
    """Say that a view answers these statuses too, beside those that its kind has."""

    def mark(view: View) -> View:
        view.__dict__[_ALSO_ATTRIBUTE] = frozenset(statuses)
        return view

    return mark


def takes(media_type: str, schema: dict[str, Any]) -> Callable[[View], View]:
    """Say that a view reads a body of this type by itself, which is as the schema says."""

    def mark(view: View) -> View:
        view.__dict__[_BODY_ATTRIBUTE] = {media_type: {"schema": schema}}
        return view

    return mark


def is_opened_by(scheme: str) -> Callable[[View], View]:
    """Say that a view looks by itself who is asking, and takes this scheme as well as an access token."""

    def mark(view: View) -> View:
        view.__dict__[WHO_ATTRIBUTE] = ("student",)
        view.__dict__[_OPENED_ATTRIBUTE] = scheme
        return view

    return mark


def register(app: APIFlask) -> None:
    """Let the app's document be completed when it is first asked for."""
    app.config.update(
        OPENAPI_VERSION=VERSION,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_SERVERS=False,
        SECURITY_SCHEMES={
            _BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token."},
            TICKET: {"type": "apiKey", "in": "query", "name": "ticket", "description": "A ticket for one stream."},
        },
    )

    @app.spec_processor
    def complete(spec: dict[str, Any] | str) -> dict[str, Any] | str:
        assert isinstance(spec, dict)
        spec["tags"] = list({tag["name"]: tag for tag in spec["tags"]}.values())
        spec["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
        for rule in app.url_map.iter_rules():
            path = re.sub(r"<([^<:]+:)?", "{", rule.rule).replace(">", "}")
            for method, operation in spec["paths"].get(path, {}).items():
                if method.upper() in (rule.methods or ()):
                    _complete(spec, operation, method, rule.endpoint, app.view_functions[rule.endpoint])
                    for parameter in operation["parameters"]:
                        if f"<uuid:{parameter['name']}>" in rule.rule:
                            parameter["schema"]["format"] = "uuid"
        return spec


def _complete(spec: dict[str, Any], operation: dict[str, Any], method: str, endpoint: str, view: Any) -> None:
    operation["operationId"] = endpoint.replace(".", "_")
    statuses = {401, 429, 500, 503, *getattr(view, _ALSO_ATTRIBUTE, ())}
    own_body = getattr(view, _BODY_ATTRIBUTE, None)
    if own_body is not None:
        operation["requestBody"] = {"content": own_body}
    who = getattr(view, WHO_ATTRIBUTE, None)
    if who is not None:
        other_way = getattr(view, _OPENED_ATTRIBUTE, None)
        operation["security"] = [{_BEARER: []}, *([{other_way: []}] if other_way else [])]
        statuses |= {403}
        if who != ("student",):
            operation["description"] = f"{operation.get('description', '')}\n\nFor: {', '.join(who)}, admin.".strip()
    if any(parameter["in"] == "path" for parameter in operation["parameters"]):
        statuses |= {404}
    if any(parameter["in"] == "query" for parameter in operation["parameters"]):
        statuses |= {422}
    if "requestBody" in operation:
        operation["requestBody"]["required"] = own_body is not None or _wants_fields(spec, operation["requestBody"])
        statuses |= {400, 413, 415, 422}
    if method != "get":
        statuses |= {404, 409, 413}
    if method == "post":
        statuses |= {422}
        operation["parameters"].append(
            {
                "in": "header",
                "name": HEADER,
                "required": False,
                "description": "The same key with the same body is answered the same for 24 hours.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
            }
        )
    for status in sorted(statuses):
        answer: dict[str, Any] = {"description": _DESCRIPTIONS[status]}
        if status >= 400:
            answer["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        operation["responses"].setdefault(str(status), answer)


def _wants_fields(spec: dict[str, Any], body: dict[str, Any]) -> bool:
    """Whether an empty body would be refused."""
    for content in body["content"].values():
        schema = content["schema"]
        if "$ref" in schema:
            schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if schema.get("required"):
            return True
    return False
