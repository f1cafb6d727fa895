"""Given anything but a good request, the answer is a problem that says so, never a fault of ours; nothing is kept."""

import base64
import json
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest

from tests.academy import AcademyUnderTest
from tests.system.conftest import Course, Visitor

JSON = "application/json"
DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.fixture(scope="module")
def course(new_course: Callable[..., Course]) -> Course:
    return new_course()


@pytest.fixture(scope="module")
def writes(course: Course) -> dict[str, tuple[str, str]]:
    """A route of each kind that reads a body."""
    return {
        "new course": ("POST", "/courses"),
        "changes": ("PATCH", f"/courses/{course.id}"),
        "order": ("PUT", f"/courses/{course.id}/order"),
        "new lesson": ("POST", f"/chapters/{course.chapters[0]}/lessons"),
        "quiz": ("PUT", f"/chapters/{course.chapters[0]}/quiz"),
        "position": ("PUT", f"/lessons/{course.lessons[0]}/position"),
        "checkout": ("POST", f"/courses/{course.id}/checkout"),
        "link": ("POST", "/instructors/me/refs"),
        "register": ("POST", "/auth/register"),
        "me": ("PATCH", "/me"),
    }


def assert_is_problem(answer: httpx.Response, *statuses: int) -> None:
    """The answer is a problem document of one of the statuses."""
    assert answer.status_code in statuses, (answer.status_code, answer.text[:500])
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].startswith("/problems/")
    assert problem["title"]
    assert problem["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"nothing", 400),
        (b'{"title": "a"} x', 400),
        (b"\xff\xfe{}", 400),
        (b'{"title": "\xff"}', 400),
        (b"NaN", 400),
        (b'{"seconds": NaN}', 400),
        (b'{"title": 1e999}', (400, 422)),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b"7", 422),
        (b'{"colour": "red"}', 422),
        (b'{"title": "a\\u0000b"}', 422),
        (b'{"\\u0000": 1}', 422),
        (b'{"title": "\\ud800"}', (400, 422)),
        (b'{"title": ' + b"9" * 5000 + b"}", (400, 422)),
        (b'{"title": ' + b'"' + b"a" * 500_000 + b'"}', 422),
        (b'{"x": ' + DEEP + b"}", (400, 422)),
        (b'{"x":"' + b"a" * 1_100_000 + b'"}', 413),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
)
@pytest.mark.parametrize(
    "kind",
    ["new course", "changes", "order", "new lesson", "quiz", "position", "checkout", "link", "register", "me"],
)
def test_a_body_that_is_none_is_refused(
    kind: str, body: bytes, status: int | tuple[int, ...], writes: dict[str, tuple[str, str]], instructor: Visitor
) -> None:
    method, path = writes[kind]
    answer = instructor.ask(method, path, content=body, headers={"Content-Type": JSON})
    assert_is_problem(answer, *(status if isinstance(status, tuple) else (status,)))


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_type_is_refused(media_type: str, instructor: Visitor, category: str) -> None:
    body = json.dumps({"title": "Autre", "category": category}).encode()
    answer = instructor.ask("POST", "/courses", content=body, headers={"Content-Type": media_type})
    assert_is_problem(answer, 415)
    titles = [item["title"] for item in instructor.get("/instructors/me/courses?limit=100").json()["items"]]
    assert "Autre" not in titles


@pytest.mark.parametrize(
    "transcript",
    [
        b"",
        b"nothing",
        b"WEBVTT\n\n00:05.000 --> 00:02.000\nfin avant debut\n",
        b"WEBVTT\n\nx --> y\n",
        b"WEBVTT\0",
        b"WEBVTT\n\n00:00.000 --> 00:01.000\n\xff\n",
        b"\xed\xa0\x80",
    ],
)
def test_a_transcript_that_is_none_is_refused(transcript: bytes, course: Course, instructor: Visitor) -> None:
    path = f"/lessons/{course.lessons[0]}/transcript"
    answer = instructor.ask("PUT", path, content=transcript, headers={"Content-Type": "text/vtt"})
    assert_is_problem(answer, 422)
    assert instructor.get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/courses/%00",
        "/courses/a%00b",
        "/courses/%ed%a0%80",
        "/courses/%ff",
        "/courses/" + "a" * 3000,
        "/courses/..%2f..%2fetc",
        "/courses/%F0%9F%A6%84",
        "/lessons/0",
        "/lessons/00000000-0000-0000-0000-000000000000",
        "/chapters/{}",
        "/nothing",
        "/%2e%2e/",
    ],
)
def test_a_path_to_nothing_is_not_there(path: str, student: Visitor) -> None:
    assert_is_problem(student.get(path), 404)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=1.5",
        "limit=" + "9" * 400,
        "limit=",
        "cursor=",
        "cursor=x",
        "cursor=" + "a" * 201,
        "cursor=%00",
        "cursor=%ed%a0%80",
        "cursor=W10=",
        "cursor=eyJhIjoxfQ==",
        "cursor=bnVsbA",
        "nothing=1",
    ],
)
@pytest.mark.parametrize(
    "path",
    ["/courses", "/me/ledger", "/me/enrollments", "/me/orders", "/instructors/me/courses", "/instructors/me/refs"],
)
def test_a_query_that_cannot_be_is_refused(path: str, query: str, instructor: Visitor) -> None:
    assert_is_problem(instructor.get(f"{path}?{query}"), 422)


