"""Many authors at the same moment, on real threads and a real database."""

from collections import Counter
from collections.abc import Callable
from random import Random
from uuid import uuid4

import pytest

from contracts.errors import Conflict, Invalid, NotFound, ServiceError
from contracts.events.catalog import CourseChanged
from services.catalog import handlers, queries
from services.catalog.answers import Course
from services.catalog.commands import CourseChanges, LessonChanges, OrderedChapter
from services.catalog.domain.access import Viewer
from tests.services.catalog.catalogue import QUESTIONS, VTT, Catalogue, at_once, lesson_fields

AT_ONCE = 12


def test_the_same_title_at_once_gives_each_course_a_slug_of_its_own(catalogue: Catalogue) -> None:
    authors = [Viewer(uuid4(), "instructor") for _ in range(AT_ONCE)]
    found = at_once([lambda author=author: catalogue.course(author=author, title="Été") for author in authors])  # type: ignore[misc]
    slugs = [course.slug for course in found if isinstance(course, Course)]
    assert sorted(slugs) == sorted(["ete", *(f"ete-{number}" for number in range(2, AT_ONCE + 1))])


def test_the_same_given_slug_at_once_is_one_courses_only(catalogue: Catalogue) -> None:
    found = at_once([lambda: catalogue.course(slug="python") for _ in range(AT_ONCE)])
    assert len([course for course in found if isinstance(course, Course)]) == 1
    errors = [error for error in found if isinstance(error, ServiceError)]
    assert all(isinstance(error, Invalid) and error.errors[0].code == "slug-taken" for error in errors)


def test_the_same_slug_wanted_by_two_courses_at_once_is_given_to_one(catalogue: Catalogue) -> None:
    courses = [catalogue.course() for _ in range(AT_ONCE)]

    def take(course: Course) -> Course:
        return catalogue.do(handlers.update_course, catalogue.author, course.id, CourseChanges(slug="convoite"))

    found = at_once([lambda course=course: take(course) for course in courses])  # type: ignore[misc]
    assert Counter(isinstance(answer, Course) for answer in found) == {True: 1, False: AT_ONCE - 1}


def test_lessons_added_at_once_stand_one_after_another(catalogue: Catalogue) -> None:
    course = catalogue.course()
    chapter = catalogue.chapter(course)
    at_once([lambda: catalogue.lesson(chapter) for _ in range(AT_ONCE)])
    (found,) = catalogue.read(queries.get_course_with_chapters, course.id, catalogue.author).chapters
    assert [lesson.position for lesson in found.lessons] == list(range(1, AT_ONCE + 1))


def test_events_of_changes_at_once_are_each_one_larger_and_the_last_is_the_truth(catalogue: Catalogue) -> None:
    course = catalogue.course()
    chapters = [catalogue.chapter(course) for _ in range(3)]
    lessons = [catalogue.lesson(chapter) for chapter in chapters for _ in range(2)]
    random = Random(20261123)

    def order() -> list[OrderedChapter]:
        present = catalogue.read(queries.get_course_with_chapters, course.id, catalogue.author).chapters
        ids = [lesson.id for chapter in present for lesson in chapter.lessons]
        random.shuffle(ids)
        return [OrderedChapter(chapter.id, tuple(ids[index::3])) for index, chapter in enumerate(present)]

    author = catalogue.author
    works: list[Callable[[], object]] = [
        lambda: catalogue.do(handlers.set_order, author, course.id, order()),
        lambda: catalogue.do(handlers.set_order, author, course.id, order()),
        lambda: catalogue.do(handlers.delete_lesson, author, lessons[0].id),
        lambda: catalogue.do(handlers.delete_lesson, author, lessons[0].id),
        lambda: catalogue.do(handlers.delete_chapter, author, chapters[2].id),
        lambda: catalogue.do(handlers.create_lesson, author, chapters[1].id, lesson_fields()),
        lambda: catalogue.do(handlers.update_lesson, author, lessons[2].id, LessonChanges(title="Autre")),
        lambda: catalogue.do(handlers.set_quiz, author, chapters[0].id, 20, QUESTIONS),
        lambda: catalogue.do(handlers.set_transcript, author, lessons[1].id, VTT),
        lambda: catalogue.do(handlers.publish_course, author, course.id),
    ]
    found = at_once(works)
    assert all(isinstance(e, NotFound | Invalid | Conflict) for e in found if isinstance(e, ServiceError)), found
    events = catalogue.course_events(course.id)
    assert [told.sequence for told in events] == list(range(1, len(events) + 1))
    done = sum(not isinstance(answer, ServiceError) for answer in found)
    assert len(events) == 1 + len(chapters) + len(lessons) + done
    state = catalogue.read(queries.get_outline, course_id=course.id)
    assert (events[-1].sequence, events[-1].event) == (state.sequence, state.course)


def test_an_outline_read_while_lessons_are_added_is_that_of_its_sequence(catalogue: Catalogue) -> None:
    course = catalogue.course()
    chapter = catalogue.chapter(course)
    before = 2

    def read() -> bool:
        with catalogue.database.snapshot() as connection:
            state = queries.get_outline(connection, course_id=course.id)
        return len(state.course.chapters[0].lessons) == state.sequence - before

    add = [lambda: catalogue.lesson(chapter) for _ in range(3 * AT_ONCE)]
    found = at_once([*add, *[lambda: all(read() for _ in range(20))] * 3])
    assert found[-3:] == [True, True, True]


@pytest.mark.parametrize("attempt", range(5))
def test_the_last_two_lessons_of_a_published_course_cannot_both_go(catalogue: Catalogue, attempt: int) -> None:
    course = catalogue.published(lessons=2)
    (chapter,) = catalogue.read(queries.get_course_with_chapters, course.id, catalogue.author).chapters
    found = at_once(
        [
            lambda lesson=lesson: catalogue.do(handlers.delete_lesson, catalogue.author, lesson.id)  # type: ignore[misc]
            for lesson in chapter.lessons
        ]
    )
    assert Counter(isinstance(answer, Conflict) for answer in found) == {True: 1, False: 1}


@pytest.mark.parametrize("attempt", range(5))
def test_a_course_is_published_or_deleted_but_never_both(catalogue: Catalogue, attempt: int) -> None:
    course = catalogue.course()
    catalogue.lesson(catalogue.chapter(course))
    works: list[Callable[[], object]] = [
        lambda: catalogue.do(handlers.publish_course, catalogue.author, course.id),
        lambda: catalogue.do(handlers.delete_course, catalogue.author, course.id),
    ]
    found = at_once(works)
    assert Counter(isinstance(answer, ServiceError) for answer in found) == {True: 1, False: 1}
    state = catalogue.read(queries.get_outline, course_id=course.id)
    assert state.course.status == ("deleted" if isinstance(found[0], ServiceError) else "published")


def test_publishing_at_once_tells_it_once(catalogue: Catalogue) -> None:
    course = catalogue.course()
    catalogue.lesson(catalogue.chapter(course))
    found = at_once(
        [lambda: catalogue.do(handlers.publish_course, catalogue.author, course.id) for _ in range(AT_ONCE)]
    )
    assert len({answer.published_at for answer in found if isinstance(answer, Course)}) == 1
    told = [event.event for event in catalogue.course_events(course.id)]
    assert sum(isinstance(event, CourseChanged) and event.status == "published" for event in told) == 1
