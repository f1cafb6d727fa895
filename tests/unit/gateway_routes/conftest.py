"""A gateway whose services are one small academy in memory."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient

from chassis.database import Database
from chassis.settings import Settings
from contracts.errors import BadRequest, Conflict, FieldError, Forbidden, Invalid, NotFound, Unavailable
from contracts.events.accounts import Role
from gateway.app import Gateway, create_app
from gateway.dependencies import Dependencies
from gateway.people import Person

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def person(role: Role, name: str) -> Person:
    """Someone with an account."""
    return Person(uuid4(), role, "Europe/Paris", "fr", name, None, "", uuid4(), is_shown_by_name=True)


ARSENE = person("instructor", "Arsène")
OTHER = person("instructor", "Zoé")
BER = person("student", "Ber")
HOLDER = person("student", "Awa")
ADMIN = person("admin", "Admin")


class KnownPeople:
    """The people of this academy, always at hand."""

    def by_id(self, user_id: UUID) -> Person | None:
        """The person, or nobody."""
        return self.by_ids([user_id]).get(user_id)

    def by_ids(self, ids: Any) -> dict[UUID, Person]:
        """Those of the people that there are."""
        everybody = {one.id: one for one in (ARSENE, OTHER, BER, HOLDER, ADMIN)}
        return {user_id: everybody[user_id] for user_id in ids if user_id in everybody}

    def email_of(self, user_id: UUID) -> str | None:
        """The person's address."""
        known = self.by_id(user_id)
        return None if known is None else f"{known.role}@tanka.example"


