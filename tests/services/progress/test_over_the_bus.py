"""Progress as a process of its own: called over RabbitMQ, hearing and telling events."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from chassis.database import Database
from chassis.settings import Settings
from contracts.errors import Forbidden, Invalid, Unavailable
from contracts.events.purchase import EntitlementChanged
from services.progress.service import ProgressService
from tests.conftest import SettingsFactory
from tests.services.progress.academy import NOON, Academy, course, lesson, with_lessons
from tests.services.running import Call, eventually, running


@pytest.fixture(scope="module")
def settings(module_settings_for: SettingsFactory) -> Settings:
    return module_settings_for("progress")


@pytest.fixture(scope="module")
def academy(settings: Settings) -> Iterator[Academy]:
    """The database of the process, to look into and to put events into its outbox."""
    database = Database(settings.database_url_for("progress"))
    yield Academy(database)
    database.close()


@pytest.fixture(scope="module")
def call(settings: Settings) -> Iterator[Call]:
    """Call a method of a progress that runs; no catalog does."""
    with running("progress", settings) as call:
        yield call


def test_a_student_learns_over_the_bus(call: Call, academy: Academy) -> None:
    first, last, doomed = lesson(), lesson(), lesson()
    published = course(first, last, doomed)
    student = {"user_id": uuid4()}
    with academy.database.unit_of_work() as unit_of_work:
        unit_of_work.tell(published, sequence=1)
    eventually(lambda: academy.execute("select from course_copies"))

    right = EntitlementChanged(
        entitlement_id=uuid4(),
        user_id=student["user_id"],
        course_id=published.course_id,
        source="free",
        live=True,
        granted_at=NOON,
    )
    with academy.database.unit_of_work() as unit_of_work:
        unit_of_work.tell(right, sequence=1)
    eventually(lambda: academy.execute("select from entitlements"))

    assert call("check_course_access", **student, course_id=published.course_id) == {
        "has_access": True,
        "reason": "free",
    }
    opened = call("open_lesson", **student, lesson_id=first.id, role="student")
    assert opened == {"course_id": str(published.course_id), "access": "free"}
    assert call("set_lesson_position", **student, lesson_id=last.id, seconds=7, time_zone="Europe/Paris") is None
    done = call("mark_lesson_as_completed", **student, lesson_id=first.id, time_zone="Europe/Paris")
    assert done == {
        "lesson_id": str(first.id),
        "course_id": str(published.course_id),
        "completed_at": done["completed_at"],
        "first_time": True,
        "percent": 33,
        "next_lesson_id": str(last.id),
        "course_completed": False,
    }
    assert done["completed_at"].endswith("Z")
    following = call("get_next_lesson", **student, current_lesson_id=first.id)
    assert following == {
        "lesson": {"id": str(last.id), "title": last.title, "chapter_id": str(published.chapters[0].id)},
        "course_completed": False,
    }
    call("import_completion", **student, lesson_id=last.id, completed_at=NOON, time_zone="UTC")
    progress = call("get_user_progress", **student, course_id=published.course_id)
    assert (progress["completed_lessons"], progress["total_lessons"], progress["percent"]) == (2, 3, 66)
    assert progress["lessons"][1] == {"id": str(last.id), "completed_at": "2026-11-23T12:00:00Z", "position_seconds": 7}
    [standing] = call("get_standings", **student, course_ids=[published.course_id, uuid4()])["items"]
    assert standing == {
        "course_id": str(published.course_id),
        "percent": 66,
        "next_lesson_id": str(doomed.id),
        "completed_at": None,
    }
    [mine] = call("get_user_enrollments", **student)["items"]
    assert (mine["course_id"], mine["percent"], mine["source"]) == (str(published.course_id), 66, "free")

    with academy.database.unit_of_work() as unit_of_work:
        unit_of_work.tell(with_lessons(published, first, last), sequence=2)
    eventually(lambda: academy.execute("select from enrollments where pending_since is not null"))
    with pytest.raises(Unavailable):
        call("open_lesson", **student, lesson_id=doomed.id)
    assert call("get_user_progress", **student, course_id=published.course_id)["percent"] == 100


NO_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("open_lesson", {"lesson_id": "x"}, "/lesson_id"),
    ("open_lesson", {"lesson_id": str(uuid4()), "role": "god"}, "/role"),
    ("set_lesson_position", {"lesson_id": str(uuid4()), "seconds": "1"}, "/seconds"),
    ("set_lesson_position", {"lesson_id": str(uuid4()), "seconds": -1}, "/seconds"),
    ("mark_lesson_as_completed", {"lesson_id": str(uuid4()), "time_zone": "Mars/Olympus"}, "/time_zone"),
    (
        "import_completion",
        {"lesson_id": str(uuid4()), "completed_at": "2026-11-01T10:00:00", "time_zone": "UTC"},
        "/completed_at",
    ),
    ("get_user_enrollments", {"limit": 0}, "/limit"),
    ("get_standings", {"course_ids": ["x"]}, "/course_ids/0"),
    ("get_user_enrollments", {"cursor": "x"}, "/cursor"),
]


def test_what_is_no_call_is_refused_by_its_field(call: Call) -> None:
    for method, arguments, pointer in NO_CALLS:
        with pytest.raises(Invalid) as caught:
            call(method, user_id=uuid4(), **arguments)
        assert caught.value.errors[0].pointer == pointer, method


def test_completions_are_not_imported_in_production() -> None:
    service = ProgressService()
    service.resources = SimpleNamespace(settings=Settings(environment="production"))  # type: ignore[misc,assignment]

    with pytest.raises(Forbidden):
        service.import_completion(uuid4(), uuid4(), NOON, "UTC")
