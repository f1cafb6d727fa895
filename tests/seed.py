"""A course and its students, made past the limits on registrations that the HTTP routes rightly have."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from chassis.clock import now
from chassis.database import Database
from chassis.rpc_client import RpcClient
from chassis.settings import Settings
from gateway.handlers import Registration, register
from gateway.tokens import AccessTokens, KeyRing


@dataclass(frozen=True)
class Seed:
    """A published course, its lessons in order, and students' access tokens by their ids; a free one they have."""

    course_id: UUID
    lesson_ids: list[UUID]
    tokens: dict[UUID, str]


def sow(settings: Settings, rpc: RpcClient, *, students: int, lessons: int, price: int = 0) -> Seed:
    """Make all of it; the lessons have no duration, so that none is finished hastily. The price is in cents."""
    author: dict[str, Any] = {"author_id": str(uuid4()), "role": "instructor"}
    category = f"essai-{uuid4()}"
    rpc.call("catalog", "create_category", role="admin", slug=category, name="Essai")
    cost = {"amount": price, "currency": "EUR"}
    course = rpc.call("catalog", "create_course", title="Mesurer", category=category, price=cost, **author)["id"]
    chapter = rpc.call("catalog", "create_chapter", course_id=course, title="Un", **author)["id"]
    made = [
        rpc.call("catalog", "create_lesson", chapter_id=chapter, title=f"Pas {number}", kind="text", body="…", **author)
        for number in range(lessons)
    ]
    rpc.call("catalog", "publish_course", course_id=course, **author)
    people = register_students(settings, students)
    for user_id in people if price == 0 else ():
        rpc.call("purchase", "create_checkout", user_id=str(user_id), course_id=course)
        # once progress has said so it knows the course and the right, whatever is held down next
        rpc.call("progress", "check_course_access", user_id=str(user_id), course_id=course)
    return Seed(UUID(course), [UUID(lesson["id"]) for lesson in made], people)


def register_students(settings: Settings, students: int) -> dict[UUID, str]:
    """Make accounts; their access tokens by the students' ids."""
    at = now()
    tokens = AccessTokens(KeyRing(settings.jwt_signing_key), settings.public_url, lambda: at)
    database = Database(settings.database_url_for("accounts"))
    with database.unit_of_work() as unit_of_work:
        accounts = [
            register(
                unit_of_work,
                Registration(email=f"{uuid4()}@tanka.example", password_hash="none", display_name=f"Élève {number}"),
                at,
            )
            for number in range(students)
        ]
    database.close()
    return {account.id: tokens.issue(account.id, uuid4(), at) for account in accounts}
