"""XP, points and levels from what students finish."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from contracts.events.accounts import UserChanged
from contracts.events.gamification import LevelReached, XpAwarded
from services.gamification.domain.levels import Level
from services.gamification.domain.streak import UnknownTimeZone
from tests.services.gamification.game import EVENING, Game, course_done, day_studied, delivered, lesson_done


def test_a_lesson_earns_xp_and_points(game: Game, student: UUID) -> None:
    done = lesson_done(student)

    game.hear(done)

    seen = game.of(student)
    assert (seen.xp, seen.points, seen.level) == (20, 20, Level(1, 0, 100))
    assert game.rows(student) == [("lesson", done.lesson_id, 20, 20)]


def test_a_finished_course_earns_50_more(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student), course_done(student))

    assert game.of(student).xp == game.of(student).points == 70


def test_a_lesson_counts_once_in_one_batch_or_in_several_and_under_any_event_id(game: Game, student: UUID) -> None:
    done, course = lesson_done(student), course_done(student)

    game.hear(done, done, course)
    game.hear(course, done)

    assert game.of(student).xp == 70
    assert len(game.rows(student)) == 2
    assert len(game.told(XpAwarded, student)) == 2


@pytest.mark.parametrize("access", ["author", "admin"])
def test_authors_and_admins_get_rows_of_0_but_their_flame_burns(game: Game, student: UUID, access: str) -> None:
    game.hear(lesson_done(student, access=access), course_done(student, access=access))

    seen = game.of(student)
    assert (seen.xp, seen.points, seen.streak.current) == (0, 0, 1)
    assert [row[2:] for row in game.rows(student)] == [(0, 0), (0, 0)]


def test_what_counted_as_0_stays_0(game: Game, student: UUID) -> None:
    as_author = lesson_done(student, access="author")
    as_student = lesson_done(student, lesson_id=as_author.lesson_id)

    game.hear(as_author)
    game.hear(as_student)

    assert game.of(student).xp == 0


def test_of_the_hasty_ones_of_a_day_20_earn_and_later_ones_are_rows_of_0(game: Game, student: UUID) -> None:
    game.hear(*(lesson_done(student, hasty=True) for _ in range(15)))
    game.hear(*(lesson_done(student, hasty=True) for _ in range(10)))
    game.hear(lesson_done(student, hasty=True), lesson_done(student))

    rows = game.rows(student)
    assert len(rows) == 27
    assert sum(row[2] == 20 for row in rows) == 21
    assert game.of(student).xp == 21 * 20


def test_a_hasty_one_that_comes_again_takes_no_other_ones_place(game: Game, student: UUID) -> None:
    first = lesson_done(student, hasty=True)
    game.hear(first, *(lesson_done(student, hasty=True) for _ in range(18)))

    game.hear(first, lesson_done(student, hasty=True, completed_at=EVENING + timedelta(minutes=1)))

    assert [xp for _, _, xp, _ in game.rows(student)] == [20] * 20


def test_the_hasty_ones_are_counted_by_the_students_own_local_day(game: Game, student: UUID) -> None:
    before_midnight = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
    after_midnight = before_midnight + timedelta(hours=1)

    game.hear(*(lesson_done(student, hasty=True, completed_at=before_midnight) for _ in range(21)))
    game.hear(*(lesson_done(student, hasty=True, completed_at=after_midnight) for _ in range(21)))

    assert game.of(student).xp == 40 * 20


def test_hasty_ones_of_an_author_do_not_use_up_the_day(game: Game, student: UUID) -> None:
    game.hear(*(lesson_done(student, hasty=True, access="author") for _ in range(20)))
    game.hear(*(lesson_done(student, hasty=True) for _ in range(20)))

    assert game.of(student).xp == 20 * 20


def test_everyone_has_hasty_ones_of_their_own(game: Game) -> None:
    students = [uuid4() for _ in range(3)]

    game.hear(*(lesson_done(student, hasty=True) for student in students for _ in range(25)))

    assert [game.of(student).xp for student in students] == [400, 400, 400]


def test_each_award_is_told_with_the_totals_it_led_to(game: Game, student: UUID) -> None:
    first = lesson_done(student, completed_at=EVENING)
    second = lesson_done(student, completed_at=EVENING + timedelta(minutes=5))

    game.hear(second, first)

    told = game.told(XpAwarded, student)
    assert [(event.source_id, event.total_xp, event.total_points) for event in told] == [
        (first.lesson_id, 20, 20),
        (second.lesson_id, 40, 40),
    ]
    assert [event.awarded_at for event in told] == [first.completed_at, second.completed_at]
    assert {(event.kind, event.xp, event.points) for event in told} == {("lesson", 20, 20)}


def test_what_is_told_names_its_cause_also_from_a_batch(game: Game, student: UUID) -> None:
    facts = [delivered(lesson_done(student)), delivered(lesson_done(student))]

    game.receive(facts)

    causes = {(row.causation_id, row.correlation_id) for row in game.outbox(XpAwarded, student)}
    assert causes == {(str(envelope.id), envelope.correlation_id) for envelope, _ in facts}


def test_a_level_is_told_once_when_its_xp_is_reached(game: Game, student: UUID) -> None:
    for _ in range(4):
        game.hear(lesson_done(student))
    assert game.told(LevelReached, student) == []

    done = lesson_done(student)
    game.hear(done)
    game.hear(done, lesson_done(student))

    assert [(event.level, event.total_xp) for event in game.told(LevelReached, student)] == [(2, 100)]
    assert game.of(student).level == Level(2, 100, 300)


def test_every_level_passed_in_one_batch_is_told(game: Game, student: UUID) -> None:
    game.hear(*(lesson_done(student) for _ in range(30)))

    assert [event.level for event in game.told(LevelReached, student)] == [2, 3, 4]


def test_a_day_of_study_earns_no_xp(game: Game, student: UUID) -> None:
    game.hear(day_studied(student))

    assert game.of(student).xp == 0
    assert game.rows(student) == []
    assert game.told(XpAwarded, student) == []


def test_an_event_that_cannot_be_understood_leaves_nothing_of_its_batch(game: Game, student: UUID) -> None:
    with pytest.raises(UnknownTimeZone):
        game.hear(lesson_done(student), lesson_done(student, time_zone="Mars/Olympus"))
    assert game.student(student) is None

    changed = UserChanged(
        user_id=student, role="student", status="active", time_zone="UTC", locale="fr", email_verified=True
    )
    with pytest.raises(TypeError, match=r"accounts\.user_changed\.v1"):
        game.hear(changed)
