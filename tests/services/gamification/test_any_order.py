"""Events in any order, repeated, together or alone, one process or two: the same game."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, select, text

from contracts.events.base import Event
from contracts.events.gamification import LevelReached, XpAwarded
from services.gamification.handlers import learning
from services.gamification.tables import learning_days, ledger, students
from tests.services.gamification.game import (
    EVENING,
    PARIS,
    TOKYO,
    Game,
    about,
    batches,
    course_done,
    day_studied,
    delivered,
    lesson_done,
)
from tests.services.locks import wait_until_blocked

SOURCES = [uuid4() for _ in range(40)]

lessons = st.builds(
    lambda source, hours, zone, hasty, access: lesson_done(
        uuid4(),
        lesson_id=source,
        completed_at=EVENING + timedelta(hours=hours),
        time_zone=zone,
        hasty=hasty,
        access=access,
    ),
    st.sampled_from(SOURCES),
    st.integers(0, 200),
    st.sampled_from([PARIS, PARIS, TOKYO, "America/Los_Angeles"]),
    st.booleans(),
    st.sampled_from(["free", "free", "author"]),
)
courses = st.builds(lambda source: course_done(uuid4(), course_id=source), st.sampled_from(SOURCES))
days = st.builds(lambda hours: day_studied(uuid4(), EVENING + timedelta(hours=hours), "UTC"), st.integers(0, 200))
histories = st.lists(lessons | courses | days, min_size=1, max_size=40, unique_by=lambda event: _told_once(event))


def _told_once(event: Event) -> Any:
    """What progress tells once: a student's lesson, course, or day."""
    return event.type, getattr(event, "lesson_id", None) or getattr(event, "local_date", None) or event.partition_key()


def outcome(game: Game, user_id: UUID) -> dict[str, Any]:
    """All that became of a student's events, but which of too many hasty lessons of a day were the ones that earned."""
    with game.database.single_statement() as unit_of_work:

        def rows(*columns: Column[Any]) -> list[tuple[str, ...]]:
            found = unit_of_work.connection.execute(select(*columns).where(columns[0].table.c.user_id == user_id))
            return sorted(tuple(str(value) for value in row) for row in found)

        return {
            "student": rows(*(column for column in students.c if column.name != "user_id")),
            "sources": rows(ledger.c.kind, ledger.c.source_id, ledger.c.at),
            "awards": rows(ledger.c.kind, ledger.c.xp, ledger.c.points, ledger.c.hasty_on),
            "days": rows(*(column for column in learning_days.c if column.name != "user_id")),
        }


def assert_sums_hold(game: Game, user_ids: Sequence[UUID]) -> None:
    """What the students' rows say is the sum of their ledgers, and so is what was told."""
    statement = text(
        "select count(*) as students, "
        "count(*) filter (where (xp, points) = (select sum(ledger.xp), sum(ledger.points) from ledger "
        "where ledger.user_id = students.user_id)) as exact "
        "from students where user_id = any(:user_ids)"
    )
    with game.database.single_statement() as unit_of_work:
        row = unit_of_work.connection.execute(statement, {"user_ids": list(user_ids)}).one()
    assert row.exact == row.students == len(user_ids)
    for user_id in user_ids:
        assert len(game.told(XpAwarded, user_id)) == len(game.rows(user_id))
        assert max(event.total_xp for event in game.told(XpAwarded, user_id)) == game.of(user_id).xp
        levels = [event.level for event in game.told(LevelReached, user_id)]
        assert sorted(levels) == list(range(2, game.of(user_id).level.number + 1))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories, st.randoms(use_true_random=False))
def test_any_order_with_any_repetition_in_any_batches_leaves_the_same(
    game: Game, history: list[Event], random: Random
) -> None:
    once, jumbled = uuid4(), uuid4()
    game.hear(*about(once, history))

    events = about(jumbled, [*history, *random.sample(history, random.randint(0, len(history)))])
    random.shuffle(events)
    for batch in batches(events, random):
        game.hear(*batch)

    assert outcome(game, jumbled) == outcome(game, once)


@pytest.mark.parametrize("seed", range(4))
def test_two_processes_with_overlapping_batches_of_the_same_students_leave_the_same(game: Game, seed: int) -> None:
    random = Random(seed)
    history = [
        *(lesson_done(uuid4(), hasty=True, completed_at=EVENING + timedelta(minutes=n)) for n in range(30)),
        *(lesson_done(uuid4(), completed_at=EVENING + timedelta(days=n % 7, hours=n % 3)) for n in range(30)),
        *(lesson_done(uuid4(), completed_at=EVENING + timedelta(days=n), time_zone=TOKYO) for n in range(3, 7)),
        *(course_done(uuid4()) for _ in range(5)),
        *(day_studied(uuid4(), EVENING + timedelta(days=n)) for n in range(9)),
    ]
    alone = uuid4()
    game.hear(*about(alone, history))
    together = [uuid4() for _ in range(8)]
    events = [event for user_id in together for event in about(user_id, history)]
    begin = threading.Barrier(2)
    failures: list[BaseException] = []

    def consume(order: Random) -> None:
        mine = order.sample(events, len(events))
        begin.wait()
        try:
            for start in range(0, len(mine), 60):
                game.hear(*mine[start : start + 60])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=consume, args=(Random(random.random()),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert failures == []
    expected = outcome(game, alone)
    assert game.of(alone).xp == (20 + 30 + 4) * 20 + 5 * 50
    for user_id in together:
        assert outcome(game, user_id) == expected
    assert_sums_hold(game, [alone, *together])


def test_students_are_locked_in_the_order_of_their_ids_whatever_the_order_of_events(game: Game) -> None:
    user_ids = sorted(uuid4() for _ in range(6))
    game.hear(*(lesson_done(user_id) for user_id in user_ids))
    lock = select(students.c.user_id).with_for_update(skip_locked=True)
    batch = [lesson_done(user_ids[n]) for n in (5, 2, 0, 4, 1, 3)]

    with game.database.unit_of_work() as holder, ThreadPoolExecutor(1) as other:
        holder.connection.execute(lock.where(students.c.user_id == user_ids[3]))
        heard = other.submit(game.hear, *batch)
        wait_until_blocked(game.database)
        with game.database.unit_of_work() as looker:
            free = looker.connection.scalars(lock.where(students.c.user_id.in_(user_ids))).all()
        holder.connection.rollback()
        heard.result(timeout=10)

    assert sorted(free) == user_ids[4:]


def test_a_unit_of_work_that_fails_after_all_was_done_leaves_nothing(game: Game, student: UUID) -> None:
    facts = [delivered(lesson_done(student)), delivered(course_done(student))]

    def die_before_the_commit() -> None:
        with game.database.unit_of_work() as unit_of_work:
            learning.students_learned(unit_of_work, facts, "UTC", EVENING)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        die_before_the_commit()

    assert game.student(student) is None
    assert game.told(XpAwarded, student) == []
    game.receive(facts)
    assert game.of(student).xp == 70
