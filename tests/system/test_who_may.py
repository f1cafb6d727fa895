"""Given every route of the gateway, and everybody, nobody does or sees what is not theirs.

`ROUTES` says who may call each. A call that is refused answers 401 to nobody, 403 or 404 to somebody; one that is
allowed answers anything else. What would change who may is done to a course of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from chassis.database import Database
from chassis.settings import Settings
from gateway.app import create_app
from gateway.dependencies import Dependencies
from tests.system.conftest import Course, Visitor, register
from tests.unit.gateway_routes.conftest import FakeAcademy

NOBODY, STUDENT, HOLDER, OTHER, AUTHOR, ADMIN = PEOPLE = (
    "anonymous",
    "student",
    "holder",
    "other_instructor",
    "instructor",
    "admin",
)
EVERYBODY = frozenset(PEOPLE)
SIGNED_IN = EVERYBODY - {NOBODY}
INSTRUCTORS = frozenset({OTHER, AUTHOR, ADMIN})
AUTHORS = frozenset({AUTHOR, ADMIN})
ACCESS = frozenset({HOLDER, AUTHOR, ADMIN})
ADMINS = frozenset({ADMIN})
PLAYERS = frozenset({HOLDER, AUTHOR})
"""Of the duel `<duel>`, to which the holder challenged the instructor."""


@dataclass(frozen=True)
class Route:
    """A route, who may call it on a course that is `status`, and a body that it would take."""

    method: str
    path: str
    may: frozenset[str]
    body: Any = None
    status: str = "published"
    text: str | None = None


TITLE = {"title": "Neuf"}
LESSON = {"title": "Neuf", "kind": "text"}
QUIZ = {"time_limit_seconds": 20, "questions": [{"text": "1 + 1 ?", "choices": ["2", "3"], "answer": 0}]}
ORDER = {"chapters": [{"id": "<chapter>", "lessons": ["<lesson>"]}]}
STEPS = {"unpublished": "unpublish", "archived": "archive"}
VTT = "WEBVTT\n\n00:00.000 --> 00:02.000\nBonjour\n"

ROUTES = (
    Route("GET", "/.well-known/jwks.json", EVERYBODY),
    Route("GET", "/docs", EVERYBODY),
    Route("GET", "/health/live", EVERYBODY),
    Route("GET", "/health/ready", EVERYBODY),
    Route("GET", "/v1/openapi.json", EVERYBODY),
    # accounts: what is wrong with the credentials is not what is tested here
    Route("POST", "/v1/auth/register", EVERYBODY, {}),
    Route("POST", "/v1/auth/login", EVERYBODY, {}),
    Route("POST", "/v1/auth/refresh", EVERYBODY, {}),
    Route("POST", "/v1/auth/logout", SIGNED_IN, {}),
    Route("POST", "/v1/auth/password", SIGNED_IN, {}),
    Route("POST", "/v1/auth/password/forgot", EVERYBODY, {}),
    Route("POST", "/v1/auth/password/reset", EVERYBODY, {}),
    Route("POST", "/v1/auth/email/verify", EVERYBODY, {}),
    Route("POST", "/v1/auth/email/resend", SIGNED_IN),
    Route("GET", "/v1/me", SIGNED_IN),
    Route("PATCH", "/v1/me", SIGNED_IN, {}),
    Route("GET", "/v1/admin/users", ADMINS),
    Route("POST", "/v1/admin/users/<user>/role", ADMINS, {"role": "student"}),
    # catalog
    Route("GET", "/v1/categories", EVERYBODY),
    Route("POST", "/v1/admin/categories", ADMINS, {"slug": "<new>", "name": "Neuf"}),
    Route("GET", "/v1/courses", EVERYBODY),
    Route("POST", "/v1/courses", INSTRUCTORS, {"title": "Neuf", "category": "dev-web"}),
    Route("POST", "/v1/images", INSTRUCTORS),
    Route("GET", "/v1/images/<image>", EVERYBODY),
    Route("GET", "/v1/instructors/me/courses", INSTRUCTORS),
    *(
        route
        for status, readers in (
            ("draft", AUTHORS),
            ("published", EVERYBODY),
            ("unpublished", ACCESS),
            ("archived", ACCESS),
        )
        for route in (
            Route("GET", "/v1/courses/<course>", readers, status=status),
            Route("GET", "/v1/courses/<course>/chapters", readers, status=status),
            Route("GET", "/v1/chapters/<chapter>", readers, status=status),
            Route("GET", "/v1/lessons/<lesson>", readers & ACCESS, status=status),
            Route("GET", "/v1/lessons/<lesson>/transcript", readers & ACCESS, status=status),
            Route("GET", "/v1/courses/<course>/progress", readers & SIGNED_IN, status=status),
            Route("GET", "/v1/courses/<course>/access", readers & SIGNED_IN, status=status),
            Route("GET", "/v1/courses/<course>/performance", AUTHORS, status=status),
            Route("POST", "/v1/lessons/<lesson>/complete", readers & ACCESS, status=status),
            Route("PUT", "/v1/lessons/<lesson>/position", readers & ACCESS, {"seconds": 1}, status),
            Route("GET", "/v1/lessons/<lesson>/next", readers & ACCESS, status=status),
            Route("PATCH", "/v1/courses/<course>", AUTHORS, TITLE, status),
            Route("DELETE", "/v1/courses/<course>", AUTHORS, status=status),
            Route("POST", "/v1/courses/<course>/publish", AUTHORS, status=status),
            Route("POST", "/v1/courses/<course>/unpublish", AUTHORS, status=status),
            Route("POST", "/v1/courses/<course>/archive", AUTHORS, status=status),
            Route("POST", "/v1/courses/<course>/chapters", AUTHORS, TITLE, status),
            Route("PATCH", "/v1/chapters/<chapter>", AUTHORS, TITLE, status),
            Route("DELETE", "/v1/chapters/<chapter>", AUTHORS, status=status),
            Route("POST", "/v1/chapters/<chapter>/lessons", AUTHORS, LESSON, status),
            Route("PATCH", "/v1/lessons/<lesson>", AUTHORS, TITLE, status),
            Route("DELETE", "/v1/lessons/<lesson>", AUTHORS, status=status),
            Route("PUT", "/v1/courses/<course>/order", AUTHORS, ORDER, status),
            Route("PUT", "/v1/lessons/<lesson>/transcript", AUTHORS, status=status, text=VTT),
            Route("PUT", "/v1/chapters/<chapter>/quiz", AUTHORS, QUIZ, status),
            Route("GET", "/v1/chapters/<chapter>/quiz", AUTHORS, status=status),
            Route("GET", "/v1/chapters/<chapter>/opponents", readers & ACCESS, status=status),
            Route("POST", "/v1/chapters/<chapter>/duels", readers & ACCESS, {"mode": "link"}, status),
        )
    ),
    # purchase
    Route("POST", "/v1/courses/<course>/checkout", SIGNED_IN, {}),
    Route("POST", "/v1/webhooks/stripe", EVERYBODY),
    Route("GET", "/v1/me/enrollments", SIGNED_IN),
    Route("GET", "/v1/me/orders", SIGNED_IN),
    Route("POST", "/v1/me/orders/<order>/withdraw", SIGNED_IN),
    Route("GET", "/v1/admin/orders", ADMINS),
    Route("POST", "/v1/admin/orders/<order>/refund", ADMINS, {}),
    Route("POST", "/v1/admin/courses/<course>/grants", ADMINS, {"user_id": "<user>", "reason": "Concours"}),
    Route("DELETE", "/v1/admin/courses/<course>/grants/<grant>", ADMINS),
    # analytics
    Route("GET", "/v1/instructors/me/stats", INSTRUCTORS),
    Route("GET", "/v1/instructors/me/refs", INSTRUCTORS),
    Route("POST", "/v1/instructors/me/refs", INSTRUCTORS, {"target": "/courses/web"}),
    # notifications
    Route("GET", "/v1/me/notifications", SIGNED_IN),
    Route("POST", "/v1/me/notifications/<notification>/read", SIGNED_IN),
    Route("POST", "/v1/me/notifications/read-all", SIGNED_IN),
    Route("GET", "/v1/me/notification-settings", SIGNED_IN),
    Route("PATCH", "/v1/me/notification-settings", SIGNED_IN, {"system": {"email": False}}),
    Route("POST", "/v1/me/stream-ticket", SIGNED_IN),
    Route("GET", "/v1/me/stream", SIGNED_IN),
    # game
    Route("GET", "/v1/me/game", SIGNED_IN),
    Route("PATCH", "/v1/me/game", SIGNED_IN, {"leaderboard_opt_out": False}),
    Route("GET", "/v1/me/ledger", SIGNED_IN),
    Route("GET", "/v1/shop", SIGNED_IN),
    Route("POST", "/v1/shop/purchases", SIGNED_IN, {"item": "streak_freeze"}),
    # squads: one that nobody knows, since who leads which is tested elsewhere
    Route("GET", "/v1/squads", EVERYBODY),
    Route("POST", "/v1/squads", SIGNED_IN, {"name": "<new>"}),
    Route("GET", "/v1/squads/of-the-week", EVERYBODY),
    Route("POST", "/v1/squads/leave", SIGNED_IN),
    Route("GET", "/v1/squads/<squad>", EVERYBODY),
    Route("PATCH", "/v1/squads/<squad>", SIGNED_IN, {"motto": "Neuf"}),
    Route("GET", "/v1/squads/<squad>/members", EVERYBODY),
    Route("POST", "/v1/squads/<squad>/join", SIGNED_IN),
    Route("POST", "/v1/squads/<squad>/kick", SIGNED_IN, {"user_id": "<user>"}),
    Route("POST", "/v1/squads/<squad>/captain", SIGNED_IN, {"user_id": "<user>"}),
    Route("GET", "/v1/leaderboards/squads", EVERYBODY),
    Route("GET", "/v1/leaderboards/students", EVERYBODY),
    Route("GET", "/v1/students/<user>", EVERYBODY),
    # moderation
    Route("POST", "/v1/reports", SIGNED_IN, {"kind": "student", "id": "<user>", "reason": "Injure"}),
    Route("GET", "/v1/admin/reports", ADMINS),
    Route("POST", "/v1/admin/hidden", ADMINS, {"kind": "student", "id": "<user>"}),
    Route("DELETE", "/v1/admin/hidden/<kind>/<item>", ADMINS),
    Route("GET", "/v1/me/duels", SIGNED_IN),
    Route("GET", "/v1/duels/<duel>", PLAYERS),
    Route("POST", "/v1/duels/<duel>/decline", PLAYERS - {HOLDER}),
    Route("POST", "/v1/duels/<duel>/question", PLAYERS),
    Route("POST", "/v1/duels/<duel>/answer", PLAYERS, {"index": 0, "choice": 0}),
    Route("GET", "/v1/challenges/<token>", EVERYBODY),
    Route("POST", "/v1/challenges/<token>/accept", SIGNED_IN),
    Route("GET", "/challenges/<token>", EVERYBODY),
    Route("GET", "/challenges/<token>.png", EVERYBODY),
)


def test_every_route_of_the_gateway_is_in_the_table() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    app = create_app(Settings(), Dependencies(database, FakeAcademy()))
    parts = ("user", "image", "chapter", "lesson", "order", "grant", "squad", "item", "duel", "notification")
    names = {f"{name}_id": name for name in parts}
    there = set()
    for rule in app.url_map.iter_rules():
        path = rule.rule
        for argument in rule.arguments:
            for written in (f"<uuid:{argument}>", f"<{argument}>"):
                path = path.replace(written, f"<{names.get(argument, argument)}>")
        there |= {(method, path) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert there == {(route.method, route.path) for route in ROUTES}


@pytest.fixture(scope="module")
def holder(client: httpx.Client) -> Visitor:
    return register(client)


@pytest.fixture(scope="module")
def new_parts(
    new_course: Callable[..., Course], instructor: Visitor, holder: Visitor, admin: Visitor
) -> Callable[[str], dict[str, str]]:
    """`new_parts("archived")`: the ids of a new course in that state, which `holder` has if it was ever published."""

    def make(status: str) -> dict[str, str]:
        course = new_course(lessons=1, publish=status != "draft")
        ids = {"course": course.id, "chapter": course.chapters[0], "lesson": course.lessons[0]}
        path = f"/lessons/{ids['lesson']}/transcript"
        assert instructor.ask("PUT", path, content=VTT, headers={"Content-Type": "text/vtt"}).status_code == 200
        instructor.done("PUT", f"/chapters/{ids['chapter']}/quiz", QUIZ)
        if status != "draft":
            holder.done("POST", f"/courses/{course.id}/checkout", {}, 201)
            gift = {"user_id": holder.account["id"], "reason": "Concours"}
            ids["grant"] = admin.done("POST", f"/admin/courses/{course.id}/grants", gift, 201)["id"]
        if status in STEPS:
            instructor.done("POST", f"/courses/{course.id}/{STEPS[status]}")
        unknown = {name: str(uuid4()) for name in ("user", "image", "order", "item", "squad", "notification")}
        return ids | unknown | {"new": f"neuf-{uuid4().hex[:8]}", "kind": "student"}

    return make


def _challenge(challenger: Visitor, chapter_id: str) -> str:
    """The token of a challenge whose challenger has played."""
    made = challenger.done("POST", f"/chapters/{chapter_id}/duels", {"mode": "link"}, 201)
    challenger.done("POST", f"/duels/{made['id']}/question")
    challenger.done("POST", f"/duels/{made['id']}/answer", {"index": 0, "choice": 0})
    return str(made["share_url"]).rpartition("/")[2]


@pytest.fixture(scope="module")
def shared_parts(
    new_parts: Callable[[str], dict[str, str]], instructor: Visitor, holder: Visitor
) -> dict[str, dict[str, str]]:
    """A course in each state, for calls that change nothing of who may; duels on the published one."""
    parts = {status: new_parts(status) for status in ("draft", "published", *STEPS)}
    published = parts["published"]
    live = {"mode": "live", "opponent_id": instructor.account["id"]}
    published["duel"] = holder.done("POST", f"/chapters/{published['chapter']}/duels", live, 201)["id"]
    published["token"] = _challenge(holder, published["chapter"])
    return parts


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path} {route.status}")
def test_a_route_serves_those_who_may_and_nobody_else(
    route: Route,
    new_parts: Callable[[str], dict[str, str]],
    shared_parts: dict[str, dict[str, str]],
    request: pytest.FixtureRequest,
) -> None:
    changes_who_may = route.method == "DELETE" or route.path.rpartition("/")[2] in (
        *STEPS.values(),
        "publish",
        "checkout",
    )
    ids = shared_parts[route.status]
    for who in PEOPLE:
        visitor: Visitor = request.getfixturevalue(who)
        may = who in route.may
        answer = _call(visitor, route, new_parts(route.status) if may and changes_who_may else ids)
        status = answer.status_code
        assert status < 500, (who, answer.text)
        if may:
            assert status not in (401, 403), (who, answer.text)
            assert status != 404 or not _is_on_a_course(route), (who, answer.text)
            continue
        assert status in ((401, 403, 404) if who == NOBODY else (403, 404)), (who, status, answer.text)
        assert "secret" not in answer.text
        assert "no-store" in answer.headers["Cache-Control"]
        if route.status == "draft" and route.method == "GET" and not route.path.endswith("/quiz") and status != 401:
            assert status == 404, "a draft is not known to exist"


def _is_on_a_course(route: Route) -> bool:
    return any(f"<{part}>" in route.path for part in ("course", "chapter", "lesson"))


def _call(visitor: Visitor, route: Route, ids: dict[str, str]) -> httpx.Response:
    path, body, headers = route.path, route.body, {}
    for name, value in ids.items():
        path = path.replace(f"<{name}>", value)
    if visitor.token:
        headers["Authorization"] = f"Bearer {visitor.token}"
    if route.text is not None:
        return visitor.client.request(
            route.method, path, headers=headers | {"Content-Type": "text/vtt"}, content=route.text
        )
    if path == "/v1/me/stream":
        with visitor.client.stream("GET", path, headers=headers) as answer:
            # what begins here never ends
            return answer if answer.status_code == 200 else _whole(answer)
    return visitor.client.request(route.method, path, headers=headers, json=_filled(body, ids))


def _whole(answer: httpx.Response) -> httpx.Response:
    answer.read()
    return answer


def _filled(body: Any, ids: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, ids) for value in body]
    if isinstance(body, str) and body.startswith("<"):
        return ids[body.strip("<>")]
    return body
