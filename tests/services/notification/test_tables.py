"""The tables: made by the migrations as the code has them, and refusing what must not be."""

from uuid import UUID

import pytest
from sqlalchemy import text

from services.notification.tables import metadata
from tests.services.notification.desk import Desk
from tests.services.tables import assert_migrated_as_coded, refusal

_TOLD = "insert into notifications values (gen_random_uuid(), :user_id, 'system', {key}, 'x', '{{}}', {link}, {number}"


def told(key: str = "'k'", link: str = "'/'", number: str = "1", read_at: str = "null") -> str:
    return _TOLD.format(key=key, link=link, number=number) + f", null, now(), {read_at})"


def test_the_migrated_tables_are_those_of_the_code(desk: Desk) -> None:
    assert_migrated_as_coded(desk.database, metadata)


@pytest.mark.parametrize(
    ("statements", "constraint"),
    [
        ((told(), told(number="2")), "notifications_once"),
        ((told(), told(key="'other'")), "notifications_number"),
        ((told(link="'http://elsewhere.example'"),), "notifications_link_check"),
        ((told(number="null", read_at="now()"),), "notifications_read_check"),
        (("update inboxes set last_number = -1",), "inboxes_last_number_check"),
        ((told(), "insert into mails select id, 'lost', 0, now() from notifications"), "mails_state_check"),
        ((told(), "insert into mails select id, 'sent', -1, now() from notifications"), "mails_attempts_check"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_state_cannot_be_stored(desk: Desk, awa: UUID, statements: tuple[str, ...], constraint: str) -> None:
    def attempt() -> None:
        with desk.database.unit_of_work() as unit_of_work:
            values = {"user_id": awa}
            unit_of_work.connection.execute(text("insert into inboxes (user_id) values (:user_id)"), values)
            for statement in statements:
                unit_of_work.connection.execute(text(statement), values)

    assert refusal(attempt) == constraint
