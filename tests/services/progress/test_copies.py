"""The copy of catalog's outlines: any order, duplicates, tombstones, and what is asked before a refusal."""

from itertools import permutations
from uuid import uuid4

import msgspec
import pytest

from contracts.errors import Conflict, Forbidden, NotFound, Unavailable
from contracts.events.catalog import CourseChanged
from tests.services.progress.academy import Academy, course, lesson, lessons_of, with_lessons


def copy_of(academy: Academy, changed: CourseChanged) -> tuple[int, str, list[object], list[object]]:
    """Sequence, status, lessons in the course's order, lessons known by themselves."""
    [row] = academy.execute(
        "select sequence, status, lesson_ids from course_copies where course_id = :id", id=changed.course_id
    )
    lessons = academy.execute(
        "select lesson_id from lesson_copies where course_id = :id order by lesson_id", id=changed.course_id
    )
    return row.sequence, row.status, row.lesson_ids, [one.lesson_id for one in lessons]


def test_in_whatever_order_events_arrive_the_newest_state_stays(academy: Academy) -> None:
    one, two, three = lesson(), lesson(), lesson()
    for order in permutations(range(3)):
        first = course(one, two)
        academy.execute("delete from lesson_copies; delete from course_copies")
        states = [
            (first, 1),
            (with_lessons(first, two), 2),
            (msgspec.structs.replace(with_lessons(first, three, two), status="archived"), 3),
        ]

        for index in order:
            academy.hear(states[index])
            academy.hear(states[index])

        assert copy_of(academy, first) == (3, "archived", [three.id, two.id], sorted([two.id, three.id]))


def test_a_batch_with_many_states_of_many_courses_keeps_the_newest_of_each(academy: Academy) -> None:
    one, other = course(lesson()), course(lesson())
    newer = with_lessons(one, lesson(), lesson())

    academy.hear((newer, 2), (other, 1), (one, 1))

    assert copy_of(academy, one)[2] == lessons_of(newer)
    assert copy_of(academy, other)[2] == lessons_of(other)


def test_changed_lessons_are_copied(academy: Academy) -> None:
    one = lesson("Avant")
    published = academy.publish(course(one, lesson()))
    ber = academy.student_of(published)
    changed = msgspec.structs.replace(one, title="Après", kind="project")

    academy.publish(with_lessons(published, lesson(), changed))

    route = academy.next(ber, one.id)
    assert route.lesson is not None
    with pytest.raises(Conflict, match="project-missing"):
        academy.complete(ber, one.id)
    assert academy.execute("select title from lesson_copies where lesson_id = :id", id=one.id)[0].title == "Après"


def test_a_deleted_course_stays_as_a_tombstone(academy: Academy) -> None:
    draft = academy.publish(course(lesson(), status="draft"))
    deleted = academy.publish(msgspec.structs.replace(draft, status="deleted"))

    academy.hear((draft, 1))

    assert copy_of(academy, deleted) == (2, "deleted", [], [])
    with pytest.raises(NotFound):
        academy.access(draft.instructor_id, draft.course_id)


def test_a_lesson_not_heard_of_is_asked_for_and_then_known(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one, lesson()), heard=False)
    author = published.instructor_id

    assert academy.open(author, one.id).access == "author"
    assert academy.complete(author, one.id).percent == 50
    assert academy.progress(author, published).completed_lessons == 1
    assert academy.catalog.calls == [{"lesson_id": one.id}]


def test_a_course_not_heard_of_is_taken_for_free(academy: Academy) -> None:
    published = academy.publish(course(lesson()), heard=False)
    ber = academy.student_of(published)

    assert academy.access(ber, published.course_id).reason == "free"
    assert len(academy.catalog.calls) == 1


def test_a_lesson_added_a_moment_ago_is_found(academy: Academy) -> None:
    published = academy.publish(course(lesson()))
    ber = academy.student_of(published)
    new = lesson()
    academy.publish(with_lessons(published, published.chapters[0].lessons[0], new), heard=False)

    assert academy.complete(ber, new.id).percent == 50


def test_an_answer_older_than_the_copy_changes_nothing(academy: Academy) -> None:
    published = academy.publish(course(lesson()))
    newer = with_lessons(published, lesson(), lesson())
    academy.hear((newer, 9))

    with pytest.raises(NotFound):
        academy.open(uuid4(), published.chapters[0].lessons[0].id)

    assert copy_of(academy, published)[2] == lessons_of(newer)


def test_what_catalog_does_not_know_is_not_there(academy: Academy) -> None:
    stranger = uuid4()

    for attempt in (
        lambda: academy.open(stranger, uuid4()),
        lambda: academy.complete(stranger, uuid4(), "admin"),
        lambda: academy.access(stranger, uuid4(), "admin"),
        lambda: academy.progress(stranger, course()),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_while_catalog_is_silent_nothing_is_refused_for_good(academy: Academy) -> None:
    known = academy.publish(course(lesson()))
    academy.catalog.silent = True
    stranger = uuid4()

    for attempt in (
        lambda: academy.open(stranger, uuid4()),
        lambda: academy.complete(stranger, uuid4()),
        lambda: academy.open(stranger, known.chapters[0].lessons[0].id),
        lambda: academy.access(stranger, uuid4()),
        lambda: academy.progress(stranger, course()),
    ):
        with pytest.raises(Unavailable):
            attempt()


def test_while_catalog_is_silent_the_enrolled_learn_without_any_call(academy: Academy) -> None:
    first, second = lesson(), lesson()
    published = academy.publish(course(first, second))
    ber = academy.student_of(published)
    academy.catalog.silent = True

    academy.open(ber, first.id)
    academy.report(ber, first.id, 3)
    assert academy.complete(ber, first.id).first_time
    assert academy.next(ber, first.id).lesson is not None
    assert academy.progress(ber, published).percent == 50
    assert academy.access(uuid4(), published.course_id).reason == "none"
    assert academy.catalog.calls == []


def test_no_transaction_is_open_while_catalog_is_asked(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one))
    ber = academy.student_of(published)
    in_use = []
    pool = academy.database.engine.pool
    academy.catalog.before_answer = lambda: in_use.append(pool.checkedout())  # type: ignore[attr-defined]

    academy.complete(ber, one.id)
    with pytest.raises(Forbidden):
        academy.open(uuid4(), one.id)

    assert in_use == [0, 0]
