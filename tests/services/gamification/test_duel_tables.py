"""The tables of duels refuse what must not be."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from tests.services.gamification.game import Game
from tests.services.tables import refusal

DUEL_COLUMNS = (
    "(duel_id, mode, state, chapter_id, course_id, challenger_id, opponent_id, for_honour, token, "
    "time_limit_seconds, questions, sequence, created_at, expires_at, ended_at, winner_id, points_moved, void_reason)"
)


def duel(**changes: str) -> str:
    """The values of a live duel between the student and a stranger, in SQL."""
    values = {
        "duel_id": ":user_id",
        "mode": "'live'",
        "state": "'open'",
        "chapter_id": ":user_id",
        "course_id": ":user_id",
        "challenger_id": ":user_id",
        "opponent_id": "cast(:stranger as uuid)",
        "for_honour": "false",
        "token": "null",
        "time_limit_seconds": "20",
        "questions": "'[]'",
        "sequence": "1",
        "created_at": "now()",
        "expires_at": "now()",
        "ended_at": "null",
        "winner_id": "null",
        "points_moved": "0",
        "void_reason": "null",
    }
    return f"values ({', '.join((values | changes).values())})"


FINISHED = {"state": "'finished'", "ended_at": "now()"}
LINK = {"mode": "'link'", "opponent_id": "null", "token": "'x'"}
DUELS_THAT_CANNOT_BE = [
    (DUEL_COLUMNS, duel(**changes), constraint)
    for changes, constraint in (
        ({"opponent_id": ":user_id"}, "duels_players_check"),
        ({"opponent_id": "null"}, "duels_mode_check"),
        ({"token": "'x'"}, "duels_mode_check"),
        (LINK | {"token": "null"}, "duels_mode_check"),
        ({"mode": "'duo'"}, "duels_mode_check"),
        ({"time_limit_seconds": "null"}, "duels_quiz_check"),
        ({"state": "'lost'"}, "duels_state_check"),
        ({"state": "'finished'"}, "duels_state_check"),
        ({"state": "'void'", "ended_at": "now()"}, "duels_state_check"),
        ({"state": "'void'", "ended_at": "now()", "void_reason": "'bored'"}, "duels_void_reason_check"),
        ({"winner_id": ":user_id"}, "duels_winner_check"),
        (FINISHED | {"winner_id": "gen_random_uuid()"}, "duels_winner_check"),
        (FINISHED | {"points_moved": "50"}, "duels_points_moved_check"),
        (FINISHED | {"winner_id": ":user_id", "points_moved": "51"}, "duels_points_moved_check"),
    )
] + [(DUEL_COLUMNS, f"{duel(**LINK)}, {duel(**LINK, duel_id=':stranger').removeprefix('values ')}", "duels_token_key")]
DUEL = f"insert into duels {DUEL_COLUMNS} {duel()}"
RUN = "insert into duel_runs values (:user_id, :user_id, :user_id, 'UTC', now(), 1, now(), now(), null, null)"
STAKE = (
    "insert into duel_stakes select :user_id, :user_id, :stranger, '2026-W47', {points}, now(), {released}, {winner}"
)
PLAY_THAT_CANNOT_BE = [
    (RUN.replace("1, now()", "0, now()"), "duel_runs_served_check"),
    (RUN.replace("now(), now(), null", "now(), now() - interval '1 s', null"), "duel_runs_order_check"),
    (RUN.replace("null, null)", "now(), null)"), "duel_runs_score_check"),
    (RUN.replace("null, null)", "null, 900)"), "duel_runs_score_check"),
    (RUN.replace("null, null)", "now(), 1001)"), "duel_runs_score_check"),
    (f"{RUN}; {RUN}", "duel_runs_pkey"),
    ("insert into duel_answers values (:user_id, :user_id, 0, 1, 1000, now())", "duel_answers_run_fkey"),
    (f"{RUN}; insert into duel_answers values (:user_id, :user_id, 0, null, 1, now())", "duel_answers_marks_check"),
    (f"{RUN}; insert into duel_answers values (:user_id, :user_id, 0, 1, 1001, now())", "duel_answers_marks_check"),
    (f"{RUN}; insert into duel_answers values (:user_id, :user_id, -1, 1, 9, now())", "duel_answers_question_check"),
    (
        f"{RUN}; insert into duel_answers select :user_id, :user_id, 0, 1, 9, now() from generate_series(1, 2)",
        "duel_answers_pkey",
    ),
    (
        "insert into served_quizzes select :user_id, :user_id, :user_id, now() from generate_series(1, 2)",
        "served_quizzes_pkey",
    ),
    (STAKE.format(points=51, released="null", winner="null"), "duel_stakes_points_check"),
    (STAKE.format(points=0, released="null", winner="null"), "duel_stakes_points_check"),
    (STAKE.format(points=50, released="null", winner=":user_id"), "duel_stakes_winner_check"),
    (STAKE.format(points=50, released="now()", winner="gen_random_uuid()"), "duel_stakes_winner_check"),
    (
        STAKE.format(points=50, released="null", winner="null").replace(":stranger", ":user_id"),
        "duel_stakes_players_check",
    ),
]


@pytest.mark.parametrize(
    ("statements", "constraint"),
    [
        *(([f"insert into duels {columns} {values}"], name) for columns, values, name in DUELS_THAT_CANNOT_BE),
        *(([DUEL, *statements.split("; ")], name) for statements, name in PLAY_THAT_CANNOT_BE),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_state_cannot_be_stored(game: Game, student: UUID, statements: list[str], constraint: str) -> None:
    def attempt() -> None:
        with game.database.unit_of_work() as unit_of_work:
            values = {"user_id": student, "stranger": uuid4()}
            for statement in ("insert into students (user_id) values (:user_id), (:stranger)", *statements):
                unit_of_work.connection.execute(text(statement), values)

    assert refusal(attempt) == constraint


def test_nobody_has_two_runs_on_a_quiz_at_a_time(game: Game, student: UUID) -> None:
    def attempt() -> None:
        with game.database.unit_of_work() as unit_of_work:
            values = {"user_id": student, "stranger": uuid4()}
            second = RUN.replace("values (:user_id,", "values (:stranger,")
            for statement in (
                "insert into students (user_id) values (:user_id), (:stranger)",
                DUEL,
                f"insert into duels {DUEL_COLUMNS} {duel(duel_id=':stranger')}",
                RUN,
                second,
            ):
                unit_of_work.connection.execute(text(statement), values)

    assert refusal(attempt) == "duel_runs_one_at_a_time"
