"""Whatever is sent, the answer is a problem, never a fault, and nothing is stored."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from chassis.database import Database
from gateway.app import Gateway
from gateway.tables import users
from tests.services.accounts.conftest import PASSWORD, Someone

Make = Callable[..., Someone]

REGISTER = "/v1/auth/register"


def _raw(who: Someone, body: bytes, content_type: str | None = "application/json", path: str = REGISTER) -> Any:
    return who.call("POST", path, data=body, content_type=content_type)


def _count(database: Database) -> int:
    with database.single_statement() as unit_of_work:
        return unit_of_work.connection.execute(select(func.count()).select_from(users)).scalar_one()


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"email=a",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xed\xa0\x80"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"{} {}",
        b"{'a': 1}",
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_is_not_json_is_a_bad_request(someone: Make, database: Database, body: bytes) -> None:
    answer = _raw(someone(), body)

    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert answer.json["type"] == "/problems/not-json"
    assert _count(database) == 0


@pytest.mark.parametrize("body", [b"[]", b"5", b'"text"', b"null", b"true", b"[" * 30 + b"]" * 30])
def test_json_that_is_no_object_is_refused(someone: Make, body: bytes) -> None:
    assert _raw(someone(), body).status_code == 422


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", None])
def test_another_media_type_is_refused(someone: Make, content_type: str | None) -> None:
    answer = _raw(someone(), b'{"email": "a@b.example"}', content_type)

    assert answer.status_code == 415
    assert answer.json["type"] == "/problems/unsupported-media-type"


def test_json_may_name_its_charset(someone: Make) -> None:
    assert _raw(someone(), b"{}", "application/json; charset=utf-8").status_code == 422


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 9 * 1024 * 1024 + 1])
def test_an_absurd_size_is_too_large(someone: Make, size: int) -> None:
    answer = _raw(someone(), b'{"email": "' + b"x" * size + b'"}')

    assert answer.status_code == 413
    assert answer.json["type"] == "/problems/too-large"


@pytest.mark.parametrize(
    "name",
    ["a\x00b", "a\x1bb", "\x7f", "a\x85b", "\u202eab"],
    ids=["NUL", "escape", "delete", "next line", "right to left"],
)
def test_control_characters_are_refused(someone: Make, database: Database, name: str) -> None:
    answer = someone().post(REGISTER, {"email": "a@b.example", "password": PASSWORD, "display_name": name})

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"] == [
        {"pointer": "/display_name", "detail": "contient des caractères de contrôle"},
    ]
    assert _count(database) == 0


@pytest.mark.parametrize(
    "value",
    [10**30, -(10**30), 1.5, True, "5", [], {}, None, "x" * 100_000, {"a": {"b": {"c": 1}}}],
    ids=lambda value: repr(value)[:12],
)
def test_every_kind_of_value_in_every_field_is_refused_or_taken(someone: Make, value: Any) -> None:
    for field in ("email", "password", "display_name", "time_zone", "locale", "birth_year", "ref"):
        body = {"email": "a@b.example", "password": PASSWORD, "display_name": "A", field: value}
        assert someone().post(REGISTER, body).status_code in (201, 409, 413, 422), field


def test_a_doubled_field_is_no_fault(someone: Make) -> None:
    body = b'{"email": "a@b.example", "email": "c@d.example", "password": "tanka-azerty", "display_name": "A"}'

    answer = _raw(someone(), body)

    assert answer.status_code == 201
    assert answer.json["user"]["email"] == "c@d.example"


def test_a_field_with_a_strange_name_is_pointed_at(someone: Make) -> None:
    answer = someone().post(REGISTER, {"a/b~c": 1})

    assert answer.json is not None
    assert {"/a~1b~0c"} <= {error["pointer"] for error in answer.json["errors"]}


def test_many_wrong_fields_are_answered_with_some(someone: Make) -> None:
    answer = someone().post(REGISTER, {f"f{number}": 1 for number in range(1000)})

    assert answer.json is not None
    assert len(answer.json["errors"]) == 50


@pytest.mark.parametrize(
    "path",
    ["/v1/%00", "/v1/courses/%00", "/v1/courses/a%0Ab", "/v1/images/%1b", "/v1/%ed%a0%80", "/v1/%ff", "/%e2%80%ae"],
)
def test_an_unreadable_path_is_not_found(someone: Make, path: str) -> None:
    answer = someone().get(path)

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("query", ["q=%00", "q=a%1b", "q=%ed%a0%80%00", "q=" + "x" * 101])
def test_an_unreadable_query_is_refused(admin: Someone, query: str) -> None:
    assert admin.get(f"/v1/admin/users?{query}").status_code == 422


@pytest.mark.parametrize(
    "header", ["Authorization", "Idempotency-Key", "If-None-Match", "X-Request-Id", "Origin", "Accept"]
)
@pytest.mark.parametrize("value", ["\x80\xff", "a" * 5000, '"', "../../x", "%00"])
def test_strange_headers_are_no_fault(someone: Make, header: str, value: str) -> None:
    answer = someone().post(REGISTER, {}, headers={header: value})

    assert answer.status_code in (401, 422)


@pytest.mark.parametrize(
    "language",
    ["fr", "en", "en-GB,fr;q=0.5", "de", "*", "", "q=;;,,", "en;q=0", "fr;q=x, en", "\x80", "en-" + "x" * 4000],
)
def test_any_accepted_language_is_answered_in_one_that_we_speak(someone: Make, language: str) -> None:
    answer = someone().get("/nowhere", headers={"Accept-Language": language})

    assert answer.headers["Content-Language"] in ("fr", "en")
    assert "Accept-Language" in answer.headers["Vary"]


def test_a_fault_of_ours_is_a_problem_without_details(app: Gateway, someone: Make) -> None:
    def fail() -> str:
        raise RuntimeError("secret inside")

    app.add_url_rule("/fail", "fail", fail)

    answer = someone().get("/fail")

    assert answer.status_code == 500
    assert answer.json is not None
    assert answer.json["type"] == "/problems/internal-error"
    assert "secret" not in answer.text


def test_a_database_that_is_away_is_told_as_such(app: Gateway, someone: Make) -> None:
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    def fail() -> str:
        raise PoolTimeout

    app.add_url_rule("/away", "away", fail)

    answer = someone().get("/away")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_database_that_is_too_slow_is_told_as_such(app: Gateway, database: Database, someone: Make) -> None:
    def wait() -> str:
        with database.unit_of_work() as unit_of_work:
            unit_of_work.connection.exec_driver_sql("set local statement_timeout = 10")
            unit_of_work.connection.exec_driver_sql("select pg_sleep(30)")
        return ""

    app.add_url_rule("/slow", "slow", wait)

    answer = someone().get("/slow")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1


def test_what_a_statement_carries_is_not_in_its_error(database: Database) -> None:
    """Errors are logged, and statements carry addresses and digests of passwords."""
    with pytest.raises(DBAPIError) as failed, database.single_statement() as unit_of_work:
        unit_of_work.connection.execute(select(func.no_such_function("ber@secret.example")))

    assert "no_such_function" in str(failed.value)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("language", "name", "locale"),
    [
        ("fr", "doit compter au moins 1 caractère(s)", "doit être l’une de ces valeurs\u00a0: fr, en"),
        ("en", "must have at least 1 character(s)", "must be one of: fr, en"),
    ],
)
def test_a_refused_field_is_told_in_one_language(someone: Make, language: str, name: str, locale: str) -> None:
    account = {"email": "a@b.example", "password": PASSWORD, "display_name": "", "locale": "de"}

    answer = someone().call("POST", REGISTER, json=account, headers={"Accept-Language": language})

    assert answer.json is not None
    assert answer.json["errors"] == [
        {"pointer": "/display_name", "detail": name},
        {"pointer": "/locale", "detail": locale},
    ]
