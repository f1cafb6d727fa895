"""The streak as events arrive."""

from datetime import timedelta
from uuid import UUID

from contracts.events.gamification import StreakExtended
from tests.services.gamification.game import EVENING, TOKYO, Game, course_done, day_studied, lesson_done

DAY = timedelta(days=1)


def test_a_first_completion_lights_the_flame(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))

    streak = game.of(student).streak
    assert (streak.current, streak.longest, streak.today_done) == (1, 1, True)
    assert streak.alive_until == EVENING.replace(hour=23, minute=0) + DAY


def test_five_minutes_of_study_keep_it_alive(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))
    game.hear(day_studied(student, EVENING + DAY))

    assert game.of(student, EVENING + DAY).streak.current == 2


def test_today_not_yet_done_shows_it_alive_until_the_end_of_the_local_day(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))

    streak = game.of(student, EVENING + DAY).streak

    assert (streak.current, streak.today_done) == (1, False)
    assert streak.alive_until == EVENING.replace(hour=23) + DAY


def test_after_a_missed_day_it_is_out_but_the_longest_stays(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student), lesson_done(student, completed_at=EVENING + DAY))

    streak = game.of(student, EVENING + 3 * DAY).streak

    assert (streak.current, streak.longest, streak.alive_until) == (0, 2, None)


def test_the_end_of_a_course_alone_is_no_learning(game: Game, student: UUID) -> None:
    game.hear(course_done(student))

    assert game.of(student).streak.current == 0


def test_a_day_that_arrives_late_joins_what_it_lay_between(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student), lesson_done(student, completed_at=EVENING + 2 * DAY))
    assert game.of(student, EVENING + 2 * DAY).streak.current == 1

    game.hear(day_studied(student, EVENING + DAY))

    assert game.of(student, EVENING + 2 * DAY).streak.current == 3


def test_a_late_day_of_long_ago_can_only_change_the_longest(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))
    game.hear(*(day_studied(student, EVENING - n * DAY) for n in (10, 11, 12)))

    streak = game.of(student).streak

    assert (streak.current, streak.longest) == (1, 3)


def test_a_flight_to_tokyo_keeps_the_streak(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))
    game.hear(lesson_done(student, completed_at=EVENING + timedelta(hours=14), time_zone=TOKYO))
    game.hear(lesson_done(student, completed_at=EVENING + timedelta(hours=26), time_zone=TOKYO))

    now = EVENING + timedelta(hours=27)
    assert game.of(student, now, TOKYO).streak.current == 3


def test_each_day_added_is_told_once(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student), lesson_done(student))
    game.hear(day_studied(student))
    game.hear(lesson_done(student, completed_at=EVENING + DAY))
    game.hear(day_studied(student, EVENING + DAY))
    game.hear(lesson_done(student, completed_at=EVENING + 3 * DAY))

    told = [(event.local_date.day, event.current, event.longest) for event in game.told(StreakExtended, student)]
    assert told == [(23, 1, 1), (24, 2, 2), (26, 1, 2)]


def test_a_late_day_that_prolongs_nothing_is_not_told(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))
    game.hear(day_studied(student, EVENING - 10 * DAY))

    assert len(game.told(StreakExtended, student)) == 1
