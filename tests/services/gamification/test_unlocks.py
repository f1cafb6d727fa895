"""Bonus courses: whichever comes first, the streak or the course, the student gets it, once and for good."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import text

from contracts.events.catalog import CourseChanged, Unlock
from contracts.events.gamification import CourseUnlocked
from services.gamification import unlocks
from services.gamification.courses import keep_courses
from services.gamification.handlers import learning
from tests.services.gamification.game import EVENING, Game, bonus_course, day_studied, delivered
from tests.services.locks import wait_until_blocked

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _nothing_before(game: Game) -> None:
    with game.database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(
            text("truncate unlock_sweeps, unlocked_courses, chapter_copies, course_copies, outbox")
        )


def learn(game: Game, student: UUID, *days: int) -> None:
    """Let the student learn on these days."""
    game.hear(*(day_studied(student, EVENING + n * DAY) for n in days))


def changed(course: CourseChanged, **changes: object) -> CourseChanged:
    return msgspec.structs.replace(course, **changes)


def test_a_streak_that_is_long_enough_opens_the_course(game: Game, student: UUID) -> None:
    course = game.change(bonus_course())
    learn(game, student, 0, 1)
    assert game.unlocked(student) == []

    learn(game, student, 2)

    [told] = game.told(CourseUnlocked, student)
    assert (told.course_id, told.streak_days, told.unlocked_at) == (course.course_id, 3, EVENING + 2 * DAY)
    [row] = game.outbox(CourseUnlocked, student)
    assert row.causation_id is not None


def test_it_is_opened_once_however_often_the_days_are_reached(game: Game, student: UUID) -> None:
    course = game.change(bonus_course())
    learn(game, student, 0, 1, 2)
    learn(game, student, 3)
    learn(game, student, 10, 11, 12, 13, 14)
    game.change(course, sequence=2)
    game.sweep()

    assert game.unlocked(student) == [course.course_id]


def test_who_reached_the_days_before_it_was_published_gets_it_too_whatever_became_of_the_streak(
    game: Game, student: UUID
) -> None:
    learn(game, student, 0, 1, 2, 30)
    draft = game.change(bonus_course(status="draft", published_at=None))
    game.sweep()
    assert game.unlocked(student) == []

    game.change(changed(draft, status="published"), sequence=2)
    game.sweep(EVENING + 40 * DAY)

    [told] = game.told(CourseUnlocked, student)
    assert (told.course_id, told.unlocked_at) == (draft.course_id, EVENING + 40 * DAY)


def test_an_edit_that_opens_it_to_nobody_new_lets_nobody_be_looked_through(game: Game) -> None:
    course = game.change(bonus_course())
    game.sweep()

    game.change(changed(course, title="Le cours encore plus secret"), sequence=2)
    game.change(changed(course, unlock=Unlock(4)), sequence=3)
    assert sweeps_planned(game) == 0
    game.change(changed(course, unlock=Unlock(3)), sequence=4)
    assert sweeps_planned(game) == 1
    game.sweep()
    game.change(changed(course, status="archived"), sequence=5)
    game.change(changed(course, status="published"), sequence=6)
    assert sweeps_planned(game) == 1


def sweeps_planned(game: Game) -> int:
    """Of how many courses it is planned to look through all students."""
    with game.database.single_statement() as unit_of_work:
        return unit_of_work.connection.execute(text("select count(*) from unlock_sweeps")).scalar_one()


def test_who_reached_what_it_asks_for_now_gets_it(game: Game, student: UUID) -> None:
    course = game.change(bonus_course(unlock=Unlock(7)))
    learn(game, student, 0, 1, 2, 3, 4)
    game.sweep()
    assert game.unlocked(student) == []

    game.change(changed(course, unlock=Unlock(5)), sequence=2)
    game.sweep()

    assert game.unlocked(student) == [course.course_id]


@pytest.mark.parametrize("changes", [{"status": "unpublished"}, {"status": "archived"}, {"unlock": None}])
def test_what_is_no_published_bonus_course_opens_to_nobody(
    game: Game, student: UUID, changes: dict[str, object]
) -> None:
    course = game.change(bonus_course())
    learn(game, student, 0, 1)
    game.change(changed(course, **changes), sequence=2)

    learn(game, student, 2)
    game.sweep()

    assert game.unlocked(student) == []


def test_an_older_state_that_arrives_late_opens_nothing(game: Game, student: UUID) -> None:
    learn(game, student, 0, 1, 2)
    course = game.change(bonus_course(status="unpublished"), sequence=5)

    game.change(changed(course, status="published"), sequence=4)
    game.sweep()

    assert game.unlocked(student) == []


def test_many_students_are_given_it_some_at_a_time_and_a_sweep_goes_on_where_it_ended(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlocks, "SWEPT_AT_ONCE", 2)
    monkeypatch.setattr(unlocks, "SWEEPS_AT_A_TIME", 1)
    students = sorted(uuid4() for _ in range(5))
    for student in students:
        learn(game, student, 0, 1, 2)
    course = game.change(bonus_course())

    game.sweep()
    assert [len(game.unlocked(student)) for student in students].count(1) <= 2
    for _ in range(100):
        game.sweep()

    assert [game.unlocked(student) for student in students] == [[course.course_id]] * 5
    with game.database.single_statement() as unit_of_work:
        assert unit_of_work.connection.scalar(text("select count(*) from unlock_sweeps")) == 0


def test_a_course_published_while_a_streak_is_reached_waits_for_it(game: Game, student: UUID) -> None:
    learn(game, student, 0, 1)
    course = bonus_course()
    with ThreadPoolExecutor(1) as other:
        with game.database.unit_of_work() as unit_of_work:
            learning.students_learned(
                unit_of_work, [delivered(day_studied(student, EVENING + 2 * DAY))], "UTC", EVENING
            )
            published = other.submit(game.change, course)
            wait_until_blocked(game.database)
        published.result(timeout=10)
    assert game.unlocked(student) == []

    game.sweep()

    assert game.unlocked(student) == [course.course_id]


def test_a_streak_reached_while_a_course_is_published_waits_for_it(game: Game, student: UUID) -> None:
    learn(game, student, 0, 1)
    course = bonus_course()
    with ThreadPoolExecutor(1) as other:
        with game.database.unit_of_work() as unit_of_work:
            keep_courses(unit_of_work.connection, [(course, 1)])
            reached = other.submit(learn, game, student, 2)
            wait_until_blocked(game.database)
        reached.result(timeout=10)

    assert game.unlocked(student) == [course.course_id]


def test_learnings_changes_of_courses_and_sweeps_at_once_give_each_student_each_course_once(
    crowded_game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = crowded_game
    monkeypatch.setattr(unlocks, "SWEPT_AT_ONCE", 7)
    students = [uuid4() for _ in range(40)]
    courses = [bonus_course(), bonus_course(unlock=Unlock(2))]
    begin = threading.Barrier(8)

    def learns(seed: int) -> None:
        events = [day_studied(student, EVENING + n * DAY) for student in students for n in range(3)]
        events = Random(seed).sample(events, len(events))
        begin.wait()
        for start in range(0, len(events), 10):
            game.hear(*events[start : start + 10])

    def publishes(course: CourseChanged) -> None:
        begin.wait()
        for sequence in range(1, 6):
            game.change(course, sequence)
            game.sweep()

    def sweeps() -> None:
        begin.wait()
        for _ in range(20):
            game.sweep()

    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(learns, seed) for seed in range(4)]
        work += [pool.submit(publishes, course) for course in courses]
        work += [pool.submit(sweeps) for _ in range(2)]
        for one in work:
            one.result(timeout=60)
    game.sweep()

    expected = sorted(course.course_id for course in courses)
    assert all(sorted(game.unlocked(student)) == expected for student in students)