@pytest.mark.parametrize(
    "query", ["status=lost", "refund_due=perhaps", "user_id=7", "user_id=", "cursor=W10=", "cursor=bnVsbA", "ref=x"]
)
def test_orders_that_cannot_be_are_not_looked_for(query: str, admin: Visitor) -> None:
    assert_is_problem(admin.get(f"/admin/orders?{query}"), 422)


@pytest.mark.parametrize(
    "query",
    [
        "state=lost",
        "cursor=W10=",
        "cursor=bnVsbA",
        "cursor=WyIyMDI2LTExLTIzVDE5OjAwOjAwWiIsICJcdTAwMDAiLCAiM2YyYjhjMWUtOWE1Ny00ZDFiLThmNjYtMGMyZDRlNmY4YTkxIl0=",
    ],
)
def test_reports_that_cannot_be_are_not_looked_for(query: str, admin: Visitor) -> None:
    assert_is_problem(admin.get(f"/admin/reports?{query}"), 422)


@pytest.mark.parametrize(
    "query",
    [
        "from=",
        "from=2026-02-30",
        "from=0000-00-00",
        "from=20261125",
        "from=2026-W47-3",
        "from=%D9%A2%D9%A0%D9%A2%D9%A6-11-25",
        "from=2026-11-25T00:00:00Z",
        "to=%00",
        "from=2026-11-02&to=2026-11-01",
        "from=0001-01-01&to=9999-12-31",
        "day=2026-11-25",
    ],
)
def test_a_range_of_days_that_cannot_be_is_refused(query: str, course: Course, instructor: Visitor) -> None:
    for path in ("/instructors/me/stats", f"/courses/{course.id}/performance"):
        assert_is_problem(instructor.get(f"{path}?{query}"), 422)


@pytest.mark.parametrize(
    "query", ["from=9999-12-31", "to=0001-01-01", "to=9999-12-31", "from=0001-01-01&to=0001-01-01", "from=2026-11-25"]
)
def test_days_at_the_ends_of_time_are_days(query: str, course: Course, instructor: Visitor) -> None:
    for path in ("/instructors/me/stats", f"/courses/{course.id}/performance"):
        assert instructor.get(f"{path}?{query}").status_code == 200, path


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff\xfe", b"\xed\xa0\x80", b'{"id": "evt_1\0"}', DEEP],
    ids=lambda body: repr(body[:16]),
)
@pytest.mark.parametrize("signature", [None, b"", b"t=1,v1=00", b"t=,v1=", b"t=" + b"9" * 400 + b",v1=0", b"v1=\xff"])
def test_an_event_that_stripe_did_not_sign_is_refused(body: bytes, signature: bytes | None, anonymous: Visitor) -> None:
    headers = {} if signature is None else {"Stripe-Signature": signature}
    assert_is_problem(anonymous.ask("POST", "/webhooks/stripe", content=body, headers=headers), 400)


def test_an_event_larger_than_any_of_stripe_is_refused(anonymous: Visitor) -> None:
    assert_is_problem(anonymous.ask("POST", "/webhooks/stripe", content=b" " * 1_100_000), 413)


@pytest.mark.parametrize(
    "query", ["q=%25", "q=_", "q=%5C", "q='%3B--", "q=%C3%A9", "q=a&q=b", "q=%F0%9F%A6%84", "level=beginner"]
)
def test_a_search_for_odd_words_finds_nothing_and_breaks_nothing(query: str, anonymous: Visitor) -> None:
    assert anonymous.get(f"/courses?{query}").status_code == 200


def forged(token: str) -> dict[str, str]:
    """Tokens that are no good, made from a good one."""
    header, claims, signature = token.split(".")
    read = json.loads(base64.urlsafe_b64decode(claims + "=="))

    def written(part: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    return {
        "none": f"{written({'alg': 'none', 'typ': 'at+jwt'})}.{claims}.",
        "another claim": f"{header}.{written(read | {'role': 'admin', 'exp': 9_999_999_999})}.{signature}",
        "HS256": f"{written({'alg': 'HS256', 'typ': 'at+jwt'})}.{claims}.{signature}",
        "no signature": f"{header}.{claims}.",
        "cut": token[:-10],
        "words": "let me in",
        "dots": "..",
        "long": "a" * 6000,
        "odd kid": f"{written({'alg': 'EdDSA', 'typ': 'at+jwt', 'kid': ['x']})}.{claims}.{signature}",
    }


@pytest.mark.parametrize("kind", sorted(forged("e30.e30.x")))
@pytest.mark.parametrize("path", ["/me/game", "/courses", "/courses/x"])
def test_a_forged_token_opens_nothing(kind: str, path: str, student: Visitor) -> None:
    assert student.token is not None
    token = forged(student.token)[kind]
    answer = student.get(path, headers={"Authorization": f"Bearer {token}"})
    assert_is_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /v1/courses/\x00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/courses/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/courses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\nConnection: close\r\n\r\n",
        b"GET /v1/courses HTTP/1.1\r\nHost: x\r\nIf-None-Match: \xff\xfe\r\nConnection: close\r\n\r\n",
        b"GET /v1/courses HTTP/1.1\r\nHost: x\r\nAccept-Language: \xff;q=z\r\nConnection: close\r\n\r\n",
        b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
        b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=\x80\r\n"
        b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
    ],
)
def test_bytes_that_no_client_would_send_are_answered(request_bytes: bytes, academy: AcademyUnderTest) -> None:
    address = urlsplit(academy.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request_bytes)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert not answer.startswith(b"HTTP/1.1 5"), answer[:300]
