"""A course is completed when catalog confirms that nothing is left, once, and stays so."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from services.progress import completion
from tests.services.progress.academy import NOON, Academy, course, lesson, with_lessons

LATER = NOON + timedelta(hours=1)


def test_the_last_lesson_completes_the_course(academy: Academy) -> None:
    first, last = lesson(), lesson()
    published = academy.publish(course(first, last))
    ber = academy.student_of(published)
    academy.complete(ber, first.id)

    done = academy.complete(ber, last.id, at=LATER)

    assert (done.percent, done.next_lesson_id, done.course_completed) == (100, None, True)
    [event] = academy.courses_told()
    assert (event.user_id, event.course_id, event.completed_at) == (ber, published.course_id, LATER)
    assert (event.time_zone, event.access, event.lessons) == ("Europe/Paris", "free", 2)
    progress = academy.progress(ber, published)
    assert (progress.percent, progress.completed_at) == (100, LATER)


def test_while_catalog_is_silent_the_course_is_pending_and_confirmed_later(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one))
    ber = academy.student_of(published)
    academy.catalog.silent = True

    done = academy.complete(ber, one.id)
    academy.settle()

    assert (done.percent, done.course_completed) == (100, False)
    assert academy.courses_told() == []
    academy.catalog.silent = False
    academy.now = LATER
    academy.settle()
    academy.settle()
    assert [(event.user_id, event.completed_at) for event in academy.courses_told()] == [(ber, NOON)]
    assert academy.progress(ber, published).completed_at == NOON


def test_finishing_again_confirms_a_pending_course(academy: Academy) -> None:
    one = lesson()
    ber = academy.student_of(academy.publish(course(one)))
    academy.catalog.silent = True
    academy.complete(ber, one.id)
    academy.catalog.silent = False

    again = academy.complete(ber, one.id, at=LATER)

    assert (again.first_time, again.course_completed) == (False, True)
    assert [event.completed_at for event in academy.courses_told()] == [NOON]


def test_a_lesson_that_catalog_added_a_moment_ago_is_still_to_do(academy: Academy) -> None:
    one, new = lesson(), lesson()
    published = academy.publish(course(one))
    ber = academy.student_of(published)
    academy.publish(with_lessons(published, one, new), heard=False)

    done = academy.complete(ber, one.id)

    assert (done.percent, done.next_lesson_id, done.course_completed) == (50, str(new.id), False)
    assert academy.courses_told() == []
    assert academy.complete(ber, new.id, at=LATER).course_completed
    assert [(event.completed_at, event.lessons) for event in academy.courses_told()] == [(LATER, 2)]


def test_a_pending_course_that_grew_is_completed_with_its_new_last_lesson(academy: Academy) -> None:
    one, new = lesson(), lesson()
    published = academy.publish(course(one))
    ber = academy.student_of(published)
    academy.catalog.silent = True
    academy.complete(ber, one.id)
    academy.publish(with_lessons(published, one, new))

    assert not academy.complete(ber, new.id, at=LATER).course_completed
    academy.catalog.silent = False
    academy.settle()

    assert [event.completed_at for event in academy.courses_told()] == [LATER]


def test_lessons_added_later_leave_the_course_completed(academy: Academy) -> None:
    one, new = lesson(), lesson()
    published = academy.publish(course(one))
    ber = academy.student_of(published)
    academy.complete(ber, one.id)

    academy.publish(with_lessons(published, one, new))
    academy.settle()

    progress = academy.progress(ber, published)
    assert (progress.percent, progress.completed_at, progress.next_lesson_id) == (50, NOON, str(new.id))
    done = academy.complete(ber, new.id, at=LATER)
    assert (done.percent, done.course_completed) == (100, True)
    assert academy.progress(ber, published).completed_at == NOON
    assert len(academy.courses_told()) == 1


def test_a_deleted_lesson_re_evaluates_every_student(academy: Academy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "BATCH", 3)
    kept, other, doomed = lesson(), lesson(), lesson()
    published = academy.publish(course(kept, other, doomed))
    ready = [academy.student_of(published) for _ in range(7)]
    half = [academy.student_of(published) for _ in range(4)]
    for student in ready:
        academy.complete(student, kept.id)
        academy.complete(student, other.id)
    for student in half:
        academy.complete(student, kept.id)
        academy.complete(student, doomed.id)

    academy.publish(with_lessons(published, kept, other))
    academy.now = LATER
    academy.settle()

    assert sorted(event.user_id for event in academy.courses_told()) == sorted(ready)
    assert {event.completed_at for event in academy.courses_told()} == {LATER}
    for student in half:
        progress = academy.progress(student, published)
        assert (progress.percent, progress.completed_lessons, progress.completed_at) == (50, 1, None)
        assert academy.counter(student, published) == 1
    assert academy.execute("select count(*) from course_copies where to_recount")[0].count == 0


def test_percent_never_passes_100_after_a_deletion(academy: Academy) -> None:
    kept, doomed = lesson(), lesson()
    published = academy.publish(course(kept, doomed))
    ber = academy.student_of(published)
    academy.complete(ber, kept.id)
    academy.complete(ber, doomed.id)

    academy.publish(with_lessons(published, kept))

    assert academy.complete(ber, kept.id).percent == 100
    academy.settle()
    progress = academy.progress(ber, published)
    assert (progress.completed_lessons, progress.total_lessons, progress.percent) == (1, 1, 100)
    assert len(academy.courses_told()) == 1


@pytest.mark.parametrize("silent", [True, False], ids=["catalog silent", "catalog answering"])
def test_a_lesson_finished_right_after_a_deletion_is_not_taken_for_the_last(academy: Academy, silent: bool) -> None:
    kept, other, doomed, last = (lesson() for _ in range(4))
    published = academy.publish(course(kept, other, doomed, last))
    ber = academy.student_of(published)
    academy.complete(ber, kept.id)
    academy.complete(ber, doomed.id)
    academy.publish(with_lessons(published, kept, other, last))
    academy.catalog.silent = silent

    for _ in range(2):
        done = academy.complete(ber, other.id)

        assert (done.percent, done.next_lesson_id, done.course_completed) == (66, str(last.id), False)


def test_a_lesson_finished_again_right_after_a_deletion_counts_what_is_left(academy: Academy) -> None:
    kept, doomed, other, last = (lesson() for _ in range(4))
    published = academy.publish(course(kept, doomed, other, last))
    ber = academy.student_of(published)
    academy.complete(ber, kept.id)
    academy.complete(ber, doomed.id)
    academy.publish(with_lessons(published, kept, other, last))

    again = academy.complete(ber, kept.id)

    assert (again.percent, again.next_lesson_id) == (33, str(other.id))


def test_a_deletion_while_catalog_is_silent_counts_at_once_and_completes_later(academy: Academy) -> None:
    kept, doomed = lesson(), lesson()
    published = academy.publish(course(kept, doomed))
    ber = academy.student_of(published)
    academy.complete(ber, kept.id)
    academy.catalog.silent = True

    academy.publish(with_lessons(published, kept))
    academy.settle()

    assert (academy.progress(ber, published).percent, academy.courses_told()) == (100, [])
    academy.catalog.silent = False
    academy.settle()
    assert [event.completed_at for event in academy.courses_told()] == [NOON]


def test_a_course_that_lost_all_its_lessons_is_completed_by_nobody(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one, lesson()))
    ber = academy.student_of(published)
    academy.complete(ber, one.id)

    academy.publish(with_lessons(published))
    academy.settle()

    progress = academy.progress(ber, published)
    assert (progress.percent, progress.total_lessons, progress.next_lesson_id, progress.completed_at) == (
        0,
        0,
        None,
        None,
    )
    assert academy.courses_told() == []


def test_an_unfinished_project_keeps_the_course_open(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one, lesson(kind="project")))
    ber = academy.student_of(published)

    done = academy.complete(ber, one.id)

    assert (done.percent, done.course_completed) == (50, False)
    assert academy.catalog.calls == []


def test_one_pending_course_that_catalog_lost_does_not_hold_up_the_others(academy: Academy) -> None:
    academy.catalog.silent = True
    students: dict[UUID, UUID] = {}
    for number in range(3):
        one = lesson()
        published = academy.publish(course(one, course_id=UUID(int=number + 1)))
        students[published.course_id] = academy.student_of(published)
        academy.complete(students[published.course_id], one.id)
    academy.catalog.silent = False
    lost = academy.catalog.courses.pop(UUID(int=1))[0]

    academy.settle()

    assert {event.course_id for event in academy.courses_told()} == set(students) - {lost.course_id}


def test_an_archived_course_is_completed_by_its_owners(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one))
    ber = academy.student_of(published)
    academy.publish(msgspec.structs.replace(published, status="archived"))

    assert academy.complete(ber, one.id).course_completed
