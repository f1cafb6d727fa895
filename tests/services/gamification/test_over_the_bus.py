"""The game as a process of its own: called over RabbitMQ, hearing and telling events."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from chassis.database import Database
from chassis.settings import Settings
from contracts.errors import Invalid
from tests.conftest import SettingsFactory
from tests.services.gamification.game import EVENING, PARIS, Game, course_done, day_studied, lesson_done
from tests.services.running import Call, eventually, running


@pytest.fixture
def settings(settings_for: SettingsFactory) -> Settings:
    return settings_for("gamification")


@pytest.fixture
def inside(settings: Settings) -> Iterator[Game]:
    """The database of the process, to look into and to put events into its outbox."""
    database = Database(settings.database_url_for("gamification"))
    yield Game(database)
    database.close()


@pytest.fixture
def call(settings: Settings) -> Iterator[Call]:
    """Call a method of a gamification that runs."""
    with running("gamification", settings) as call:
        yield call


def test_what_students_learn_becomes_their_game(call: Call, inside: Game) -> None:
    students = [uuid4() for _ in range(20)]
    with inside.database.unit_of_work() as unit_of_work:
        for student in students:
            for event in (*(lesson_done(student) for _ in range(14)), course_done(student), day_studied(student)):
                unit_of_work.tell(event)

    eventually(lambda: all(call("get_game", user_id=student)["xp"] == 330 for student in students))

    seen = call("get_game", user_id=students[0], time_zone=PARIS)
    assert seen["level"] == {"number": 3, "xp_from": 300, "xp_to": 600}
    assert seen["points"] == 330
    assert seen["streak"]["longest"] == 1
    first = call("get_ledger", user_id=students[0], limit=10)
    rest = call("get_ledger", user_id=students[0], limit=10, cursor=first["next_cursor"])
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (10, 5, None)
    assert {row["at"] for row in rest["items"]} == {EVENING.isoformat().replace("+00:00", "Z")}
    eventually(lambda: published(inside, students[0]) == {"xp_awarded": 15, "level_reached": 2, "streak_extended": 1})


def published(inside: Game, student: UUID) -> dict[str, int]:
    """How many events of the game were published about a student, each naming its cause."""
    statement = text(
        "select split_part(type, '.', 2) as fact, count(*) as number from event_log "
        "where partition_key = :student and type like 'gamification.%' and causation_id is not null group by type"
    )
    with inside.database.single_statement() as unit_of_work:
        found = unit_of_work.connection.execute(statement, {"student": str(student)})
        return {row.fact: row.number for row in found}


def test_what_is_no_call_is_refused_by_its_field(call: Call) -> None:
    for method, arguments, pointer in (
        ("get_game", {"user_id": "x"}, "/user_id"),
        ("get_game", {"user_id": str(uuid4()), "time_zone": "Mars/Olympus"}, "/time_zone"),
        ("get_game", {"user_id": str(uuid4()), "time_zone": "\0"}, "/time_zone"),
        ("get_ledger", {"user_id": str(uuid4()), "limit": 0}, "/limit"),
        ("get_ledger", {"user_id": str(uuid4()), "limit": 101}, "/limit"),
        ("get_ledger", {"user_id": str(uuid4()), "cursor": "\0"}, "/cursor"),
        ("create_duel", {"user_id": str(uuid4()), "chapter_id": str(uuid4()), "mode": "duo"}, "/mode"),
        ("create_duel", {"user_id": str(uuid4()), "chapter_id": str(uuid4()), "mode": "live"}, "/opponent_id"),
        ("serve_question", {"user_id": str(uuid4()), "duel_id": "x"}, "/duel_id"),
        ("serve_question", {"user_id": str(uuid4()), "duel_id": str(uuid4()), "time_zone": "Mars"}, "/time_zone"),
        ("answer_question", {"user_id": str(uuid4()), "duel_id": str(uuid4()), "index": "0", "choice": 0}, "/index"),
        ("get_duels", {"user_id": str(uuid4()), "cursor": "x"}, "/cursor"),
    ):
        with pytest.raises(Invalid) as caught:
            call(method, **arguments)
        assert caught.value.errors[0].pointer == pointer, (method, arguments)
