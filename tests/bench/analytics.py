"""Analytics with many sales and completions: its two reads through the gateway, and the rebuild that counts them."""

import itertools
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from rich.console import Console
from sqlalchemy import text

from chassis.clock import now
from chassis.database import Database
from chassis.local.rebuilding import rebuild_projection
from chassis.rpc_client import RpcClient
from chassis.settings import Settings
from gateway.handlers import Registration, register, set_role
from gateway.tokens import AccessTokens, KeyRing
from tests.bench.http_load import Outcome, request_bytes

COURSES = 10
LESSONS = 20
COMPLETIONS_OF_A_SALE = 10
DAYS = 365
SIZES = (10_000, 100_000)
ZONE = "Pacific/Auckland"
PATIENCE = 60.0

_ROW = (
    "insert into event_log (position, id, type, partition_key, sequence, data, recorded_at) "
    "select -nextval(pg_get_serial_sequence('outbox', 'position')), gen_random_uuid(), :type, {key}, 1, {data}, now() "
    "from generate_series(1, :sales) as sale cross join lateral (select "
    "md5(:who || 'user' || sale)::uuid as user_id, md5(:who || 'order' || sale)::uuid as order_id, "
    # most of it is in one course
    "case when sale % 10 < 7 then 1 else 1 + sale % :courses end as course, "
    "date_trunc('second', now()) - make_interval(hours => (sale * 37) % (24 * :days)) as at) as made "
)
_COURSE = "(cast(:course_ids as text[]))[course]"
_STATEMENTS: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "accounts",
        "accounts.user_registered.v1",
        "user_id::text",
        "json_build_object('user_id', user_id, 'role', 'student', 'registered_at', at - interval '1 day', "
        "'ref', case when sale % 3 = 0 then 'bench' || sale % 20 end)",
        "",
    ),
    (
        "purchase",
        "purchase.order_paid.v1",
        "order_id::text",
        f"json_build_object('order_id', order_id, 'user_id', user_id, 'course_id', {_COURSE}, "
        "'instructor_id', cast(:instructor_id as text), 'price', json_build_object('amount', 4900, 'currency', 'EUR'), "
        "'placed_at', at, 'paid_at', at)",
        "",
    ),
    (
        "purchase",
        "purchase.entitlement_changed.v1",
        "order_id::text",
        f"json_build_object('entitlement_id', order_id, 'user_id', user_id, 'course_id', {_COURSE}, "
        "'source', 'purchase', 'live', sale % 30 <> 0, 'granted_at', at)",
        "",
    ),
    (
        "purchase",
        "purchase.order_refunded.v1",
        "order_id::text",
        "json_build_object('order_id', order_id, 'refunded', json_build_object('amount', 4900, 'currency', 'EUR'), "
        "'refunded_at', at + interval '3 days')",
        "where sale % 30 = 0",
    ),
    (
        "progress",
        "progress.lesson_completed.v1",
        "user_id::text",
        f"json_build_object('user_id', user_id, 'course_id', {_COURSE}, "
        "'lesson_id', (cast(:lesson_ids as text[]))[(course - 1) * :lessons + step], "
        "'completed_at', at + make_interval(hours => step * (1 + sale % 60)), 'time_zone', 'UTC', "
        "'access', 'purchase', 'hasty', false)",
        "cross join generate_series(1, 1 + sale % (2 * :each - 1)) as step",
    ),
    (
        "progress",
        "progress.course_completed.v1",
        "user_id::text",
        f"json_build_object('user_id', user_id, 'course_id', {_COURSE}, "
        "'completed_at', at + make_interval(hours => 20 * (1 + sale % 60)), 'time_zone', 'UTC', "
        "'access', 'purchase', 'lessons', 20)",
        "where sale % 4 = 0",
    ),
)


@dataclass(frozen=True)
class Instructor:
    """Someone who sells, with a token and the course that sells most."""

    token: str
    course_id: str