@dataclass
class FakeAcademy:
    """One course by Arsène (held by Awa) with one chapter and one lesson; counts what it is asked.

    `others` are the titles of further courses that Awa holds, by their ids.
    """

    status: str = "published"
    free_preview: bool = False
    slug: str = "web"
    old_slug: str = "toile"
    price: int = 0
    title: str = "Ton premier site"
    course_id: UUID = field(default_factory=uuid4)
    chapter_id: UUID = field(default_factory=uuid4)
    lesson_id: UUID = field(default_factory=uuid4)
    order_id: UUID = field(default_factory=uuid4)
    others: dict[UUID, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    arguments: dict[str, Any] = field(default_factory=dict)

    def ready(self) -> dict[str, bool]:
        """Who answers."""
        return {}

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """What the service would answer."""
        self.asked[method] += 1
        self.arguments = arguments
        if service in self.silent:
            raise Unavailable()
        return getattr(self, method)(**arguments)

    def _see(self, viewer_id: Any = None, viewer_role: Any = None, entitled: bool = False) -> bool:
        author = viewer_id == ARSENE.id or viewer_role == "admin"
        if not author and not (self.status == "published" or (entitled and self.status in ("unpublished", "archived"))):
            raise NotFound
        return author or entitled

    def _course(self) -> dict[str, Any]:
        return {
            "id": str(self.course_id),
            "slug": self.slug,
            "title": self.title,
            "subtitle": "",
            "category": "dev-web",
            "level": "beginner",
            "language": "fr",
            "cover_url": None,
            "price": {"amount": self.price, "currency": "EUR"},
            "instructor_id": str(ARSENE.id),
            "lessons": 1,
            "duration_seconds": 60,
            "published_at": None if self.status == "draft" else "2026-11-01T08:00:00Z",
            "status": self.status,
            "practical": False,
            "unlock": None,
            "description": "Tout",
            "seo": {"title": "t", "description": "d", "canonical": "/courses/web", "image": None, "json_ld": {}},
        }

    def get_categories(self) -> Any:
        return {"items": [{"slug": "dev-web", "name": "Web", "courses": 1}]}

    def get_published_courses(self, **_: Any) -> Any:
        return {"items": [self._course()] if self.status == "published" else [], "next_cursor": None}

    def get_course(self, course_id: UUID, **viewer: Any) -> Any:
        if course_id in self.others:
            return self._other(course_id)
        if course_id != self.course_id:
            raise NotFound
        self._see(**viewer)
        return self._course()

    def get_courses(self, course_ids: list[UUID]) -> Any:
        assert 0 < len(course_ids) <= 100
        items = [self._course()] if self.course_id in course_ids and self.status != "deleted" else []
        return {"items": items + [self._other(course_id) for course_id in course_ids if course_id in self.others]}

    def _other(self, course_id: UUID) -> dict[str, Any]:
        return self._course() | {"id": str(course_id), "title": self.others[course_id], "status": "published"}

    def get_course_by_slug(self, slug: str, **viewer: Any) -> Any:
        if slug not in (self.slug, self.old_slug):
            raise NotFound
        self._see(**viewer)
        return self._course() | {"moved_to": None if slug == self.slug else self.slug}

    def get_course_with_chapters(self, course_id: UUID, **viewer: Any) -> Any:
        self._see(**viewer)
        return {"course_id": str(course_id), "chapters": []}

    def get_chapter(self, chapter_id: UUID, **viewer: Any) -> Any:
        if chapter_id != self.chapter_id:
            raise NotFound
        full = self._see(**viewer)
        lesson = {
            "id": str(self.lesson_id),
            "title": "Leçon",
            "position": 1,
            "kind": "text",
            "duration_seconds": 60,
            "free_preview": self.free_preview,
            "body": "secret" if full or self.free_preview else None,
            "video_id": None,
        }
        return {
            "id": str(chapter_id),
            "course_id": str(self.course_id),
            "status": self.status,
            "title": "Chapitre",
            "position": 1,
            "has_quiz": False,
            "lessons": [lesson],
        }

    def get_lesson(self, lesson_id: UUID, **viewer: Any) -> Any:
        if lesson_id != self.lesson_id:
            raise NotFound
        if not self._see(**viewer) and not self.free_preview:
            raise Forbidden("purchase-required")
        return {
            "id": str(lesson_id),
            "chapter_id": str(self.chapter_id),
            "course_id": str(self.course_id),
            "title": "Leçon",
            "kind": "text",
            "body": "secret",
            "video_id": None,
            "duration_seconds": 60,
            "free_preview": self.free_preview,
            "project_brief": None,
        }

    def get_transcript(self, lesson_id: UUID, **viewer: Any) -> Any:
        self.get_lesson(lesson_id, **viewer)
        return {"vtt": "WEBVTT\n\nsecret"}

    def set_transcript(self, **_: Any) -> Any:
        return {"cues": 3}

    def update_course(self, changes: dict[str, Any], **_: Any) -> Any:
        self.title = changes.get("title", self.title)
        return self._course()

    def _reason(self, user_id: UUID, role: str) -> str:
        if user_id == ARSENE.id:
            return "author"
        return "admin" if role == "admin" else "free" if user_id == HOLDER.id else "none"

    def check_course_access(self, user_id: UUID, course_id: UUID, role: str) -> Any:
        reason = self._reason(user_id, role)
        if reason == "none" and self.status != "published":
            raise NotFound
        return {"has_access": reason != "none", "reason": reason}

    def open_lesson(self, user_id: UUID, lesson_id: UUID, role: str) -> Any:
        reason = self._reason(user_id, role)
        if lesson_id != self.lesson_id or (reason == "none" and self.status != "published"):
            raise NotFound
        if reason == "none" and not self.free_preview:
            raise Forbidden("purchase-required")
        return {"course_id": str(self.course_id), "access": "preview" if reason == "none" else reason}

    def create_checkout(self, user_id: UUID, role: str, withdrawal_waiver: bool, **_: Any) -> Any:
        if self._reason(user_id, role) != "none":
            raise Conflict("already-owned")
        if not self.price:
            return {"order_id": None, "session_id": None, "checkout_url": None}
        if not withdrawal_waiver:
            raise Invalid(errors=(FieldError("/withdrawal_waiver", "waiver-required"),))
        return {"order_id": str(self.order_id), "session_id": "cs_1", "checkout_url": "https://pay.example/cs_1"}

    def receive_stripe_event(self, payload: str, signature: str) -> None:
        if signature != "good":
            raise BadRequest("bad-signature")

    def _order(self) -> dict[str, Any]:
        return {
            "id": str(self.order_id),
            "course_id": str(self.course_id),
            "user_id": str(BER.id),
            "amount": {"amount": 4900, "currency": "EUR"},
            "status": "paid",
            "created_at": "2026-11-25T12:00:00Z",
            "paid_at": "2026-11-25T12:01:00Z",
            "refunded": {"amount": 0, "currency": "EUR"},
            "refund_due": True,
            "withdrawal_waived": True,
            "receipt_url": None,
            "ref": "video-42",
        }

    def get_orders(self, user_id: UUID, limit: int, cursor: str | None) -> Any:
        return {"items": [self._order()] if user_id == BER.id else [], "next_cursor": None}

    def list_orders(self, **_: Any) -> Any:
        return {"items": [self._order(), self._order() | {"user_id": str(uuid4())}], "next_cursor": None}

    def withdraw_order(self, user_id: UUID, order_id: UUID) -> Any:
        raise Conflict("withdrawal-waived")

    def refund_order(self, order_id: UUID, request_id: UUID, amount: int | None) -> Any:
        return {"order_id": str(order_id), "amount": {"amount": amount or 4900, "currency": "EUR"}}

    def grant_course(self, user_id: UUID, course_id: UUID, reason: str, granted_by: UUID, request_id: UUID) -> Any:
        return {
            "id": str(request_id),
            "user_id": str(user_id),
            "course_id": str(course_id),
            "reason": reason,
            "granted_at": "2026-11-25T12:00:00Z",
        }

    def revoke_grant(self, course_id: UUID, grant_id: UUID) -> None:
        return None

    def _revenue(self) -> dict[str, Any]:
        amounts = {
            "gross": {"amount": 9800, "currency": "EUR"},
            "refunds": {"amount": 1005, "currency": "EUR"},
            "net": {"amount": 8795, "currency": "EUR"},
        }
        return amounts | {"others": []}

    def get_instructor_stats(self, instructor_id: UUID, from_date: str | None, to_date: str | None) -> Any:
        net, lost = {"amount": 8795, "currency": "EUR"}, {"amount": -1005, "currency": "EUR"}
        course = {"course_id": str(self.course_id), "title": self.title, "sales": 2, "net": net, "students": 2}
        return {
            "time_zone": "Europe/Paris",
            "revenue": self._revenue(),
            "students": 2,
            "sales": 2,
            "courses": [course | {"completion_rate": 0.5, "rank": 1}],
            "daily": [
                {"date": "2026-11-25", "sales": 2, "net": net, "new_students": 2, "lessons_completed": 7},
                {"date": "2026-11-26", "sales": 0, "net": lost, "new_students": 0, "lessons_completed": 0},
            ],
            "refs": [{"ref": "video-42", "registrations": 3, "sales": 1, "net": net}],
        }

    def get_course_performance(self, course_id: UUID, viewer_id: UUID, role: str, **_: Any) -> Any:
        if viewer_id != ARSENE.id and role != "admin":
            raise Forbidden
        return {
            "course_id": str(course_id),
            "title": self.title,
            "sales": 2,
            "revenue": self._revenue(),
            "rank": 1,
            "students": 2,
            "completion_rate": 0.5,
            "median_days_to_complete": None,
            "funnel": [{"lesson_id": str(self.lesson_id), "title": self.title, "completed": 1, "drop_off": 0.5}],
        }

    def get_shop(self, user_id: UUID, time_zone: str) -> Any:
        return {"items": [{"code": "streak_freeze", "price_points": 100, "owned": 1, "max": 2}]}

    def purchase_item(self, user_id: UUID, item: str, request_id: UUID, time_zone: str) -> Any:
        if item != "streak_freeze":
            raise Invalid(errors=(FieldError("/item", "unknown-item"),))
        raise Conflict("not-enough-points", members={"price_points": 100, "points": 40})

    def create_ref(self, instructor_id: UUID, target: str) -> Any:
        if not target.startswith("/"):
            raise Invalid(errors=(FieldError("/target", "bad-target"),))
        return self._ref(target)

    def get_refs(self, instructor_id: UUID, limit: int, cursor: str | None) -> Any:
        return {"items": [self._ref("/courses/web")], "next_cursor": None}

    def _ref(self, target: str) -> dict[str, Any]:
        url = f"https://front.example{target}?ref=abcd1234"
        return {"ref": "abcd1234", "url": url, "target": target, "created_at": "2026-11-25T12:00:00Z"}

    def get_notifications(self, user_id: UUID, locale: str, unread: bool, limit: int, cursor: str | None) -> Any:
        titles = {ARSENE.id: "{Rival} te défie", uuid4(): "{Rival} te défie aussi"}
        items = [
            {
                "id": str(uuid4()),
                "kind": "duel_challenged",
                "title": title,
                "body": "…",
                "link": "https://front.example/duels/1",
                "created_at": "2026-11-23T12:00:00Z",
                "read_at": None,
                "people": {"Rival": {"id": str(rival), "otherwise": "Quelqu’un"}},
            }
            for rival, title in titles.items()
        ]
        return {"items": items if user_id == BER.id else [], "next_cursor": None, "unread": len(items)}

    def read_notification(self, user_id: UUID, notification_id: UUID) -> None:
        if user_id != BER.id:
            raise NotFound

    def read_all_notifications(self, user_id: UUID) -> None:
        return None

    def get_settings(self, user_id: UUID) -> Any:
        return {"system": {"in_app": True, "email": False}}

    def change_settings(self, user_id: UUID, changes: dict[str, Any]) -> Any:
        return {kind: chosen | changes.get(kind, {}) for kind, chosen in self.get_settings(user_id).items()}

    def mark_lesson_as_completed(self, user_id: UUID, lesson_id: UUID, role: str, time_zone: str) -> Any:
        return {
            "lesson_id": str(lesson_id),
            "course_id": str(self.course_id),
            "completed_at": "2026-11-23T12:00:00Z",
            "first_time": True,
            "percent": 100,
            "next_lesson_id": None,
            "course_completed": True,
        }

    def get_user_progress(self, course_id: UUID, **_: Any) -> Any:
        return {
            "course_id": str(course_id),
            "completed_lessons": 0,
            "total_lessons": 1,
            "percent": 0,
            "lessons": [],
            "next_lesson_id": str(self.lesson_id),
            "completed_at": None,
        }

    def set_lesson_position(self, **_: Any) -> None:
        return None

    def get_user_enrollments(self, user_id: UUID, limit: int, cursor: str | None) -> Any:
        items = [
            {
                "course_id": str(course_id),
                "enrolled_at": "2026-11-02T08:00:00Z",
                "source": "free",
                "percent": 0,
                "next_lesson_id": None,
                "completed_at": None,
            }
            for course_id in (self.course_id, *self.others)
        ]
        return {"items": items if user_id == HOLDER.id else [], "next_cursor": None}


class Visitor:
    """Someone with a browser, or nobody."""

    def __init__(self, app: Gateway, who: Person | None) -> None:
        self._client: FlaskClient = app.test_client()
        self._headers: dict[str, str] = {}
        if who is not None:
            self._headers["Authorization"] = f"Bearer {app.parts.tokens.issue(who.id, uuid4(), NOW)}"

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The gateway's answer."""
        headers = self._headers | options.pop("headers", {})
        return self._client.open("/v1" + path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        """The gateway's answer to a GET."""
        return self.ask("GET", path, **options)


@pytest.fixture
def academy() -> FakeAcademy:
    return FakeAcademy()


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings(front_origins=("https://front.example",))


@pytest.fixture
def app(academy: FakeAcademy, settings: Settings) -> Gateway:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    app = create_app(settings, Dependencies(database, academy, now=lambda: NOW))
    app.parts.people = KnownPeople()  # type: ignore[assignment]
    return app


@pytest.fixture
def anonymous(app: Gateway) -> Visitor:
    return Visitor(app, None)


@pytest.fixture
def student(app: Gateway) -> Visitor:
    return Visitor(app, BER)


@pytest.fixture
def holder(app: Gateway) -> Visitor:
    return Visitor(app, HOLDER)


@pytest.fixture
def author(app: Gateway) -> Visitor:
    return Visitor(app, ARSENE)


@pytest.fixture
def other_instructor(app: Gateway) -> Visitor:
    return Visitor(app, OTHER)


@pytest.fixture
def admin(app: Gateway) -> Visitor:
    return Visitor(app, ADMIN)
