"""What is done at the same instant, by real threads on real connections, leaves what one after the other leaves."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.errors import NotFound
from contracts.events.catalog import CourseChanged
from services.progress import completion
from services.progress.outlines import recounted
from tests.services.locks import wait_until_blocked
from tests.services.progress.academy import Academy, at_once, course, lesson, with_lessons

CALLERS = 16


def test_sixteen_simultaneous_completions_are_one(academy: Academy) -> None:
    one, other = lesson(), lesson()
    published = academy.publish(course(one, other))
    for _ in range(20):
        student = academy.student_of(published)
        told_before = len(academy.lessons_told())

        answers = at_once(*[partial(academy.complete, student, one.id)] * CALLERS)

        assert [answer.first_time for answer in answers].count(True) == 1
        assert len({answer.completed_at for answer in answers}) == 1
        assert {(answer.percent, answer.next_lesson_id) for answer in answers} == {(50, str(other.id))}
        assert len(academy.lessons_told()) == told_before + 1
        assert academy.counter(student, published) == 1


def test_sixteen_lessons_finished_at_once_are_all_counted(academy: Academy) -> None:
    lessons = [lesson() for _ in range(CALLERS)]
    published = academy.publish(course(*lessons))
    for _ in range(10):
        student = academy.student_of(published)

        answers = at_once(*[partial(academy.complete, student, one.id) for one in lessons])

        assert sorted(answer.percent for answer in answers) == [n * 100 // CALLERS for n in range(1, CALLERS + 1)]
        assert [answer.course_completed for answer in answers].count(True) >= 1
        assert academy.counter(student, published) == CALLERS
        assert academy.progress(student, published).percent == 100
        assert [event.user_id for event in academy.courses_told()].count(student) == 1


def test_the_last_two_lessons_finished_at_once_complete_the_course_once(academy: Academy) -> None:
    rounds = 500
    lessons = [lesson() for _ in range(3)]
    published = academy.publish(course(*lessons))
    students = [academy.student_of(published) for _ in range(rounds)]

    for student in students:
        academy.complete(student, lessons[0].id)
        answers = at_once(*[partial(academy.complete, student, one.id) for one in lessons[1:]])
        assert True in {answer.course_completed for answer in answers}

    told = academy.courses_told()
    assert len(told) == rounds
    assert {event.user_id for event in told} == set(students)
    assert len(academy.lessons_told()) == 3 * rounds


def test_the_last_lesson_finished_by_many_calls_completes_the_course_once(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one))
    for _ in range(20):
        student = academy.student_of(published)

        answers = at_once(*[partial(academy.complete, student, one.id)] * CALLERS)

        assert {answer.course_completed for answer in answers} == {True}
        assert [event.user_id for event in academy.courses_told()].count(student) == 1


@pytest.mark.parametrize("doomed_is_done", [True, False], ids=["finishing the doomed lesson", "finishing another"])
def test_a_completion_that_races_with_a_deletion_is_counted_right(academy: Academy, doomed_is_done: bool) -> None:
    for _ in range(60):
        kept, other, doomed = lesson(), lesson(), lesson()
        published = academy.publish(course(kept, other, doomed))
        student = academy.student_of(published)
        academy.complete(student, kept.id)
        smaller = with_lessons(published, kept, other)

        def lose(smaller: CourseChanged = smaller) -> None:
            academy.publish(smaller)
            academy.settle()

        finished = doomed.id if doomed_is_done else other.id
        at_once(partial(_try_to_complete, academy, student, finished), lose)
        academy.settle()

        assert academy.counter(student, published) == (1 if doomed_is_done else 2)
        progress = academy.progress(student, published)
        assert (progress.completed_lessons, progress.total_lessons) == (1 if doomed_is_done else 2, 2)
        assert (progress.completed_at is not None) == (not doomed_is_done)
        assert [event.user_id for event in academy.courses_told()].count(student) == (0 if doomed_is_done else 1)


@pytest.mark.parametrize("doomed_is_done", [True, False], ids=["finishing the doomed lesson", "finishing another"])
def test_a_completion_that_saw_the_old_outline_but_is_counted_after_the_new_is_counted_again(
    academy: Academy, doomed_is_done: bool
) -> None:
    """Step by step: the outline is read, loses a lesson, the enrollment is recounted, and then the lesson counted."""
    kept, other, doomed = lesson(), lesson(), lesson()
    published = academy.publish(course(kept, other, doomed))
    student = academy.student_of(published)
    academy.complete(student, kept.id)
    academy.catalog.silent = True

    with ThreadPoolExecutor(1) as pool:
        with academy.database.unit_of_work() as recount:
            recount.connection.execute(
                text("select from enrollments where user_id = :user_id for update"), {"user_id": student}
            )
            late = pool.submit(academy.complete, student, doomed.id if doomed_is_done else other.id)
            wait_until_blocked(academy.database)
            academy.publish(with_lessons(published, kept, other))
            completion.count(recount.connection, published.course_id, [student], academy.now)
            recounted(recount.connection, published.course_id, 2)
        done = late.result(10)
    assert (done.first_time, done.percent) == (True, 50 if doomed_is_done else 100)
    academy.catalog.silent = False
    academy.settle()

    assert academy.counter(student, published) == (1 if doomed_is_done else 2)
    assert len(academy.courses_told()) == (0 if doomed_is_done else 1)


def test_a_recount_waits_for_a_completion_under_way_and_sees_it(academy: Academy) -> None:
    kept, other, doomed = lesson(), lesson(), lesson()
    published = academy.publish(course(kept, other, doomed))
    student = academy.student_of(published)
    academy.complete(student, kept.id)

    with ThreadPoolExecutor(1) as pool:
        with academy.database.unit_of_work() as under_way:
            under_way.connection.execute(
                text("insert into lesson_completions values (:user_id, :course_id, :lesson_id, :now, false)"),
                {
                    "user_id": student,
                    "course_id": published.course_id,
                    "lesson_id": other.id,
                    "now": academy.now,
                },
            )
            under_way.connection.execute(
                text("update enrollments set completed_lessons = 2, access = 'free', time_zone = 'UTC'")
            )
            academy.publish(with_lessons(published, kept, other))
            settled = pool.submit(academy.settle)
            wait_until_blocked(academy.database)
        settled.result(10)

    assert academy.counter(student, published) == 2
    assert [event.user_id for event in academy.courses_told()] == [student]


def test_a_first_completion_without_enrollment_that_races_with_a_deletion_is_counted_right(academy: Academy) -> None:
    for _ in range(60):
        kept, doomed = lesson(), lesson()
        published = academy.publish(course(kept, doomed))
        author = published.instructor_id
        smaller = with_lessons(published, kept)

        def lose(smaller: CourseChanged = smaller) -> None:
            academy.publish(smaller)
            academy.settle()

        at_once(partial(_try_to_complete, academy, author, kept.id), lose)
        academy.settle()

        assert academy.progress(author, published).percent == 100
        assert [event.user_id for event in academy.courses_told()].count(author) == 1


def test_many_students_and_a_deletion_at_once_do_not_block_one_another(academy: Academy) -> None:
    lessons = [lesson() for _ in range(4)]
    published = academy.publish(course(*lessons))
    students = [academy.student_of(published) for _ in range(14)]
    for student in students:
        academy.complete(student, lessons[0].id)

    def learn(student: UUID) -> None:
        for one in lessons[1:3]:
            academy.complete(student, one.id)

    def lose() -> None:
        academy.publish(with_lessons(published, *lessons[:3]))
        academy.settle()

    at_once(*[partial(learn, student) for student in students], lose, academy.settle)
    academy.settle()

    assert sorted(event.user_id for event in academy.courses_told()) == sorted(students)
    assert {academy.counter(student, published) for student in students} == {3}


def _try_to_complete(academy: Academy, user_id: UUID, lesson_id: UUID) -> None:
    """Finish a lesson, or come too late for it."""
    with suppress(NotFound):
        academy.complete(user_id, lesson_id)
