"""The OpenAPI document: valid, complete, and readable."""

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from chassis.database import Database
from chassis.settings import Settings
from gateway.app import Gateway, create_app
from gateway.auth import WHO_ATTRIBUTE
from gateway.dependencies import Dependencies


class _NoServices:
    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        raise AssertionError(method)

    def ready(self) -> dict[str, bool]:
        return {}


@pytest.fixture(scope="module")
def app() -> Gateway:
    """The app, without anything behind it."""
    return create_app(Settings(), Dependencies(Database("postgresql+psycopg://nobody@127.0.0.1:1/x"), _NoServices()))


@pytest.fixture(scope="module")
def document(app: Gateway) -> dict[str, Any]:
    """The document as it is served."""
    answer = app.test_client().get("/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json is not None
    return answer.json


def _operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method, path): operation for path, item in document["paths"].items() for method, operation in item.items()}


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_of_the_interface_is_in_the_document(app: Gateway, document: dict[str, Any]) -> None:
    routes = {
        (method.lower(), re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert routes - _operations(document).keys() == {("get", "/docs"), ("get", "/v1/openapi.json")}


def test_who_may_call_is_in_the_document(app: Gateway, document: dict[str, Any]) -> None:
    closed = {
        endpoint.replace(".", "_") for endpoint, view in app.view_functions.items() if hasattr(view, WHO_ATTRIBUTE)
    }

    told = {operation["operationId"] for operation in _operations(document).values() if "security" in operation}

    assert "accounts_get_me" in told
    assert told == closed
    for operation in _operations(document).values():
        if "security" in operation:
            assert {"401", "403"} <= operation["responses"].keys()


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for operation in _operations(document).values()]

    assert len(ids) == len(set(ids))


def test_bodies_are_required_where_a_field_is(document: dict[str, Any]) -> None:
    operations = _operations(document)

    assert operations[("post", "/v1/auth/login")]["requestBody"]["required"] is True
    assert operations[("patch", "/v1/me")]["requestBody"]["required"] is False


def test_the_refusals_of_bodies_are_told(document: dict[str, Any]) -> None:
    for name, operation in _operations(document).items():
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= operation["responses"].keys(), name


def test_refusals_are_problem_documents(document: dict[str, Any]) -> None:
    for name, operation in _operations(document).items():
        assert {"429", "500", "503"} <= operation["responses"].keys(), name
        for status, answer in operation["responses"].items():
            is_problem = not name[1].startswith("/health") and name[1] != "/challenges/{token}"
            if int(status) >= 400 and is_problem:
                assert list(answer["content"]) == ["application/problem+json"], (name, status)


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for name, operation in _operations(document).items():
        assert operation["summary"].endswith((".", "?")), name
        assert operation["tags"], name


def test_the_page_to_read_names_every_operation_and_needs_nothing_from_elsewhere(
    app: Gateway, document: dict[str, Any]
) -> None:
    answer = app.test_client().get("/docs")

    assert answer.content_type == "text/html; charset=utf-8"
    for _method, path in _operations(document):
        assert path in answer.text
    assert "<script" not in answer.text
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", answer.text)
    assert "style-src 'sha256-" in answer.headers["Content-Security-Policy"]
