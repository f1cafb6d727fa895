"""The accounts as a service of its own: what others may know of people to write to them."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from chassis.clock import now
from chassis.database import Database
from chassis.settings import Settings
from contracts.errors import Invalid
from gateway.handlers import Registration, register
from tests.services.running import Call, running


@pytest.fixture
def call(accounts_settings: Settings) -> Iterator[Call]:
    """Call a method of the accounts, which run as a process of their own."""
    with running("accounts", accounts_settings) as call:
        yield call


def test_people_are_told_with_their_addresses_once_verified_until_they_are_erased(
    call: Call, database: Database
) -> None:
    awa = _account(database, "Awa", verified=True)
    ber = _account(database, "Ber", verified=False, locale="en")
    gone = _account(database, "Zoé", verified=True)
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(text("update users set status = 'erased' where id = :id"), {"id": gone})

    found = {item["user_id"]: item for item in call("get_contacts", user_ids=[awa, ber, gone, uuid4()])["items"]}

    assert found == {
        str(awa): {
            "user_id": str(awa),
            "display_name": "Awa",
            "public_names": found[str(awa)]["public_names"],
            "email": "Awa@tanka.example",
            "locale": "fr",
            "time_zone": "Africa/Dakar",
        },
        str(ber): {
            "user_id": str(ber),
            "display_name": "Ber",
            "public_names": found[str(ber)]["public_names"],
            "email": None,
            "locale": "en",
            "time_zone": "Africa/Dakar",
        },
    }
    # nothing is known of their ages
    assert found[str(awa)]["public_names"].keys() == {"fr", "en"}
    assert "Awa" not in found[str(awa)]["public_names"].values()
    assert call("get_contacts", user_ids=[]) == {"items": []}
    with pytest.raises(Invalid):
        call("get_contacts", user_ids=[uuid4() for _ in range(101)])


def test_badges_are_called_as_the_gateway_calls_them_and_what_has_no_name_is_told_without(call: Call) -> None:
    assert call("get_badge_names", code="first_lesson") == {"fr": "Premiers pas", "en": "First steps"}
    assert call("get_badge_names", code="brand_new") == {}
    with pytest.raises(Invalid):
        call("get_badge_names", code="x" * 101)


def _account(database: Database, name: str, **fields: object) -> UUID:
    verified = bool(fields.pop("verified"))
    registration = Registration(
        email=f"{name}@tanka.example",
        password_hash="none",
        display_name=name,
        time_zone="Africa/Dakar",
        email_verified=verified,
        **fields,  # type: ignore[arg-type]
    )
    with database.unit_of_work() as unit_of_work:
        return register(unit_of_work, registration, now()).id
