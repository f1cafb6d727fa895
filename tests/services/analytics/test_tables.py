"""The tables: made by the migrations as the code has them, and refusing what must not be."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from chassis.database import Database
from services.analytics.projection import LIVE, use
from services.analytics.tables import metadata, projection
from tests.services.analytics.books import Books
from tests.services.tables import assert_migrated_as_coded, refusal


def test_the_migrated_tables_are_those_of_the_code(books: Books) -> None:
    assert_migrated_as_coded(books.database, metadata)
    assert_migrated_as_coded(Database(f"{books.database.url}?options=-csearch_path%3D{LIVE}"), projection)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("insert into refs values ('NO', :id, '/', now())", "ck_refs_ref"),
        ("insert into rebuilds values (false, now(), 0)", "ck_rebuilds_one"),
        ("insert into rebuilds values (true, now(), -1)", "ck_rebuilds_handled"),
        ("insert into courses values (:id, 1, :id, '', 'sold', true, '{}', '{}')", "ck_courses_status"),
        ("insert into courses values (:id, 1, :id, '', 'draft', true, '{}', '{x}')", "ck_courses_lessons"),
        ("insert into sales values (:id, :id, :id, -1, 'EUR', null, now(), now())", "ck_sales_amount"),
        ("insert into sales values (:id, :id, :id, 1, 'euro', null, now(), now())", "ck_sales_amount"),
        ("insert into refunds values (:id, 0, now())", "ck_refunds_refunded"),
        ("insert into chargebacks values ('dp', :id, -1, now())", "ck_chargebacks_amount"),
        ("insert into movements values (:id, now(), 2, 1, 1)", "ck_movements_movement"),
        ("insert into movements values (:id, now(), 1, 1, 1)", "movements_order_id_fkey"),
        ("insert into sales_days values (:id, now(), 'EUR', -1, 0, 0)", "ck_sales_days_counts"),
        ("insert into ref_days values (:id, 'x', now(), 'EUR', 0, 0, -1)", "ck_ref_days_counts"),
        ("insert into ref_registrations values ('x', now(), 0)", "ck_ref_registrations_counts"),
        ("insert into lesson_days values (:id, now(), 0)", "ck_lesson_days_counts"),
        ("insert into cohorts values (:id, now(), 1, 2)", "ck_cohorts_counts"),
        ("insert into cohort_lessons values (:id, :id, now(), 0)", "ck_cohort_lessons_counts"),
        ("insert into cohort_durations values (:id, now(), -1, 1)", "ck_cohort_durations_counts"),
        ("insert into student_days values (:id, now(), 0)", "ck_student_days_counts"),
    ],
)
def test_a_wrong_state_cannot_be_stored(books: Books, statement: str, constraint: str) -> None:
    def attempt() -> None:
        with books.database.unit_of_work() as unit_of_work:
            use(unit_of_work.connection, LIVE)
            unit_of_work.connection.execute(text(statement), {"id": uuid4()} if ":id" in statement else {})

    assert refusal(attempt) == constraint
