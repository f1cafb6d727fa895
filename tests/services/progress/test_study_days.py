"""Reported positions: kept, and counted towards a day of study."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from contracts.errors import Invalid
from tests.services.progress.academy import NOON, Academy, at_once, course, lesson


@pytest.fixture
def watch(academy: Academy) -> Callable[..., UUID]:
    """Let a new student watch for so many seconds, reporting every 15; the student."""

    def run(seconds: int, start: datetime = NOON, time_zone: str = "UTC", student: UUID | None = None) -> UUID:
        one = lesson()
        published = academy.publish(course(one))
        who = student or uuid4()
        academy.enroll(who, published)
        for second in range(0, seconds + 1, 15):
            academy.report(who, one.id, second, start + timedelta(seconds=second), time_zone)
        return who

    return run


def test_the_last_position_is_kept(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one))
    ber = academy.student_of(published)

    for seconds in (10, 200.5, 42):
        academy.report(ber, one.id, seconds)

    assert academy.progress(ber, published).lessons[0].position_seconds == 42


def test_five_minutes_of_advance_are_told_once(academy: Academy, watch: Callable[..., UUID]) -> None:
    ber = watch(900)

    [event] = academy.days_told()
    assert (event.user_id, event.local_date, event.time_zone) == (ber, date(2026, 11, 23), "UTC")
    assert event.studied_at == NOON + timedelta(seconds=300)


def test_less_than_five_minutes_are_not_told(academy: Academy, watch: Callable[..., UUID]) -> None:
    watch(285)

    assert academy.days_told() == []


def test_advance_in_many_lessons_of_a_day_adds_up(academy: Academy, watch: Callable[..., UUID]) -> None:
    ber = watch(180)
    watch(135, NOON + timedelta(hours=3), student=ber)

    assert [event.user_id for event in academy.days_told()] == [ber]


def test_the_day_is_the_students_own(academy: Academy, watch: Callable[..., UUID]) -> None:
    evening = datetime.fromisoformat("2026-11-23T22:58:00+00:00")

    watch(540, evening, "Europe/Paris")

    [event] = academy.days_told()
    assert (event.local_date, event.time_zone) == (date(2026, 11, 24), "Europe/Paris")


def test_lying_about_positions_gains_nothing(academy: Academy) -> None:
    lessons = [lesson() for _ in range(10)]
    published = academy.publish(course(*lessons))
    ber = academy.student_of(published)

    for second in range(299):
        academy.report(ber, lessons[second % 10].id, second * 100, NOON + timedelta(seconds=second))

    assert academy.days_told() == []


def test_a_clock_that_lags_behind_the_others_gains_nothing(academy: Academy) -> None:
    one = lesson()
    ber = academy.student_of(academy.publish(course(one)))

    for second, position in ((0, 0), (100, 100), (50, 110), (110, 500)):
        academy.report(ber, one.id, position, NOON + timedelta(seconds=second))

    assert academy.execute("select seconds from study_days")[0].seconds == 110


def test_many_lessons_reported_at_once_count_the_time_once(academy: Academy) -> None:
    lessons = [lesson() for _ in range(16)]
    published = academy.publish(course(*lessons))
    ber = academy.student_of(published)
    academy.report(ber, lessons[0].id, 0)

    at = NOON + timedelta(seconds=100)
    at_once(*[partial(academy.report, ber, one.id, 5_000, at) for one in lessons])

    assert academy.execute("select seconds from study_days")[0].seconds == 100


def test_a_day_reached_by_reports_at_the_same_instant_is_told_once(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one))
    ber = academy.student_of(published)
    for second in (0, 100, 200):
        academy.report(ber, one.id, second, NOON + timedelta(seconds=second))

    at = NOON + timedelta(seconds=310)
    at_once(*[partial(academy.report, ber, one.id, 310, at)] * 16)

    assert len(academy.days_told()) == 1


@pytest.mark.parametrize("seconds", [-1, 86_401, 1e300])
def test_a_position_outside_of_any_lesson_is_refused(academy: Academy, seconds: float) -> None:
    one = lesson()
    ber = academy.student_of(academy.publish(course(one)))

    with pytest.raises(Invalid):
        academy.report(ber, one.id, seconds)
