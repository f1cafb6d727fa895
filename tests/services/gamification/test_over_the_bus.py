"""The game as a process of its own: called over RabbitMQ, hearing and telling events."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from chassis.clock import now
from chassis.database import Database
from chassis.settings import Settings
from contracts.errors import Conflict, Invalid, NotFound
from contracts.events.catalog import Unlock
from tests.conftest import SettingsFactory
from tests.services.gamification.game import EVENING, PARIS, Game, bonus_course, course_done, day_studied, lesson_done
from tests.services.running import Call, eventually, running


@pytest.fixture(scope="module")
def settings(module_settings_for: SettingsFactory) -> Settings:
    return module_settings_for("gamification")


@pytest.fixture(scope="module")
def inside(settings: Settings) -> Iterator[Game]:
    """The database of the process, to look into and to put events into its outbox."""
    database = Database(settings.database_url_for("gamification"))
    yield Game(database)
    database.close()


@pytest.fixture(scope="module")
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
        unit_of_work.tell(bonus_course(unlock=Unlock(1)), sequence=1)

    eventually(lambda: all(call("get_game", user_id=student)["xp"] == 330 for student in students))

    seen = call("get_game", user_id=students[0], time_zone=PARIS)
    assert seen["level"] == {"number": 3, "xp_from": 300, "xp_to": 600}
    assert seen["points"] == 330
    assert seen["streak"]["longest"] == 1
    badges = [(badge["code"], badge["count"]) for badge in seen["badges"]]
    assert badges == [("course_finished", 1), ("first_lesson", 1), ("lessons_10", 1)]
    assert call("get_student", user_id=students[0])["badges"] == seen["badges"]
    first = call("get_ledger", user_id=students[0], limit=10)
    rest = call("get_ledger", user_id=students[0], limit=10, cursor=first["next_cursor"])
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (10, 5, None)
    assert {row["at"] for row in rest["items"]} == {EVENING.isoformat().replace("+00:00", "Z")}
    told = {"xp_awarded": 15, "level_reached": 2, "streak_extended": 1, "badge_awarded": 3}
    eventually(lambda: told.items() <= published(inside, students[0]).items())
    eventually(lambda: all(inside.unlocked_ever(student) == 1 for student in students))


def test_who_opts_out_has_no_public_profile(call: Call) -> None:
    student = uuid4()

    assert call("set_leaderboard_opt_out", user_id=student, leaderboard_opt_out=True)["leaderboard_opt_out"] is True

    with pytest.raises(NotFound):
        call("get_student", user_id=student)


def test_points_are_spent_over_the_bus_once_for_a_request(call: Call, inside: Game) -> None:
    student, request_id = uuid4(), uuid4()
    inside.enrich(student, lessons=5)

    bought = [call("purchase_item", user_id=student, item="streak_freeze", request_id=request_id) for _ in range(2)]

    assert bought == [{"item": "streak_freeze", "owned": 1, "points": 0}] * 2
    freeze = {"code": "streak_freeze", "price_points": 100, "owned": 1, "max": 2}
    assert call("get_shop", user_id=student) == {"items": [freeze]}
    with pytest.raises(Conflict, match="not-enough-points"):
        call("purchase_item", user_id=student, item="streak_freeze", request_id=uuid4())


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
        ("get_shop", {"user_id": str(uuid4()), "time_zone": "Mars/Olympus"}, "/time_zone"),
        ("purchase_item", {"user_id": str(uuid4()), "item": "car", "request_id": str(uuid4())}, "/item"),
        ("purchase_item", {"user_id": str(uuid4()), "item": "streak_freeze", "request_id": "x"}, "/request_id"),
        ("get_ledger", {"user_id": str(uuid4()), "limit": 0}, "/limit"),
        ("get_ledger", {"user_id": str(uuid4()), "limit": 101}, "/limit"),
        ("get_ledger", {"user_id": str(uuid4()), "cursor": "\0"}, "/cursor"),
        ("get_student_leaderboard", {"week": "\0"}, "/week"),
        ("get_squad_leaderboard", {"cursor": "x"}, "/cursor"),
        ("list_squads", {"q": "\0", "cursor": "x"}, "/cursor"),
        ("get_squad_of_the_week", {"week": "all"}, "/week"),
        ("rebuild_leaderboard", {"period": "2026-W99"}, "/week"),
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


def test_squads_and_leaderboards_are_there_over_the_bus(call: Call, inside: Game) -> None:
    captain, member, squad_id = uuid4(), uuid4(), uuid4()
    made = call("create_squad", squad_id=squad_id, user_id=captain, role="student", name="Les Éclairs", motto="Zap")
    call("join_squad", user_id=member, squad_id=squad_id)
    with inside.database.unit_of_work() as unit_of_work:
        unit_of_work.tell(lesson_done(member, completed_at=now()))

    eventually(lambda: call("get_squad", squad_id=squad_id)["week_score"] == 20)

    assert made["captain_id"] == str(captain)
    assert [item["id"] for item in call("list_squads", q="eclair")["items"]] == [str(squad_id)]
    assert [item["id"] for item in call("get_squad_members", squad_id=squad_id)["items"]] == [str(captain), str(member)]
    assert call("get_squad_leaderboard", user_id=captain)["me"] == {"rank": 1, "score": 20}
    assert call("get_student_leaderboard", week="all", user_id=member)["me"]["score"] == 20
    assert call("get_game", user_id=member)["squad"] == {
        "id": str(squad_id),
        "name": "Les Éclairs",
        "week_score": 20,
        "rank": 1,
    }
    assert call("get_squad_of_the_week")["squad"] is None
    for period in call("list_leaderboard_periods")["items"]:
        call("rebuild_leaderboard", period=period)
    assert call("get_squad_leaderboard", user_id=captain)["me"] == {"rank": 1, "score": 20}
    call("hide_squad", squad_id=squad_id, hidden=True)
    changed = call("update_squad", squad_id=squad_id, user_id=captain, role="student", motto="Boum")
    assert changed["motto"] == "Boum", "what was reported can be mended"
    call("hide_squad", squad_id=squad_id, hidden=False)
    call("hand_over_captaincy", captain_id=captain, squad_id=squad_id, user_id=member)
    call("kick_member", captain_id=member, squad_id=squad_id, user_id=captain)
    call("leave_squad", user_id=member)
    assert call("get_squad", squad_id=squad_id)["members"] == 0
