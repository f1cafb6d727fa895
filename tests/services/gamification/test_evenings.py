"""What students are told of their flames while they do not learn: once, in their own evening."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from contracts.events.gamification import StreakEndangered, StreakFrozen
from services.gamification.handlers import evenings, learning
from tests.services.gamification.game import EVENING, PARIS, TOKYO, Game, day_studied, delivered, lesson_done

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def local(day: int, hour: int, minute: int = 0, zone: str = PARIS) -> datetime:
    """An hour of a day in November."""
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def endangered(game: Game, student: UUID) -> list[tuple[date, str, datetime]]:
    """The evenings that were told."""
    return [(event.local_date, event.time_zone, event.dies_at) for event in game.told(StreakEndangered, student)]


def look_every_hour(game: Game, first: datetime, hours: int) -> None:
    for n in range(hours):
        game.look(first + n * timedelta(hours=1))


def test_who_has_not_learned_today_is_told_at_seven_in_the_evening(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))

    game.look(local(24, 18, 59))
    assert endangered(game, student) == []
    game.look(local(24, 19))

    [told] = game.told(StreakEndangered, student)
    assert (told.local_date, told.current, told.dies_at) == (date(2026, 11, 24), 1, local(25, 0))


def test_it_is_told_once_an_evening(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))
    look_every_hour(game, EVENING, 48)
    game.hear(day_studied(student, EVENING - 10 * DAY))
    look_every_hour(game, local(24, 20), 3)

    assert len(endangered(game, student)) == 1


def test_who_has_learned_today_hears_nothing_until_the_next_evening(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))
    game.hear(lesson_done(student, completed_at=local(24, 12)))

    look_every_hour(game, local(24, 13), 48)

    assert [day for day, _, _ in endangered(game, student)] == [date(2026, 11, 25)]


def test_who_has_a_freeze_is_told_of_the_day_it_saved_and_then_of_the_last_evening(game: Game, student: UUID) -> None:
    game.enrich(student)
    game.hear(lesson_done(student))
    game.buy(student)

    look_every_hour(game, EVENING, 24 * 5)

    frozen = [(event.local_date.day, event.current, event.freezes) for event in game.told(StreakFrozen, student)]
    assert frozen == [(24, 1, 0)]
    assert [day for day, _, _ in endangered(game, student)] == [date(2026, 11, 25)]
    row = game.student(student)
    assert row is not None
    assert row.look_at is None


def test_what_was_learned_just_before_midnight_is_waited_for_before_a_day_is_called_frozen(
    game: Game, student: UUID
) -> None:
    game.enrich(student)
    game.hear(lesson_done(student))
    game.buy(student)

    game.look(local(25, 0, 1))
    game.hear(lesson_done(student, completed_at=local(24, 23, 59)))
    game.look(local(25, 0, 11))

    assert game.told(StreakFrozen, student) == []


def test_a_day_told_of_at_night_is_not_told_again_on_the_next_learning(game: Game, student: UUID) -> None:
    game.enrich(student)
    game.hear(lesson_done(student))
    game.buy(student)
    game.look(local(25, 1))
    game.hear(lesson_done(student, completed_at=local(25, 12)))

    assert len(game.told(StreakFrozen, student)) == 1


def test_it_is_the_evening_of_where_the_student_is_now(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student, completed_at=local(23, 6)))
    game.move(student, TOKYO, now=local(23, 7))

    look_every_hour(game, local(23, 8), 60)

    assert endangered(game, student) == [(date(2026, 11, 24), TOKYO, local(25, 0))]
    [told] = game.told(StreakEndangered, student)
    # midnight in Paris is eight in the morning in Tokyo: the evening before is the last
    assert told.dies_at == local(25, 8, zone=TOKYO)


def test_who_moves_east_after_learning_is_not_told_too_late(game: Game, student: UUID) -> None:
    zone = "America/Los_Angeles"
    game.move(student, zone)
    game.hear(lesson_done(student, completed_at=local(23, 8, zone=zone), time_zone=zone))
    game.look(local(23, 9, zone=zone))

    game.move(student, PARIS, sequence=2, now=local(24, 10))
    game.look(local(24, 10))
    game.look(local(24, 19))

    assert endangered(game, student) == [(date(2026, 11, 24), PARIS, local(25, 0, zone=zone))]


def test_a_flame_that_went_out_while_nobody_looked_is_not_told_of(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))

    game.look(local(25, 0))

    assert endangered(game, student) == []
    row = game.student(student)
    assert row is not None
    assert row.look_at is None


def test_several_processes_look_at_the_same_time_and_tell_each_once(
    crowded_game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = crowded_game
    monkeypatch.setattr(evenings, "LOOKED_AT_ONCE", 7)
    students = [uuid4() for _ in range(60)]
    for student in students[:30]:
        game.enrich(student)
    game.hear(*(lesson_done(student) for student in students))
    for student in students[:30]:
        game.buy(student)
    begin = threading.Barrier(6)

    def looks() -> None:
        begin.wait()
        for hour in range(60):
            game.look(EVENING + timedelta(hours=hour))

    def learns() -> None:
        begin.wait()
        for student in students:
            game.hear(day_studied(student, EVENING - 30 * DAY))

    with ThreadPoolExecutor(6) as pool:
        for one in [*(pool.submit(looks) for _ in range(4)), *(pool.submit(learns) for _ in range(2))]:
            one.result(timeout=60)
    game.look(EVENING + timedelta(hours=60))

    assert [len(game.told(StreakFrozen, student)) for student in students] == [1] * 30 + [0] * 30
    assert all(len(game.told(StreakEndangered, student)) <= 1 for student in students)
    game.assert_adds_up(*students)


def test_a_look_does_not_wait_for_a_student_who_is_learning(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))
    other = uuid4()
    game.hear(lesson_done(other))

    with ThreadPoolExecutor(1) as pool, game.database.unit_of_work() as unit_of_work:
        learning.students_learned(
            unit_of_work, [delivered(lesson_done(student, completed_at=local(24, 19)))], "UTC", EVENING
        )
        pool.submit(game.look, local(24, 19)).result(timeout=10)

    assert endangered(game, student) == []
    assert len(endangered(game, other)) == 1
