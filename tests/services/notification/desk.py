"""Notifications without a bus: events as others tell them, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from chassis.database import Database
from chassis.mail import Mail
from contracts.envelope import Envelope
from contracts.errors import Unavailable
from contracts.events.accounts import UserChanged
from contracts.events.base import Event
from contracts.events.gamification import BadgeAwarded, DuelChanged, LevelReached, StreakEndangered
from services.notification import handlers, queries
from services.notification.handlers import Choice
from tests.told import envelope_of

NOW = datetime(2026, 11, 23, 19, tzinfo=UTC)
TONIGHT = NOW + timedelta(hours=4)
FRONT = "http://front.example"


def endangered(user_id: UUID, **changes: Any) -> StreakEndangered:
    """A streak of seven days that dies tonight."""
    values: dict[str, Any] = {
        "user_id": user_id,
        "local_date": date(2026, 11, 23),
        "time_zone": "Europe/Paris",
        "current": 7,
        "dies_at": TONIGHT,
    }
    return StreakEndangered(**(values | changes))


def level(user_id: UUID, number: int = 2) -> LevelReached:
    """A level that somebody reached."""
    return LevelReached(user_id=user_id, level=number, total_xp=100 * number, reached_at=NOW)


def badge(user_id: UUID, code: str) -> BadgeAwarded:
    """A badge that somebody earned."""
    return BadgeAwarded(user_id=user_id, code=code, reason=code, count=1, awarded_at=NOW)


def duel(challenger: UUID, opponent: UUID | None, **changes: Any) -> DuelChanged:
    """A live challenge."""
    values: dict[str, Any] = {
        "duel_id": uuid4(),
        "chapter_id": uuid4(),
        "course_id": uuid4(),
        "mode": "live",
        "state": "open",
        "challenger_id": challenger,
        "opponent_id": opponent,
        "expires_at": NOW + timedelta(hours=72),
        "changed_at": NOW,
    }
    return DuelChanged(**(values | changes))


def erased(user_id: UUID) -> UserChanged:
    """An account that is erased."""
    return UserChanged(
        user_id=user_id, role="student", status="erased", time_zone="UTC", locale="fr", email_verified=False
    )


def delivered(event: Event, sequence: int = 0, time: datetime = NOW) -> tuple[Envelope, Event]:
    """The event in an envelope of its own."""
    envelope = envelope_of(event, sequence=sequence, time=time, correlation_id=f"request-{uuid4()}")
    return envelope, event


class Desk:
    """Notifications with their database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def hear(self, *events: Event, at: datetime = NOW, by_mail: bool = False) -> None:
        """Let these events arrive together."""
        self.receive([delivered(event) for event in events], at=at, by_mail=by_mail)

    def receive(self, facts: Sequence[tuple[Envelope, Event]], at: datetime = NOW, by_mail: bool = False) -> None:
        """Let these deliveries arrive together."""
        with self.database.unit_of_work() as unit_of_work:
            handlers.told(unit_of_work, facts, at, by_mail=by_mail)

    def inbox(self, user_id: UUID, **options: Any) -> queries.Inbox:
        """A page of somebody's inbox, in French."""
        options = {"only_unread": False, "limit": 20, "cursor": None} | options
        with self.database.snapshot() as connection:
            return queries.inbox(connection, user_id, "fr", FRONT, **options)

    def messages(self, user_id: UUID) -> list[str]:
        """What somebody's inbox holds, the oldest first."""
        statement = text("select message from notifications where user_id = :user_id and number > 0 order by number")
        with self.database.single_statement() as unit_of_work:
            return list(unit_of_work.connection.execute(statement, {"user_id": user_id}).scalars())

    def feed(self, user_id: UUID, after: int | None, limit: int = 50) -> queries.Feed:
        """What somebody's stream tells after a number."""
        with self.database.single_statement() as unit_of_work:
            return queries.feed(unit_of_work.connection, user_id, "fr", FRONT, after=after, limit=limit)

    def choose(self, user_id: UUID, **kinds: Choice) -> None:
        """Let somebody choose."""
        with self.database.unit_of_work() as unit_of_work:
            handlers.change_settings(unit_of_work, user_id, kinds)

    def told(self, kind: type[Event], user_id: UUID) -> int:
        """How many events of this type were told about somebody."""
        statement = text("select count(*) from outbox where type = :type and partition_key = :user_id")
        with self.database.single_statement() as unit_of_work:
            values = {"type": kind.type, "user_id": str(user_id)}
            return unit_of_work.connection.execute(statement, values).scalar_one()

    def mails(self, user_id: UUID) -> list[tuple[str, int]]:
        """The states and attempts of somebody's mails."""
        statement = text(
            "select m.state, m.attempts from mails m join notifications n on n.id = m.notification_id "
            "where n.user_id = :user_id order by n.created_at, m.state"
        )
        with self.database.single_statement() as unit_of_work:
            return [
                (row.state, row.attempts) for row in unit_of_work.connection.execute(statement, {"user_id": user_id})
            ]


@dataclass
class Accounts:
    """The accounts, as far as mails ask them."""

    contacts: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    badges: dict[str, dict[str, str]] = field(default_factory=dict)
    silent: bool = False

    def add(self, name: str, email: str | None, locale: str = "fr") -> UUID:
        """Somebody with an account."""
        user_id = uuid4()
        self.contacts[user_id] = {
            "user_id": str(user_id),
            "display_name": name,
            "public_names": {"fr": name, "en": name},
            "email": email,
            "locale": locale,
            "time_zone": "UTC",
        }
        return user_id

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """What the accounts answer."""
        if self.silent:
            raise Unavailable
        if (service, method) == ("accounts", "get_badge_names"):
            return self.badges.get(arguments["code"], {})
        assert (service, method) == ("accounts", "get_contacts")
        known = [self.contacts[user_id] for user_id in arguments["user_ids"] if user_id in self.contacts]
        return {"items": known}


@dataclass
class Office:
    """A mail server that takes everything, until `trouble` says otherwise."""

    taken: list[Mail] = field(default_factory=list)
    trouble: BaseException | None = None

    def send(self, mail: Mail) -> None:
        """Take a mail."""
        if self.trouble is not None:
            raise self.trouble
        self.taken.append(mail)

    def message_id(self, name: str) -> str:
        """The id of the mail that we call so."""
        return f"<{name}@tanka.example>"
