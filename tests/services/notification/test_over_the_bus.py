"""Notifications as a process of their own: hearing events, called over RabbitMQ, writing mails by SMTP."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from chassis.bus.relay import Relay
from chassis.clock import now
from chassis.database import Database
from chassis.settings import Settings
from contracts.errors import Invalid
from gateway.handlers import Registration, register
from tests.conftest import SettingsFactory
from tests.services.notification.desk import Desk, duel, endangered, level
from tests.services.running import Call, eventually, running
from tests.smtp import PostOffice, post_office


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


@pytest.fixture
def settings(settings_for: SettingsFactory, office: PostOffice) -> Settings:
    return settings_for("notification", "accounts", "gamification", smtp_url=office.url)


@pytest.fixture
def game(settings: Settings) -> Iterator[Database]:
    """A database whose outbox is published."""
    database = Database(settings.database_url_for("gamification"))
    relay = Relay(database, settings)
    relay.start()
    yield database
    relay.stop()
    database.close()


@pytest.fixture
def people(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database_url_for("accounts"))
    yield database
    database.close()


@pytest.fixture
def call(settings: Settings) -> Iterator[Call]:
    """Call a method of notifications that run, beside the accounts."""
    with running("accounts", settings), running("notification", settings) as call:
        yield call


def test_what_happens_reaches_inbox_feed_and_letter_box(
    call: Call, game: Database, people: Database, office: PostOffice, settings: Settings
) -> None:
    awa, ber = _account(people, "Awa"), _account(people, "Ber")
    tonight = now() + timedelta(hours=3)
    with game.unit_of_work() as unit_of_work:
        unit_of_work.tell(level(ber))
        unit_of_work.tell(endangered(awa, dies_at=tonight))
        unit_of_work.tell(endangered(ber, dies_at=now() - timedelta(seconds=1)))
        unit_of_work.tell(duel(awa, ber, expires_at=tonight), sequence=1)

    eventually(lambda: call("get_notifications", user_id=ber)["unread"] == 2)
    eventually(lambda: len(office.messages) == 2)

    inbox = call("get_notifications", user_id=ber, locale="en", unread=True)
    (challenge,) = [item for item in inbox["items"] if item["kind"] == "duel_challenged"]
    assert challenge["title"] == "{Rival} challenges you to a duel"
    assert challenge["people"] == {"Rival": {"id": str(awa), "otherwise": "Somebody"}}
    feed = call("get_feed", user_id=ber, after=0)
    assert [item["number"] for item in feed["items"]] == [1, 2, 3]
    subjects = {str(message["To"]): str(message["Subject"]) for message in office.messages}
    assert subjects == {
        "awa@tanka.example": "Ta flamme s’éteint ce soir",
        "ber@tanka.example": "Awa te défie en duel",
    }
    for message in office.messages:
        assert message["List-Unsubscribe"] == f"<{settings.front_url}/settings/notifications>"

    call("read_notification", user_id=ber, notification_id=challenge["id"])
    assert call("get_notifications", user_id=ber)["unread"] == 1
    call("read_all_notifications", user_id=ber)
    assert call("get_notifications", user_id=ber, unread=True)["items"] == []
    own = Database(settings.database_url_for("notification"))
    assert Desk(own).mails(ber) == [("sent", 1)]
    own.close()


def test_settings_are_chosen_by_kind_and_what_is_no_call_is_refused(call: Call) -> None:
    someone = uuid4()
    chosen = call("change_settings", user_id=someone, changes={"system": {"in_app": False}})

    assert chosen["system"] == {"in_app": False, "email": False}
    assert call("get_settings", user_id=someone) == chosen
    for method, arguments, pointer in (
        ("change_settings", {"changes": {"wurst": {"email": True}}}, "/wurst"),
        ("get_notifications", {"cursor": "\0"}, "/cursor"),
        ("get_notifications", {"limit": 0}, "/limit"),
        ("get_feed", {"after": "x"}, "/after"),
    ):
        with pytest.raises(Invalid) as caught:
            call(method, user_id=someone, **arguments)
        assert caught.value.errors[0].pointer == pointer, (method, arguments)


def _account(people: Database, name: str) -> UUID:
    with people.unit_of_work() as unit_of_work:
        registration = Registration(
            email=f"{name.lower()}@tanka.example",
            password_hash="none",
            display_name=name,
            email_verified=True,
            birth_year=2000,
        )
        return register(unit_of_work, registration, now()).id
