"""The tables: made by the migrations as the code has them, and refusing what must not be."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from services.gamification.tables import metadata
from tests.services.gamification.game import Game
from tests.services.tables import assert_migrated_as_coded, refusal


def test_the_migrated_tables_are_those_of_the_code(game: Game) -> None:
    assert_migrated_as_coded(game.database, metadata)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("update students set xp = -1", "students_xp_check"),
        ("update students set points = -1", "students_points_check"),
        (
            "update students set streak_current = 2, streak_longest = 1, "
            "learned_at = now(), learned_on = '2026-11-23', learned_in = 'UTC'",
            "students_streak_check",
        ),
        ("update students set streak_current = 1, streak_longest = 1", "students_learned_check"),
        ("insert into ledger values (:user_id, 'gift', :user_id, 1, 1, now())", "ledger_kind_check"),
        ("insert into ledger values (:user_id, 'lesson', :user_id, -1, 0, now())", "ledger_xp_check"),
        ("insert into ledger values (:user_id, 'purchase', :user_id, 0, 0, now())", "ledger_purchase_check"),
        ("insert into ledger values (:user_id, 'purchase', :user_id, 1, -100, now())", "ledger_purchase_check"),
        (
            "insert into purchases values (:user_id, :user_id, 'purchase', 'streak_freeze', now(), 'UTC')",
            "purchases_user_id_kind_purchase_id_fkey",
        ),
        (
            "insert into purchases values (:user_id, :user_id, 'lesson', 'streak_freeze', now(), 'UTC')",
            "purchases_kind_check",
        ),
        (
            "insert into purchases values (:user_id, :user_id, 'purchase', 'car', now(), 'UTC')",
            "purchases_item_check",
        ),
        ("update students set freezes = -1", "students_freezes_check"),
        ("update students set late_freezes = '{0}'", "students_freezes_check"),
        ("update students set late_freezes = '{1}'", "students_late_freezes_check"),
        ("update students set look_at = now()", "students_look_at_check"),
        ("insert into streak_notices values (:user_id, 'lost', '2026-11-23')", "streak_notices_kind_check"),
        ("insert into ledger values (:stranger, 'lesson', :user_id, 1, 1, now())", "ledger_user_id_fkey"),
        (
            "insert into ledger select :user_id, 'lesson', :user_id, 1, 1, now() from generate_series(1, 2)",
            "ledger_pkey",
        ),
        (
            "insert into learning_days values (:user_id, '2026-11-23', 'UTC', now(), now() - interval '1 s')",
            "learning_days_order_check",
        ),
    ],
    ids=lambda value: "" if " " in value else value,
)
def test_a_wrong_state_cannot_be_stored(game: Game, student: UUID, statement: str, constraint: str) -> None:
    def attempt() -> None:
        with game.database.unit_of_work() as unit_of_work:
            values = {"user_id": student, "stranger": uuid4()}
            unit_of_work.connection.execute(text("insert into students (user_id) values (:user_id)"), values)
            unit_of_work.connection.execute(text(statement), values)

    assert refusal(attempt) == constraint
