"""Analytics as a process of its own: called over RabbitMQ, hearing events."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from chassis.bus.relay import Relay
from chassis.database import Database
from chassis.settings import Settings
from contracts.errors import Forbidden, Invalid, Unavailable
from tests.conftest import SettingsFactory
from tests.services.analytics.books import course_changed, entitled, lesson_done, paid
from tests.services.running import Call, eventually, running


@pytest.fixture(scope="module")
def settings(module_settings_for: SettingsFactory) -> Settings:
    return module_settings_for("analytics", "purchase")


@pytest.fixture(scope="module")
def owner(settings: Settings) -> Iterator[Database]:
    """A database whose outbox is published."""
    database = Database(settings.database_url_for("purchase"))
    relay = Relay(database, settings)
    relay.start()
    yield database
    relay.stop()
    database.close()


@pytest.fixture(scope="module")
def call(settings: Settings) -> Iterator[Call]:
    """Call a method of an analytics that runs; no catalog does."""
    with running("analytics", settings) as call:
        yield call


def test_an_instructor_sees_over_the_bus_what_was_told(call: Call, owner: Database) -> None:
    teacher, student, lesson = uuid4(), uuid4(), uuid4()
    course = course_changed(teacher, lessons=[lesson])
    id_ = course.course_id
    with owner.unit_of_work() as unit_of_work:
        for event in (
            course,
            paid(student, id_, ref="video"),
            entitled(student, id_),
            lesson_done(student, id_, lesson),
        ):
            unit_of_work.tell(event, sequence=1)

    stats = eventually(lambda: _whole(call("get_instructor_stats", instructor_id=teacher)))

    euros = {"amount": 4900, "currency": "EUR"}
    nothing = {"amount": 0, "currency": "EUR"}
    assert stats["revenue"] == {"gross": euros, "refunds": nothing, "net": euros, "others": []}
    assert (stats["from"], stats["to"], stats["time_zone"]) == (None, None, "UTC")
    assert (stats["students"], stats["sales"]) == (1, 1)
    assert stats["courses"] == [
        {
            "course_id": str(id_),
            "title": "Un cours",
            "sales": 1,
            "net": euros,
            "students": 1,
            "completion_rate": 0.0,
            "rank": 1,
        }
    ]
    assert stats["daily"][0] == {
        "date": "2026-11-23",
        "sales": 1,
        "net": euros,
        "new_students": 1,
        "lessons_completed": 1,
    }
    assert stats["refs"] == [{"ref": "video", "registrations": 0, "sales": 1, "net": euros}]
    found = call("get_course_performance", course_id=id_, viewer_id=teacher, role="instructor")
    assert found == {
        "course_id": str(id_),
        "title": "Un cours",
        "sales": 1,
        "revenue": stats["revenue"],
        "rank": 1,
        "students": 1,
        "completion_rate": 0.0,
        "median_days_to_complete": None,
        "funnel": [{"lesson_id": str(lesson), "title": "Pas 1", "completed": 1, "drop_off": 0.0}],
    }
    with pytest.raises(Forbidden):
        call("get_course_performance", course_id=id_, viewer_id=uuid4(), role="instructor")
    with pytest.raises(Unavailable):
        call("get_course_performance", course_id=uuid4())
    ranged = call("get_instructor_stats", instructor_id=teacher, from_date="2026-11-24", to_date="2026-11-25")
    assert (ranged["sales"], [day["date"] for day in ranged["daily"]]) == (0, ["2026-11-24", "2026-11-25"])


def test_links_are_made_and_listed_over_the_bus(call: Call, settings: Settings) -> None:
    teacher = uuid4()

    made = call("create_ref", instructor_id=teacher, target="/courses/x")

    assert made["url"] == f"{settings.front_url}/courses/x?ref={made['ref']}"
    assert call("get_refs", instructor_id=teacher) == {"items": [made], "next_cursor": None}
    assert call("get_instructor_stats", instructor_id=teacher)["refs"][0]["ref"] == made["ref"]


NO_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("get_instructor_stats", {"instructor_id": "x"}, "/instructor_id"),
    ("get_instructor_stats", {"instructor_id": str(uuid4()), "from_date": "today"}, "/from_date"),
    (
        "get_instructor_stats",
        {"instructor_id": str(uuid4()), "from_date": "2026-01-02", "to_date": "2026-01-01"},
        "/to",
    ),
    ("get_course_performance", {"course_id": str(uuid4()), "role": "god"}, "/role"),
    ("create_ref", {"instructor_id": str(uuid4()), "target": "https://evil.example"}, "/target"),
    ("get_refs", {"instructor_id": str(uuid4()), "limit": 0}, "/limit"),
    ("get_refs", {"instructor_id": str(uuid4()), "cursor": "x"}, "/cursor"),
]


def test_what_is_no_call_is_refused_by_its_field(call: Call) -> None:
    for method, arguments, pointer in NO_CALLS:
        with pytest.raises(Invalid) as caught:
            call(method, **arguments)
        assert caught.value.errors[0].pointer == pointer, (method, arguments)


def _whole(stats: Any) -> Any:
    busy = any(day["lessons_completed"] for day in stats["daily"])
    return stats if busy and stats["students"] and stats["sales"] else None
