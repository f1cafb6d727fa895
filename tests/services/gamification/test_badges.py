"""Badges: each once per reason, the same in any order, also for what was earned before they were there."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.event import listen, remove

from chassis.database import Database
from chassis.migrations import configuration
from contracts.errors import NotFound
from contracts.events.base import Event
from contracts.events.gamification import BadgeAwarded
from services.gamification import badges
from services.gamification.badges import Fact
from services.gamification.domain.badges import Feat
from services.gamification.domain.levels import Level
from services.gamification.handlers import learning
from services.gamification.queries.badges import BadgeView, Profile, profile
from services.gamification.students import lock, set_leaderboard_opt_out
from services.gamification.tables import badge_awards
from tests.conftest import DatabaseFactory
from tests.services.gamification.game import (
    EVENING,
    Game,
    about,
    batches,
    course_done,
    day_studied,
    delivered,
    lesson_done,
)


def earned(game: Game, user_id: UUID) -> dict[str, tuple[int, datetime]]:
    """The student's badges by code: how often, and since when."""
    return {badge.code: (badge.count, badge.earned_at) for badge in game.of(user_id).badges}


def rows(game: Game, user_id: UUID) -> list[tuple[str, str, datetime]]:
    """The student's badges with their reasons."""
    statement = select(badge_awards.c.code, badge_awards.c.reason, badge_awards.c.earned_at)
    with game.database.single_statement() as unit_of_work:
        found = unit_of_work.connection.execute(statement.where(badge_awards.c.user_id == user_id))
        return sorted((row.code, row.reason, row.earned_at) for row in found)


def award(game: Game, *facts: Fact) -> None:
    """Award what these facts earn, as duels and squads do."""
    with game.database.unit_of_work() as unit_of_work:
        lock(unit_of_work.connection, {fact.user_id for fact in facts})
        badges.award(unit_of_work, facts)


def test_the_first_lesson_earns_a_badge_that_says_when(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student))

    assert earned(game, student) == {"first_lesson": (1, EVENING)}
    assert game.of(student).xp == 20


def test_the_tenth_lesson_earns_a_badge_and_an_eleventh_changes_nothing(game: Game, student: UUID) -> None:
    for number in range(11):
        game.hear(lesson_done(student, completed_at=EVENING + timedelta(minutes=number)))

    assert earned(game, student)["lessons_10"] == (1, EVENING + timedelta(minutes=9))
    assert [event.code for event in game.told(BadgeAwarded, student)] == ["first_lesson", "lessons_10"]


def test_a_lesson_that_comes_late_dates_the_badges_back_and_tells_none_twice(game: Game, student: UUID) -> None:
    game.hear(*(lesson_done(student, completed_at=EVENING + timedelta(minutes=number)) for number in range(10)))

    game.hear(lesson_done(student, completed_at=EVENING - timedelta(minutes=1)))

    assert earned(game, student) == {
        "first_lesson": (1, EVENING - timedelta(minutes=1)),
        "lessons_10": (1, EVENING + timedelta(minutes=8)),
    }
    assert len(game.told(BadgeAwarded, student)) == 2


def test_a_streak_of_seven_days_earns_its_badge_on_the_seventh_and_losing_it_takes_nothing(
    game: Game, student: UUID
) -> None:
    for number in range(6):
        game.hear(day_studied(student, EVENING + timedelta(days=number)))
    assert earned(game, student) == {}

    game.hear(day_studied(student, EVENING + timedelta(days=6)))
    game.hear(day_studied(student, EVENING + timedelta(days=20)))

    assert earned(game, student) == {"flame_7": (1, EVENING + timedelta(days=6))}


def test_a_day_that_comes_late_joins_two_streaks_and_the_badge_is_of_the_day_that_was_the_seventh(
    game: Game, student: UUID
) -> None:
    game.hear(*(day_studied(student, EVENING + timedelta(days=number)) for number in range(9) if number != 3))
    assert earned(game, student) == {}

    game.hear(day_studied(student, EVENING + timedelta(days=3)))

    assert earned(game, student) == {"flame_7": (1, EVENING + timedelta(days=6))}


def test_each_course_counts_once_and_the_first_says_since_when(game: Game, student: UUID) -> None:
    first, second = course_done(student), course_done(student, completed_at=EVENING + timedelta(hours=1))

    game.hear(second)
    game.hear(first, second)

    assert earned(game, student) == {"course_finished": (2, EVENING)}
    told = game.told(BadgeAwarded, student)
    assert [(event.reason, event.count, event.awarded_at) for event in told] == [
        (str(second.course_id), 1, second.completed_at),
        (str(first.course_id), 2, first.completed_at),
    ]


