"""The OpenAPI document as a page to read: no scripts, nothing from elsewhere."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, cast

from apiflask import APIBlueprint, APIFlask
from flask import Response, current_app
from jinja2 import Environment, select_autoescape

blueprint = APIBlueprint("documentation", __name__, enable_openapi=False)

_TEMPLATES = Path(__file__).parent.parent / "templates"
_STYLE = (_TEMPLATES / "docs.css").read_text(encoding="utf-8")
_POLICY = (
    "default-src 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)
_REFERENCE = "#/components/schemas/"

_environment = Environment(autoescape=select_autoescape(default=True), trim_blocks=True, lstrip_blocks=True)
_template = _environment.from_string((_TEMPLATES / "docs.html").read_text(encoding="utf-8"))
_KEY = "tanka.docs"


@blueprint.get("/docs")
def read_documentation() -> Response:
    """The whole interface on one page."""
    app = cast(APIFlask, current_app)

    if _KEY not in app.extensions:
        app.extensions[_KEY] = _render(cast(dict[str, Any], app._get_spec("json")))
    response = Response(app.extensions[_KEY], content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def _render(spec: dict[str, Any]) -> bytes:
    groups: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in spec.get("tags", [])}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            for tag in operation.get("tags", ["Other"]):
                groups.setdefault(tag, []).append({"path": path, "method": method.upper(), **operation})
    page = _template.render(
        info=spec["info"],
        groups={name: found for name, found in groups.items() if found},
        schemas=spec["components"]["schemas"],
        style=_STYLE,
        named=_named,
        pretty=lambda schema: json.dumps(schema, indent=2, ensure_ascii=False),
    )
    return page.encode()


def _named(schema: dict[str, Any]) -> str:
    """The name of the schema that is referred to, or of an array's items; empty for one without a name."""
    reference = schema.get("$ref") or schema.get("items", {}).get("$ref") or ""
    return cast(str, reference.removeprefix(_REFERENCE))
