"""The mails that wait: each is claimed, decided upon with what is known now, and sent at most once.

A mail is claimed (`sending`) before the server hears of it. One whose sender dies before the server's answer is kept
is `unknown` after a while and never sent again: it may have gone out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Protocol
from uuid import UUID

import msgspec
from prometheus_client import Counter
from sqlalchemy import Row, text, update

from chassis import telemetry
from chassis.database import Database
from chassis.mail import Mail, NotTaken, Unanswered
from chassis.rpc_client import Caller
from contracts.errors import ServiceError
from services.notification.domain.kinds import DEFAULTS
from services.notification.domain.mails import AWAY, UNKNOWN_AFTER, Letter, next_attempt, reason_to_drop
from services.notification.tables import mails
from services.notification.texts import Language, filled, say, written

AT_ONCE = 20
SETTINGS_PATH = "/settings/notifications"
ANSWER_SECONDS = 2.0

MAILS = Counter("notification_mails_total", "What became of mails", ["outcome"])

_TEXT = Template("$greeting\n\n$title\n$body\n\n$open\n$link\n\n-- \nTankaAcademy\n$choose\n$settings\n")
_HTML = Template((Path(__file__).parent / "mail.html").read_text(encoding="utf-8"))

_log = telemetry.get_logger("mails")


class Sender(Protocol):
    """What `chassis.mail.Smtp` offers."""

    def send(self, mail: Mail) -> None:
        """Send a mail. Raises `chassis.mail.NotTaken` or `chassis.mail.Unanswered`."""

    def message_id(self, name: str) -> str:
        """A `Message-ID` for the mail that we call so."""


class _Contact(msgspec.Struct, frozen=True):
    user_id: UUID
    display_name: str
    public_names: dict[Language, str]
    email: str | None
    locale: Language


@dataclass(frozen=True)
class _Known:
    """What the accounts know for a mail: the people in it by their ids, and what its badge is called, if it has one."""

    contacts: Mapping[UUID, _Contact]
    badge_names: Mapping[Language, str]


_CLAIM = text(
    "with due as ("
    "select notification_id from mails where state = 'waiting' and due_at <= :now "
    "order by due_at limit 1 for update skip locked"
    ") update mails m set state = 'sending', attempts = m.attempts + 1, due_at = :until "
    "from due, notifications n left join settings s on s.user_id = n.user_id and s.kind = n.kind "
    "where m.notification_id = due.notification_id and n.id = m.notification_id "
    "returning n.id, n.user_id, n.kind, n.message, n.parameters, n.link, n.useless_after, n.read_at, "
    "s.email, m.attempts"
)
_LOSE = text("update mails set state = 'unknown' where state = 'sending' and due_at <= :now returning notification_id")


def send_due(database: Database, rpc: Caller, sender: Sender, front_url: str, clock: Callable[[], datetime]) -> int:
    """Send some of the mails whose time has come; how many were looked at."""
    looked_at = 0
    while looked_at < AT_ONCE and (claimed := _claim(database, clock())):
        looked_at += 1
        try:
            known = _Known(_contacts(rpc, claimed), _badge_names(rpc, claimed))
        except ServiceError as error:
            _log.warning("mails wait: the accounts do not answer", reason=str(error))
            _settle(database, claimed.id, "waiting", due_at=clock() + AWAY, attempts=claimed.attempts - 1)
            break
        _send(database, sender, claimed, known, front_url, clock())
    return looked_at


def _claim(database: Database, now: datetime) -> Row[Any] | None:
    """One mail that is due, if there is any. Whatever ends this process, no other mail is in doubt then."""
    with database.unit_of_work() as unit_of_work:
        for row in unit_of_work.connection.execute(_LOSE, {"now": now}):
            _alarm("unknown", row.notification_id, "the sender ended in the middle of it")
        return unit_of_work.connection.execute(_CLAIM, {"now": now, "until": now + UNKNOWN_AFTER}).one_or_none()


def _contacts(rpc: Caller, claimed: Row[Any]) -> dict[UUID, _Contact]:
    mentioned = written(claimed.message, claimed.parameters, "fr").people.values()
    wanted = {claimed.user_id, *(person.id for person in mentioned)}
    answer = rpc.call("accounts", "get_contacts", deadline=ANSWER_SECONDS, user_ids=sorted(wanted))
    return {contact.user_id: contact for contact in msgspec.convert(answer["items"], list[_Contact])}


def _badge_names(rpc: Caller, claimed: Row[Any]) -> dict[Language, str]:
    code = claimed.parameters.get("badge")
    if code is None:
        return {}
    answer = rpc.call("accounts", "get_badge_names", deadline=ANSWER_SECONDS, code=code)
    return msgspec.convert(answer, dict[Language, str])


def _send(database: Database, sender: Sender, row: Row[Any], known: _Known, front_url: str, now: datetime) -> None:
    contact = known.contacts.get(row.user_id)
    address = contact.email if contact else None
    letter = Letter(
        is_known=contact is not None,
        email=address,
        is_wanted=DEFAULTS[row.kind].email if row.email is None else row.email,
        is_read=row.read_at is not None,
        useless_after=row.useless_after,
    )
    reason = reason_to_drop(letter, now)
    if reason is not None or contact is None or address is None:
        _log.info("mail dropped", notification_id=str(row.id), reason=reason)
        MAILS.labels("dropped").inc()
        _settle(database, row.id, "dropped")
        return
    try:
        sender.send(_mail(row, contact, address, known, front_url, sender.message_id(str(row.id))))
    except NotTaken as error:
        again = None if error.is_final else next_attempt(row.attempts, now)
        if again is None:
            _settle(database, row.id, "failed")
            _alarm("failed", row.id, str(error))
        else:
            _log.warning("mail not taken", notification_id=str(row.id), attempts=row.attempts, reason=str(error))
            _settle(database, row.id, "waiting", due_at=again)
    except Unanswered as error:
        _settle(database, row.id, "unknown")
        _alarm("unknown", row.id, str(error))
    else:
        _settle(database, row.id, "sent")
        MAILS.labels("sent").inc()


def _settle(database: Database, notification_id: UUID, state: str, **values: Any) -> None:
    statement = update(mails).where(mails.c.notification_id == notification_id).values(state=state, **values)
    with database.single_statement() as unit_of_work:
        unit_of_work.connection.execute(statement)


def _alarm(outcome: str, notification_id: UUID, reason: str) -> None:
    MAILS.labels(outcome).inc()
    _log.error("mail alarm", alarm=outcome, notification_id=str(notification_id), reason=reason)


def _mail(row: Row[Any], contact: _Contact, address: str, known: _Known, front_url: str, message_id: str) -> Mail:
    words = written(row.message, row.parameters, contact.locale)
    names = {user_id: person.public_names[contact.locale] for user_id, person in known.contacts.items()}
    badge = known.badge_names.get(contact.locale)
    title = words.title if badge is None else say("mail.badge", contact.locale).replace("{badge}", badge)
    front = front_url.rstrip("/")
    parts = {
        "greeting": say("mail.greeting", contact.locale).replace("{name}", contact.display_name),
        "title": filled(title, words.people, names),
        "body": filled(words.body, words.people, names),
        "link": front + row.link,
        "open": say(f"mail.open.{row.kind}", contact.locale),
        "choose": say("mail.choose", contact.locale),
        "settings": front + SETTINGS_PATH,
        "language": contact.locale,
    }
    return Mail(
        to=address,
        subject=parts["title"],
        text=_TEXT.substitute(parts),
        html=_HTML.substitute({name: escape(part) for name, part in parts.items()}),
        message_id=message_id,
        headers={"List-Unsubscribe": f"<{parts['settings']}>", "Content-Language": contact.locale},
    )
