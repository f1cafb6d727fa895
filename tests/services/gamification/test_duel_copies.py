"""Quizzes and chapters as catalog tells them; before anything is refused for lack of them, catalog is asked."""

from uuid import uuid4

import pytest

from contracts.errors import Conflict, NotFound, Unavailable
from services.gamification.courses import keep_courses
from services.gamification.quizzes import keep_quizzes
from tests.services.gamification.arena import QUESTIONS, Arena, course, quiz
from tests.services.gamification.game import EVENING


def test_what_the_copies_know_needs_no_catalog(arena: Arena) -> None:
    arena.others.silent = {"catalog"}

    arena.challenge(arena.player(), arena.player())

    assert "get_chapter_state" not in arena.others.asked


def test_a_chapter_of_which_nothing_was_heard_is_asked_of_catalog(arena: Arena) -> None:
    chapter_id = uuid4()
    changed = course(chapter_id)
    arena.others.chapters[chapter_id] = (7, changed, quiz(changed.course_id, chapter_id=chapter_id))

    duel = arena.challenge(arena.player(), arena.player(), chapter_id)

    assert (duel.questions, duel.chapter_title) == (3, "Un chapitre")
    arena.others.silent = {"catalog"}
    arena.challenge(arena.player(), arena.player(), chapter_id)


def test_a_quiz_written_a_moment_ago_is_asked_of_catalog(arena: Arena) -> None:
    chapter_id = uuid4()
    changed = course(chapter_id)
    arena.publish(changed, (), 1)
    arena.others.chapters[chapter_id] = (2, changed, quiz(changed.course_id, chapter_id=chapter_id))

    assert arena.challenge(arena.player(), arena.player(), chapter_id).questions == 3


def test_while_catalog_is_silent_nothing_is_said_not_to_be_there(arena: Arena) -> None:
    without_quiz = arena.chapter(())
    unpublished = arena.shared(arena.player(), arena.chapter(status="unpublished"))
    arena.others.silent = {"catalog"}

    for chapter_id in (without_quiz, uuid4()):
        with pytest.raises(Unavailable):
            arena.challenge(arena.player(), arena.player(), chapter_id)
    with pytest.raises(Unavailable):
        arena.look(unpublished)


def test_while_progress_is_silent_nobody_is_said_to_have_no_access(arena: Arena) -> None:
    arena.others.silent = {"progress"}

    with pytest.raises(Unavailable):
        arena.challenge(arena.player(), arena.player())


def test_a_course_published_a_moment_ago_opens_its_challenges(arena: Arena) -> None:
    chapter_id = uuid4()
    changed = course(chapter_id, status="unpublished")
    arena.publish(changed, QUESTIONS, 1)
    token = arena.shared(arena.player(), chapter_id)
    published = course(chapter_id, course_id=changed.course_id)
    arena.others.chapters[chapter_id] = (2, published, quiz(changed.course_id, chapter_id=chapter_id))

    assert arena.look(token).score == 1000


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 1, 2, 3)])
def test_states_in_any_order_and_repeated_leave_the_newest(arena: Arena, order: tuple[int, ...]) -> None:
    kept, dropped, course_id = uuid4(), uuid4(), uuid4()
    courses = {
        1: course(kept, dropped, course_id=course_id),
        2: course(dropped, course_id=course_id),
        3: course(kept, course_id=course_id, title="Neuf"),
    }
    quizzes = {number: quiz(course_id, QUESTIONS[:number], chapter_id=kept) for number in courses}

    for number in order:
        with arena.database.unit_of_work() as unit_of_work:
            keep_courses(unit_of_work.connection, [(courses[number], number)])
            keep_quizzes(unit_of_work.connection, [(quizzes[number], number)])

    found = arena.chapters.with_quiz(kept)
    assert found is not None
    assert (found.course_title, found.questions) == ("Neuf", QUESTIONS)
    assert arena.chapters.with_quiz(dropped) is None


def test_many_states_in_one_batch_leave_the_newest_of_each(arena: Arena) -> None:
    chapters = [uuid4() for _ in range(3)]
    told = [(course(chapter), quiz(uuid4(), chapter_id=chapter)) for chapter in chapters]

    with arena.database.unit_of_work() as unit_of_work:
        keep_courses(unit_of_work.connection, [(changed, n) for changed, _ in told for n in (2, 1)])
        gone = [quiz(uuid4(), (), chapter_id=chapter) for chapter in chapters]
        keep_quizzes(unit_of_work.connection, [*((one, 1) for _, one in told), *((one, 2) for one in gone)])

    for chapter_id in chapters:
        arena.others.chapters[chapter_id] = (2, course(chapter_id), quiz(uuid4(), (), chapter_id=chapter_id))
        with pytest.raises(Conflict, match="no-quiz"):
            arena.challenge(arena.player(), arena.player(), chapter_id)


def test_a_deleted_chapter_is_no_ground_for_a_duel_and_closes_its_challenges(arena: Arena) -> None:
    chapter_id = uuid4()
    changed = course(chapter_id)
    arena.publish(changed, QUESTIONS, 1)
    challenger = arena.player()
    token = arena.shared(challenger, chapter_id)
    with arena.database.unit_of_work() as unit_of_work:
        keep_courses(unit_of_work.connection, [(course(course_id=changed.course_id), 2)])
    del arena.others.chapters[chapter_id]

    with pytest.raises(NotFound):
        arena.look(token)
    with pytest.raises(NotFound):
        arena.challenge(arena.player(), challenger, chapter_id)
    listed = arena.page(challenger).items[0]
    assert (listed.chapter_title, listed.created_at) == (None, EVENING)