def settle(settings: Settings, rpc: RpcClient, sales: int) -> Instructor:
    """Make an instructor with so many sales and ten times as many completions, retained but not heard of yet."""
    instructor_id, token = _instructor(settings)
    courses = [_course(rpc, instructor_id) for _ in range(COURSES)]
    given = {
        "who": str(instructor_id),
        "instructor_id": str(instructor_id),
        "sales": sales,
        "courses": COURSES,
        "lessons": LESSONS,
        "each": COMPLETIONS_OF_A_SALE,
        "days": DAYS,
        "course_ids": [course_id for course_id, _ in courses],
        "lesson_ids": list(itertools.chain.from_iterable(lesson_ids for _, lesson_ids in courses)),
    }
    for owner, event_type, key, data, more in _STATEMENTS:
        database = Database(settings.database_url_for(owner), statement_seconds=300)
        statement = text(_ROW.format(key=key, data=data) + more)
        used = {name: value for name, value in given.items() if f":{name}" in str(statement)}
        with database.unit_of_work() as unit_of_work:
            unit_of_work.connection.execute(statement, used | {"type": event_type})
        database.close()
    return Instructor(token, courses[0][0])


def reads(base_url: str, instructor: Instructor) -> dict[str, Iterator[bytes]]:
    """The two reads of an instructor, by their names, over and over."""
    paths = {"stats": "/v1/instructors/me/stats", "performance": f"/v1/courses/{instructor.course_id}/performance"}
    return {
        name: itertools.repeat(request_bytes(base_url, "GET", path, token=instructor.token))
        for name, path in paths.items()
    }


def rebuild(settings: Settings, console: Console) -> None:
    """Count everything again; the command prints its rate itself."""
    began = time.monotonic()
    rebuild_projection(settings)
    console.print(f"rebuild: {time.monotonic() - began:.1f} s with all that belongs to it (aim 5,000 events/s)")


def move(base_url: str, instructor: Instructor, console: Console) -> None:
    """Let the instructor move to another time zone, by which all their days are counted anew."""
    _ask(base_url, "/v1/me", instructor, {"time_zone": ZONE})
    began = time.monotonic()
    while _ask(base_url, "/v1/instructors/me/stats", instructor)["time_zone"] != ZONE:
        if time.monotonic() - began > PATIENCE:
            raise RuntimeError("the days were not counted anew")
    console.print(f"all days counted anew in another time zone: {time.monotonic() - began:.1f} s (aim 15 s)")


def times(larger: Outcome, smaller: Outcome) -> str:
    """How many times as long the median read takes."""
    return f"{larger.percentile(0.5) / smaller.percentile(0.5):.2f}"


def _ask(base_url: str, path: str, instructor: Instructor, changes: dict[str, str] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        base_url + path,
        data=None if changes is None else json.dumps(changes).encode(),
        method="GET" if changes is None else "PATCH",
        headers={"Authorization": f"Bearer {instructor.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def _instructor(settings: Settings) -> tuple[UUID, str]:
    at = now()
    database = Database(settings.database_url_for("accounts"))
    with database.unit_of_work() as unit_of_work:
        made = register(
            unit_of_work,
            Registration(email=f"{uuid4()}@tanka.example", password_hash="none", display_name="Mesure"),
            at,
        )
        set_role(unit_of_work, made.id, "instructor")
    database.close()
    tokens = AccessTokens(KeyRing(settings.jwt_signing_key), settings.public_url, now)
    return made.id, tokens.issue(made.id, uuid4(), at)


def _course(rpc: RpcClient, instructor_id: UUID) -> tuple[str, list[str]]:
    author: dict[str, Any] = {"author_id": str(instructor_id), "role": "instructor"}
    category = f"essai-{uuid4()}"
    rpc.call("catalog", "create_category", role="admin", slug=category, name="Essai")
    price = {"amount": 4900, "currency": "EUR"}
    course = rpc.call("catalog", "create_course", title="Mesurer", category=category, price=price, **author)["id"]
    chapter = rpc.call("catalog", "create_chapter", course_id=course, title="Un", **author)["id"]
    lessons = [
        rpc.call("catalog", "create_lesson", chapter_id=chapter, title=f"Pas {n}", kind="text", body="…", **author)
        for n in range(LESSONS)
    ]
    rpc.call("catalog", "publish_course", course_id=course, **author)
    return course, [lesson["id"] for lesson in lessons]
