"""The catalog as a process of its own: called over RabbitMQ, telling through its outbox."""

import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest

from chassis.bus.listener import EventListener
from chassis.settings import Settings
from contracts.envelope import Envelope
from contracts.errors import Forbidden, Invalid, NotFound
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged
from tests.conftest import SettingsFactory
from tests.services.running import Call, running


@pytest.fixture(scope="module")
def settings(module_settings_for: SettingsFactory) -> Settings:
    return module_settings_for("catalog")


@pytest.fixture(scope="module")
def call(settings: Settings) -> Iterator[Call]:
    """Call a method of a catalog that runs."""
    with running("catalog", settings) as call:
        yield call


def test_a_course_is_written_read_and_told_over_the_bus(call: Call, settings: Settings) -> None:
    heard: list[CourseChanged] = []
    published = threading.Event()

    def hear(_envelope: Envelope, event: Event) -> None:
        assert isinstance(event, CourseChanged)
        heard.append(event)
        if event.status == "published":
            published.set()

    listener = EventListener(settings.amqp_uri, settings.bus_prefix, (CourseChanged,), hear, lambda: None)
    listener.start()
    try:
        author = {"author_id": str(uuid4()), "role": "instructor"}

        with pytest.raises(Forbidden):
            call("create_category", role="instructor", slug="dev-web", name="Web")
        call("create_category", role="admin", slug="dev-web", name="Web")
        price = {"amount": 4900, "currency": "EUR"}
        course = call("create_course", **author, title="L'été", category="dev-web", price=price)
        chapter = call("create_chapter", **author, course_id=course["id"], title="Un")
        lesson = call("create_lesson", **author, chapter_id=chapter["id"], title="Leçon", kind="text", body="Bonjour")
        changes = {"unlock": {"streak_days": 7}, "price": {"amount": 0, "currency": "EUR"}}
        assert call("update_course", **author, course_id=course["id"], changes=changes)["unlock"] == {"streak_days": 7}
        questions = [{"text": "Oui ?", "choices": ["Oui", "Non"], "answer": 0}]
        quiz = call("set_quiz", **author, chapter_id=chapter["id"], time_limit_seconds=20, questions=questions)
        assert (quiz["time_limit_seconds"], quiz["questions"]) == (20, questions)
        vtt = "WEBVTT\n\n00:01.000 --> 00:02.000\nBonjour\n"
        assert call("set_transcript", **author, lesson_id=lesson["id"], vtt=vtt) == {"cues": 1}
        assert call("get_transcript", lesson_id=lesson["id"], viewer_id=author["author_id"]) == {"vtt": vtt}
        order = [{"id": chapter["id"], "lessons": [lesson["id"]]}]
        outline = call("set_order", **author, course_id=course["id"], chapters=order)
        assert call("publish_course", **author, course_id=course["id"])["published_at"].endswith("Z")

        assert call("get_course_with_chapters", course_id=course["id"]) == outline
        page = call("get_published_courses", q="ete")
        assert ([item["slug"] for item in page["items"]], page["next_cursor"]) == (["l-ete"], None)
        assert call("get_courses", course_ids=[course["id"], str(uuid4())]) == {"items": page["items"]}
        assert call("get_course_by_slug", slug="l-ete")["seo"]["canonical"] == "/courses/l-ete"
        assert call("get_chapter", chapter_id=chapter["id"])["lessons"][0]["body"] is None
        state = call("get_outline", lesson_id=lesson["id"])
        assert (state["sequence"], state["course"]["status"]) == (8, "published")
        assert published.wait(10)
        assert str(heard[-1].course_id) == course["id"]
    finally:
        listener.stop()


def test_what_is_no_call_is_refused_by_its_field(call: Call) -> None:
    author = {"author_id": str(uuid4()), "role": "instructor", "course_id": str(uuid4())}
    for method, arguments, pointer in (
        ("get_course", {"course_id": "x"}, "/course_id"),
        ("get_course", {"course_id": str(uuid4()), "viewer_role": "god"}, "/viewer_role"),
        ("update_course", author | {"changes": {"status": "published"}}, "/changes"),
        ("update_course", author | {"changes": {"price": {"amount": "1"}}}, "/changes/price/amount"),
        ("set_order", author | {"chapters": [{"id": str(uuid4())}]}, "/chapters/0"),
        ("set_order", author | {"chapters": [{"id": str(uuid4()), "lessons": ["x"]}]}, "/chapters/0/lessons/0"),
        ("get_published_courses", {"cursor": "x"}, "/cursor"),
        ("get_outline", {}, "/course_id"),
        ("get_courses", {"course_ids": [str(uuid4())] * 101}, "/course_ids"),
    ):
        with pytest.raises(Invalid) as caught:
            call(method, **arguments)
        assert caught.value.errors[0].pointer == pointer
    with pytest.raises(NotFound):
        call("get_lesson", lesson_id=str(uuid4()))
