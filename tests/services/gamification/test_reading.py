"""What students see of the game."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from contracts.errors import Invalid
from services.gamification.domain.levels import Level
from services.gamification.queries.standing import LedgerPage
from tests.services.gamification.game import EVENING, Game, course_done, lesson_done


def test_of_whom_nothing_is_known_the_game_is_at_its_beginning(game: Game, student: UUID) -> None:
    answer = msgspec.json.decode(msgspec.json.encode(game.of(student)))

    assert answer == {
        "xp": 0,
        "level": {"number": 1, "xp_from": 0, "xp_to": 100},
        "points": 0,
        "streak": {
            "current": 0,
            "longest": 0,
            "today_done": False,
            "alive_until": None,
            "freezes": 0,
            "freezes_max": 2,
        },
        "squad": None,
        "badges": [],
        "leaderboard_opt_out": False,
    }
    assert game.page(student) == LedgerPage(items=(), next_cursor=None)


def test_reading_leaves_no_trace(game: Game, student: UUID) -> None:
    game.of(student)

    assert game.student(student) is None


def test_the_answer_is_what_the_events_came_to(game: Game, student: UUID) -> None:
    game.hear(*(lesson_done(student) for _ in range(4)), course_done(student))

    seen = game.of(student)

    assert (seen.xp, seen.points, seen.level) == (130, 130, Level(2, 100, 300))
    assert (seen.streak.current, seen.streak.today_done) == (1, True)


def test_the_ledger_shows_what_gave_how_much_and_when(game: Game, student: UUID) -> None:
    done = lesson_done(student)
    finished = course_done(student, completed_at=EVENING + timedelta(seconds=1))
    game.hear(done, finished)

    items = [(item.at, item.kind, item.xp, item.points, item.source) for item in game.page(student).items]

    assert items == [
        (finished.completed_at, "course", 50, 50, finished.course_id),
        (done.completed_at, "lesson", 20, 20, done.lesson_id),
    ]


def test_the_ledger_is_read_page_by_page_newest_first_each_row_once(game: Game, student: UUID) -> None:
    game.hear(*(lesson_done(student, completed_at=EVENING + timedelta(minutes=n // 4)) for n in range(22)))
    game.hear(lesson_done(uuid4()))

    pages = [game.page(student, limit=5)]
    while pages[-1].next_cursor is not None:
        pages.append(game.page(student, limit=5, cursor=pages[-1].next_cursor))

    assert [len(page.items) for page in pages] == [5, 5, 5, 5, 2]
    items = [item for page in pages for item in page.items]
    assert len({item.source for item in items}) == 22
    assert [item.at for item in items] == sorted((item.at for item in items), reverse=True)


def test_a_row_that_arrives_between_two_pages_moves_none(game: Game, student: UUID) -> None:
    game.hear(*(lesson_done(student, completed_at=EVENING + timedelta(minutes=n)) for n in range(6)))
    first = game.page(student, limit=3)

    game.hear(lesson_done(student, completed_at=EVENING + timedelta(hours=1)))
    second = game.page(student, limit=3, cursor=first.next_cursor)

    assert [item.at.minute for item in (*first.items, *second.items)] == [5, 4, 3, 2, 1, 0]


def test_a_last_page_that_is_full_has_no_next(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student), lesson_done(student))

    assert game.page(student, limit=2).next_cursor is None


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "é", "W10=", "bm90IGpzb24=", "WyIyMDI2LTExLTIzVDE5OjAwOjAwIiwgIngiXQ==", "\0", "A" * 200],
)
def test_a_cursor_that_is_none_of_ours_is_refused_by_name(game: Game, student: UUID, cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        game.page(student, cursor=cursor)

    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/cursor", "bad-cursor")]


@pytest.mark.parametrize("known", [True, False])
def test_a_time_zone_that_is_none_is_refused_by_name(game: Game, student: UUID, *, known: bool) -> None:
    if known:
        game.hear(lesson_done(student))

    with pytest.raises(Invalid) as refused:
        game.of(student, time_zone="Europe/Atlantis")

    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/time_zone", "time-zone")]


def test_instants_are_shown_in_utc(game: Game, student: UUID) -> None:
    game.hear(lesson_done(student, completed_at=datetime(2026, 11, 23, 19, 0, 0, 250_000, tzinfo=UTC)))

    answer = msgspec.json.decode(msgspec.json.encode(game.page(student)))

    assert answer["items"][0]["at"] == "2026-11-23T19:00:00.250000Z"
    assert msgspec.json.decode(msgspec.json.encode(game.of(student)))["streak"]["alive_until"] == "2026-11-24T23:00:00Z"