@pytest.mark.parametrize(
    ("feat", "code"),
    [("duel_won", "duel_won"), ("challenge_unbeaten", "unbeaten"), ("squad_of_the_week", "squad_of_the_week")],
)
def test_feats_of_duels_and_squads_count_once_per_reason(game: Game, student: UUID, feat: Feat, code: str) -> None:
    award(game, Fact(student, feat, "a", EVENING), Fact(student, feat, "b", EVENING), Fact(student, feat, "a", EVENING))
    award(game, Fact(student, feat, "b", EVENING - timedelta(days=1)))
    award(game, Fact(student, feat, "b", EVENING + timedelta(days=1)))

    assert earned(game, student) == {code: (2, EVENING - timedelta(days=1))}
    assert sorted(event.count for event in game.told(BadgeAwarded, student)) == [1, 2]


def test_badges_give_neither_xp_nor_points(game: Game, student: UUID) -> None:
    award(game, Fact(student, "duel_won", "a", EVENING))

    seen = game.of(student)
    assert (seen.xp, seen.points, game.rows(student)) == (0, 0, [])


def test_what_is_told_names_its_cause_also_from_a_batch(game: Game, student: UUID) -> None:
    facts = [delivered(lesson_done(student)), delivered(course_done(student))]

    game.receive(facts)

    causes = [(row.causation_id, row.correlation_id) for row in game.outbox(BadgeAwarded, student)]
    assert sorted(causes) == sorted((str(envelope.id), envelope.correlation_id) for envelope, _ in facts)


def test_a_unit_of_work_that_fails_leaves_no_badge_and_tells_none(game: Game, student: UUID) -> None:
    def die_before_the_commit() -> None:
        with game.database.unit_of_work() as unit_of_work:
            learning.students_learned(unit_of_work, [delivered(lesson_done(student))], "UTC", EVENING)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        die_before_the_commit()

    assert rows(game, student) == []
    assert game.told(BadgeAwarded, student) == []


histories = st.lists(
    st.builds(
        lambda days, minutes: lesson_done(uuid4(), completed_at=EVENING + timedelta(days=days, minutes=minutes)),
        st.integers(0, 9),
        st.integers(0, 60),
    )
    | st.builds(
        lambda minutes: course_done(uuid4(), completed_at=EVENING + timedelta(minutes=minutes)), st.integers(0, 9)
    ),
    min_size=8,
    max_size=30,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories, st.randoms(use_true_random=False))
def test_any_order_with_any_repetition_in_any_batches_leaves_the_same_badges(
    game: Game, history: list[Event], random: Random
) -> None:
    once, jumbled = uuid4(), uuid4()
    game.hear(*about(once, history))

    events = about(jumbled, [*history, *random.sample(history, random.randint(0, len(history)))])
    random.shuffle(events)
    for batch in batches(events, random):
        game.hear(*batch)

    assert rows(game, jumbled) == rows(game, once)
    told = [(event.code, event.reason) for event in game.told(BadgeAwarded, jumbled)]
    assert sorted(told) == [(code, reason) for code, reason, _ in rows(game, once)]


def test_many_at_once_award_each_badge_once(game: Game) -> None:
    students = [uuid4() for _ in range(4)]
    lessons = [
        lesson_done(user_id, completed_at=EVENING + timedelta(days=n)) for n in range(10) for user_id in students
    ]
    begin = threading.Barrier(4)

    def consume(seed: int) -> None:
        mine = Random(seed).sample(lessons, len(lessons))
        begin.wait(10)
        for start in range(0, len(mine), 7):
            game.hear(*mine[start : start + 7])
            won = [Fact(user_id, "duel_won", str(start), EVENING) for user_id in students]
            award(game, *won)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(consume, range(4)))

    for user_id in students:
        assert earned(game, user_id) == {
            "first_lesson": (1, EVENING),
            "duel_won": (6, EVENING),
            "flame_7": (1, EVENING + timedelta(days=6)),
            "lessons_10": (1, EVENING + timedelta(days=9)),
        }
        assert len(game.told(BadgeAwarded, user_id)) == 9


def statements_of(game: Game, *events: Event) -> int:
    """How many statements it takes to hear these events."""
    seen: list[str] = []

    def note(*said: object) -> None:
        seen.append(str(said[2]))

    listen(game.database.engine, "after_cursor_execute", note)
    try:
        game.hear(*events)
    finally:
        remove(game.database.engine, "after_cursor_execute", note)
    return len(seen)


def test_a_lesson_that_passes_no_milestone_costs_no_statement_more(game: Game) -> None:
    students = [uuid4() for _ in range(20)]
    game.hear(*(lesson_done(user_id) for user_id in students))

    def lessons(minutes: int) -> Sequence[Event]:
        return [lesson_done(user_id, completed_at=EVENING + timedelta(minutes=minutes)) for user_id in students]

    assert statements_of(game, *lessons(1)) == 8
    assert statements_of(game, *lessons(-1)) == 8 + 2


