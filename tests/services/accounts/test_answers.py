"""What every answer carries: request id, headers for browsers, problems for what is not there, logs and metrics."""

import json
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from gateway.app import Gateway
from gateway.etags import shared_response
from tests.services.accounts.conftest import FRONT, Someone

Make = Callable[..., Someone]


def test_a_sane_request_id_is_kept_and_any_other_replaced(someone: Make) -> None:
    def answered(given: str) -> str:
        return someone().get("/health/live", headers={"X-Request-Id": given}).headers["X-Request-Id"]

    assert answered("phone.1:a-b_c") == "phone.1:a-b_c"
    for strange in ("", "a b", "x" * 129, "é", 'a"b', "{}"):
        assert len(answered(strange)) == 32
    assert answered("") != answered("")


def test_every_request_is_one_line_of_the_log(ber: Someone) -> None:
    with capture_logs() as lines:
        ber.get("/v1/me?secret=1", headers={"X-Request-Id": "req-1"})

    (line,) = (line for line in lines if line["event"] == "answered")
    assert line["method"] == "GET"
    assert line["path"] == line["route"] == "/v1/me"
    assert line["status"] == 200
    assert line["user_id"] == ber.user["id"]
    assert line["milliseconds"] >= 0


def test_the_request_id_follows_into_the_events_of_the_request(someone: Make, app: Gateway) -> None:
    from sqlalchemy import text

    someone().post(
        "/v1/auth/register",
        {"email": "a@b.example", "password": "tanka-azerty", "display_name": "A"},
        headers={"X-Request-Id": "req-7"},
    )

    with app.parts.database.single_statement() as unit_of_work:
        found = unit_of_work.connection.execute(text("select distinct correlation_id from outbox")).scalars().all()
    assert found == ["req-7"]


def test_requests_are_counted_by_route_and_not_by_path(someone: Make) -> None:
    labels = {"method": "GET", "route": "/v1/images/<uuid:image_id>", "status": "404"}
    before = REGISTRY.get_sample_value("http_request_seconds_count", labels) or 0

    someone().get("/v1/images/00000000-0000-0000-0000-000000000001")
    someone().get("/v1/images/00000000-0000-0000-0000-000000000002")

    assert REGISTRY.get_sample_value("http_request_seconds_count", labels) == before + 2


def test_an_unknown_path_and_a_wrong_method_are_problems(someone: Make) -> None:
    missing = someone().get("/v1/nowhere")
    wrong = someone().call("DELETE", "/v1/auth/login")

    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert missing.content_type == wrong.content_type == "application/problem+json"
    assert set(wrong.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_problems_speak_french_and_english(someone: Make) -> None:
    french = someone().get("/v1/nowhere").json
    english = someone().get("/v1/nowhere", headers={"Accept-Language": "en-GB,en;q=0.9"}).json

    assert french == {
        "type": "/problems/not-found",
        "title": "Introuvable",
        "status": 404,
        "detail": "Cela n’existe pas, ou plus.",
    }
    assert english is not None
    assert english["title"] == "Not found"


def test_refused_fields_are_explained_in_the_language_asked_for(someone: Make) -> None:
    body = {"email": "a@b.example", "password": "short", "display_name": "A"}

    answer = someone().post("/v1/auth/register", body, headers={"Accept-Language": "en"})

    assert answer.json is not None
    assert answer.json["errors"] == [{"pointer": "/password", "detail": "must have at least 8 character(s)"}]


def test_head_and_options_are_answered(someone: Make) -> None:
    head = someone().call("HEAD", "/health/live")
    options = someone().call("OPTIONS", "/v1/auth/login")

    assert (head.status_code, head.data) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0
    assert options.status_code == 200
    assert "POST" in options.headers["Allow"]


def test_the_front_end_may_call_from_its_origin(someone: Make) -> None:
    preflight = someone().call(
        "OPTIONS",
        "/v1/me",
        headers={
            "Origin": FRONT,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
        },
    )
    answer = someone().get("/v1/me", headers={"Origin": FRONT})

    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == FRONT
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == FRONT
    for name in ("ETag", "Location", "Retry-After", "X-Request-Id"):
        assert name in answer.headers["Access-Control-Expose-Headers"]


def test_other_origins_may_not(someone: Make) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}

    for answer in (someone().call("OPTIONS", "/v1/me", headers=headers), someone().get("/v1/me", headers=headers)):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers.getlist("Vary")


def test_browsers_are_told_to_be_careful(someone: Make) -> None:
    headers = someone().get("/health/live").headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_whether_services_answer_is_told_without_secrets(someone: Make) -> None:
    answer = someone().get("/health/ready")

    assert answer.status_code == 503
    assert answer.json == {"status": "degraded", "services": {"accounts": True, "catalog": True, "progress": False}}


def test_metrics_are_not_on_the_public_port(someone: Make) -> None:
    assert someone().get("/metrics").status_code == 404


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 200),
        ('"v1"', 304),
        ('W/"v1"', 304),
        ('"v0", "v1"', 304),
        ("*", 304),
        ('"v2"', 200),
        ("v1", 200),
        ("", 200),
    ],
)
def test_who_has_the_page_already_gets_304(app: Gateway, someone: Make, header: str | None, status: int) -> None:
    app.add_url_rule("/page", "page", lambda: shared_response(json.dumps([1]).encode(), '"v1"'))
    headers = {} if header is None else {"If-None-Match": header}

    answer = someone().get("/page", headers=headers)

    assert answer.status_code == status
    assert answer.headers["ETag"] == '"v1"'
    assert answer.headers["Cache-Control"].startswith("public")
    assert answer.data == (b"[1]" if status == 200 else b"")
    assert ("Content-Type" in answer.headers) == (status == 200)
