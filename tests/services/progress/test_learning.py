"""A student enrolls, opens, finishes; who is refused, and how."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from contracts.events.catalog import Money
from services.progress import handlers
from services.progress.domain.pace import is_hasty
from tests.services.progress.academy import NOON, Academy, course, lesson


def test_a_student_enrolls_opens_and_finishes_a_lesson(academy: Academy) -> None:
    first, second = lesson("Un"), lesson("Deux")
    published = academy.publish(course(first, second))
    ber = academy.student_of(published)

    opened = academy.open(ber, first.id)
    done = academy.complete(ber, first.id)

    assert (opened.course_id, opened.access) == (published.course_id, "free")
    assert (done.lesson_id, done.course_id, done.completed_at) == (first.id, published.course_id, NOON)
    assert (done.first_time, done.percent, done.next_lesson_id) == (True, 50, str(second.id))
    assert done.course_completed is False
    [event] = academy.lessons_told()
    assert (event.user_id, event.lesson_id, event.course_id) == (ber, first.id, published.course_id)
    assert (event.completed_at, event.time_zone, event.access) == (NOON, "Europe/Paris", "free")
    assert event.hasty is False


def test_finishing_again_answers_the_same_and_tells_nothing(academy: Academy) -> None:
    first, second = lesson(), lesson()
    published = academy.publish(course(first, second))
    ber = academy.student_of(published)
    done = academy.complete(ber, first.id)

    again = academy.complete(ber, first.id, at=NOON + timedelta(days=3))

    assert again == replace(done, first_time=False)
    assert len(academy.lessons_told()) == 1


def test_the_event_is_in_the_outbox_as_the_relay_expects_it(academy: Academy) -> None:
    published = academy.publish(course(lesson(), lesson()))
    ber = academy.student_of(published)
    told = []
    academy.database.on_told = lambda: told.append(True)

    academy.complete(ber, published.chapters[0].lessons[0].id)

    [row] = academy.execute("select type, partition_key, sequence from outbox")
    assert (row.type, row.partition_key, row.sequence) == ("progress.lesson_completed.v1", str(ber), 0)
    assert told == [True]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(duration=st.integers(0, 4_000), opened_before=st.none() | st.integers(0, 500_000).map(lambda n: n / 1_000))
def test_the_statement_judges_haste_as_the_rule_does(
    academy: Academy, duration: int, opened_before: float | None
) -> None:
    one = lesson(duration_seconds=duration)
    published = academy.publish(course(one, lesson()))
    student = academy.student_of(published)
    opened_at = None if opened_before is None else NOON - timedelta(seconds=opened_before)
    if opened_at is not None:
        academy.now = opened_at
        academy.open(student, one.id)

    academy.complete(student, one.id, at=NOON)

    assert academy.lessons_told()[-1].hasty == is_hasty(duration, opened_at, NOON)


def test_only_the_first_opening_counts(academy: Academy) -> None:
    one = lesson(duration_seconds=600)
    published = academy.publish(course(one, lesson()))
    ber = academy.student_of(published)
    academy.open(ber, one.id)
    academy.now += timedelta(seconds=60)
    academy.open(ber, one.id)

    academy.complete(ber, one.id)

    assert academy.lessons_told()[0].hasty is False


def test_the_author_and_an_admin_need_no_entitlement_and_are_told_as_such(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one, lesson(), status="draft"))
    admin = uuid4()
    academy.grant(published.instructor_id, published, "purchase")

    academy.complete(published.instructor_id, one.id, "instructor")
    academy.complete(admin, one.id, "admin")

    assert [(event.user_id, event.access) for event in academy.lessons_told()] == [
        (published.instructor_id, "author"),
        (admin, "admin"),
    ]


@pytest.mark.parametrize("status", ["unpublished", "archived", "draft"])
def test_unpublishing_never_locks_out_the_enrolled(academy: Academy, status: str) -> None:
    one = lesson()
    published = academy.publish(course(one, lesson()))
    ber = academy.student_of(published)

    academy.publish(msgspec.structs.replace(published, status=status))

    assert academy.open(ber, one.id).access == "free"
    assert academy.complete(ber, one.id).percent == 50
    assert academy.progress(ber, published).completed_lessons == 1
    assert academy.access(ber, published.course_id).has_access


@pytest.mark.parametrize("status", ["draft", "unpublished", "archived"])
def test_what_is_not_published_is_not_there_for_strangers(academy: Academy, status: str) -> None:
    one = lesson(free_preview=True)
    hidden = academy.publish(course(one, status=status))
    stranger = uuid4()

    for attempt in (
        lambda: academy.open(stranger, one.id),
        lambda: academy.complete(stranger, one.id),
        lambda: academy.report(stranger, one.id, 1),
        lambda: academy.next(stranger, one.id),
        lambda: academy.progress(stranger, hidden),
        lambda: academy.access(stranger, hidden.course_id),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_without_access_a_purchase_is_required(academy: Academy) -> None:
    one = lesson()
    academy.publish(course(one))
    stranger = uuid4()

    for attempt in (
        lambda: academy.open(stranger, one.id),
        lambda: academy.complete(stranger, one.id),
        lambda: academy.report(stranger, one.id, 1),
        lambda: academy.next(stranger, one.id),
    ):
        with pytest.raises(Forbidden, match="purchase-required"):
            attempt()
    assert academy.lessons_told() == []


def test_a_free_preview_is_opened_by_anyone_but_not_finished(academy: Academy) -> None:
    one = lesson(free_preview=True)
    published = academy.publish(course(one))
    stranger = uuid4()

    assert academy.open(stranger, one.id).access == "preview"
    with pytest.raises(Forbidden, match="purchase-required"):
        academy.complete(stranger, one.id)
    assert academy.open(academy.student_of(published), one.id).access == "free"


def test_a_project_is_not_finished_by_this_call(academy: Academy) -> None:
    one = lesson(kind="project")
    published = academy.publish(course(lesson(), one))
    ber = academy.student_of(published)

    with pytest.raises(Conflict, match="project-missing"):
        academy.complete(ber, one.id)
    assert academy.progress(ber, published).completed_lessons == 0


def test_access_is_any_live_entitlement(academy: Academy) -> None:
    published = academy.publish(course(lesson(), price=Money(4900, "EUR")))
    ber = uuid4()
    academy.grant(ber, published, "purchase", live=False)
    assert academy.access(ber, published.course_id) == handlers.CourseAccess(False, "none")

    academy.grant(ber, published, "gift")

    assert academy.access(ber, published.course_id) == handlers.CourseAccess(True, "gift")


def test_the_reason_names_authors_and_admins_first(academy: Academy) -> None:
    published = academy.publish(course(lesson()))
    ber = academy.student_of(published)

    assert academy.access(ber, published.course_id).reason == "free"
    assert academy.access(ber, published.course_id, "admin").reason == "admin"
    assert academy.access(published.instructor_id, published.course_id, "admin").reason == "author"
    assert academy.access(uuid4(), published.course_id).reason == "none"


@pytest.mark.parametrize("status", ["draft", "unpublished", "archived"])
def test_an_author_is_told_of_their_access_to_what_is_not_published(academy: Academy, status: str) -> None:
    hidden = academy.publish(course(lesson(), status=status))

    assert academy.access(hidden.instructor_id, hidden.course_id).reason == "author"


def test_whether_a_course_is_still_hidden_is_asked_of_catalog_before_it_is_not_there(academy: Academy) -> None:
    hidden = academy.publish(course(lesson(), status="archived"))
    academy.catalog.silent = True
    with pytest.raises(Unavailable):
        academy.access(uuid4(), hidden.course_id)
    academy.catalog.silent = False

    academy.publish(msgspec.structs.replace(hidden, status="published"), heard=False)

    assert academy.access(uuid4(), hidden.course_id) == handlers.CourseAccess(False, "none")


def test_the_next_lesson_skips_finished_ones_and_returns_to_those_skipped(academy: Academy) -> None:
    lessons = [lesson(f"Leçon {n}") for n in range(4)]
    published = academy.publish(course(*lessons))
    ber = academy.student_of(published)
    academy.complete(ber, lessons[1].id)

    after_first = academy.next(ber, lessons[0].id).lesson
    assert after_first is not None
    assert (after_first.id, after_first.title, after_first.chapter_id) == (
        lessons[2].id,
        "Leçon 2",
        published.chapters[1].id,
    )
    done = academy.complete(ber, lessons[3].id, at=NOON + timedelta(minutes=1))
    assert done.next_lesson_id == str(lessons[0].id)
    assert academy.progress(ber, published).next_lesson_id == str(lessons[0].id)
    academy.complete(ber, lessons[0].id)
    last = academy.complete(ber, lessons[2].id)
    assert (last.next_lesson_id, last.course_completed) == (None, True)
    assert academy.next(ber, lessons[2].id) == handlers.Route(None, True)


def test_progress_names_every_lesson_in_order_with_its_state(academy: Academy) -> None:
    first, second = lesson(), lesson()
    published = academy.publish(course(first, second))
    ber = academy.student_of(published)
    academy.complete(ber, second.id)
    academy.report(ber, first.id, 12.5)

    progress = academy.progress(ber, published)

    assert (progress.completed_lessons, progress.total_lessons, progress.percent) == (1, 2, 50)
    assert [(one.id, one.completed_at, one.position_seconds) for one in progress.lessons] == [
        (str(first.id), None, 12.5),
        (str(second.id), NOON, 0.0),
    ]
    assert (progress.next_lesson_id, progress.completed_at) == (str(first.id), None)


def test_one_students_progress_is_not_anothers(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one, lesson()))
    ber, awa = academy.student_of(published), academy.student_of(published)

    academy.complete(ber, one.id)
    academy.report(ber, one.id, 5)

    assert academy.progress(awa, published).completed_lessons == 0
    assert [state.position_seconds for state in academy.progress(awa, published).lessons] == [0, 0]
    assert academy.next(awa, published.chapters[0].lessons[1].id).lesson is not None


def test_an_unknown_time_zone_is_refused_before_anything_is_kept(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one))
    ber = academy.student_of(published)

    with pytest.raises(Invalid):
        handlers.mark_lesson_as_completed(
            academy.database, academy.copies, ber, one.id, "student", "Mars/Olympus", NOON
        )
    assert academy.progress(ber, published).completed_lessons == 0


def test_a_completion_of_the_past_is_imported_unhurried(academy: Academy) -> None:
    one = lesson(duration_seconds=600)
    published = academy.publish(course(one, lesson()))
    ber = academy.student_of(published)
    then = datetime(2026, 11, 1, 18, tzinfo=UTC)

    handlers.import_completion(academy.database, academy.copies, ber, one.id, then, "Europe/Paris")
    again = handlers.import_completion(academy.database, academy.copies, ber, one.id, NOON, "Europe/Paris")

    [event] = academy.lessons_told()
    assert (event.completed_at, event.hasty) == (then, False)
    assert (again.first_time, again.completed_at) == (False, then)