def forget_badges(game: Game, user_ids: Sequence[UUID]) -> None:
    """Leave the students as they were before badges were there."""
    with game.database.unit_of_work() as unit_of_work:
        ids = {"ids": list(user_ids)}
        unit_of_work.connection.execute(text("delete from badge_awards where user_id = any(:ids)"), ids)
        unit_of_work.connection.execute(text("update students set badges_known = false where user_id = any(:ids)"), ids)


def catch_up(game: Game) -> int:
    """Look at some of the students."""
    with game.database.unit_of_work() as unit_of_work:
        return badges.catch_up(unit_of_work)


def test_what_was_earned_before_badges_were_there_is_awarded_once(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    students = [uuid4() for _ in range(5)]
    for number, user_id in enumerate(students):
        game.hear(*(lesson_done(user_id, completed_at=EVENING + timedelta(days=n)) for n in range(8 + number)))
        game.hear(course_done(user_id))
    expected = {user_id: rows(game, user_id) for user_id in students}
    forget_badges(game, students)
    monkeypatch.setattr(badges, "SWEPT_AT_ONCE", 2)

    game.hear(lesson_done(students[0], completed_at=EVENING + timedelta(days=1)))
    assert [catch_up(game) for _ in range(4)] == [2, 2, 1, 0]

    assert {user_id: rows(game, user_id) for user_id in students} == expected
    forget_badges(game, [])
    for user_id in students:
        assert sorted(event.code for event in game.told(BadgeAwarded, user_id)) == sorted(
            2 * [code for code, _, _ in expected[user_id]]
        )


def test_a_database_from_before_badges_comes_to_have_them(database_url_for: DatabaseFactory, student: UUID) -> None:
    database = Database(database_url_for("gamification"))
    scripts = configuration(database.url, "gamification")
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(text("drop schema public cascade; create schema public"))
    command.upgrade(scripts, "gamification_0002")
    with database.unit_of_work() as unit_of_work:
        for statement in (
            "insert into students (user_id, streak_current, streak_longest, learned_at, learned_on, learned_in) "
            "values (:id, 7, 7, timestamptz '2026-11-07T19:00Z', '2026-11-07', 'UTC')",
            "insert into ledger select :id, 'lesson', gen_random_uuid(), 20, 20, at from generate_series(0, 11) n, "
            "lateral (select timestamptz '2026-11-01T19:00Z' + n * interval '12 h' as at) as instants",
            "insert into ledger select user_id, 'course', source_id, 50, 50, at from ledger order by at limit 2",
            "insert into learning_days select :id, date '2026-11-01' + n, 'UTC', at, at from generate_series(0, 6) n, "
            "lateral (select timestamptz '2026-11-01T19:00Z' + n * interval '1 day' as at) as instants",
        ):
            unit_of_work.connection.execute(text(statement), {"id": student})

    command.upgrade(scripts, "heads")
    game = Game(database)
    assert earned(game, student) == {}
    assert catch_up(game) == 1

    first = datetime(2026, 11, 1, 19, tzinfo=UTC)
    assert earned(game, student) == {
        "first_lesson": (1, first),
        "course_finished": (2, first),
        "lessons_10": (1, first + timedelta(hours=9 * 12)),
        "flame_7": (1, first + timedelta(days=6)),
    }
    assert catch_up(game) == 0
    database.close()


def test_two_who_look_back_at_the_same_time_share_the_students(game: Game) -> None:
    students = [uuid4() for _ in range(6)]
    game.hear(*(lesson_done(user_id) for user_id in students))
    forget_badges(game, students)

    with ThreadPoolExecutor(3) as threads:
        looked_at = list(threads.map(lambda _: catch_up(game), range(3)))

    assert sum(looked_at) >= 6
    assert all(earned(game, user_id) == {"first_lesson": (1, EVENING)} for user_id in students)
    assert all(len(game.told(BadgeAwarded, user_id)) == 2 for user_id in students)


def seen(game: Game, user_id: UUID) -> Profile:
    """What everybody may see of the student."""
    with game.database.snapshot() as connection:
        return profile(connection, user_id, "2026-W48")


def test_everybody_may_see_level_and_badges(game: Game, student: UUID) -> None:
    assert seen(game, student) == Profile(Level(1, 0, 100), ())

    game.hear(*(lesson_done(student) for _ in range(5)))

    assert seen(game, student) == Profile(Level(2, 100, 300), (BadgeView("first_lesson", 1, EVENING),))


def test_who_opts_out_is_seen_by_nobody_and_loses_nothing(game: Game, student: UUID) -> None:
    def opt_out(choice: bool) -> None:
        with game.database.unit_of_work() as unit_of_work:
            set_leaderboard_opt_out(unit_of_work.connection, student, opt_out=choice)

    opt_out(True)
    assert game.of(student).leaderboard_opt_out
    game.hear(lesson_done(student))

    with pytest.raises(NotFound):
        seen(game, student)
    assert game.of(student).leaderboard_opt_out
    assert game.of(student).xp == 20

    opt_out(False)
    assert seen(game, student).badges == (BadgeView("first_lesson", 1, EVENING),)
