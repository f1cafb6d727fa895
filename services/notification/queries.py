"""The reads of notifications."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, func, select, text
from sqlalchemy.engine import Connection

from contracts.errors import FieldError, Invalid
from contracts.events.gamification import DuelChanged
from services.notification.domain.kinds import DEFAULTS
from services.notification.handlers import channels_of
from services.notification.tables import notifications
from services.notification.texts import Language, Mentioned, written


class Notification(msgspec.Struct, frozen=True):
    """What lies in an inbox; the names of `people` and of the `badge` are still to be put into `title` and `body`."""

    id: UUID
    kind: str
    title: str
    body: str
    link: str
    created_at: datetime
    read_at: datetime | None
    people: dict[str, Mentioned]
    badge: str | None


class Inbox(msgspec.Struct, frozen=True):
    """A page of an inbox, newest first, and how much of the whole is unread."""

    items: tuple[Notification, ...]
    next_cursor: str | None
    unread: int


class Told(msgspec.Struct, frozen=True):
    """What a stream tells at its `number`: a notification, or the newest state of a duel."""

    number: int
    notification: Notification | None = None
    duel: DuelChanged | None = None


class Feed(msgspec.Struct, frozen=True):
    """What somebody was told after a number, in its order, up to `number`; there is `more` after that."""

    items: tuple[Told, ...]
    number: int
    more: bool


class Setting(msgspec.Struct, frozen=True):
    """By which ways a kind reaches somebody."""

    in_app: bool
    email: bool


_LAST = text("select coalesce((select last_number from inboxes where user_id = :user_id), 0)")
_FEED = text(
    """
    select last.number as last_number, told.* from (
        select coalesce((select last_number from inboxes where user_id = :user_id), 0) as number
    ) last left join lateral (
        (
            select number, id, kind, message, parameters, link, created_at, read_at, null as state
            from notifications where user_id = :user_id and number > :after order by number limit :limit
        ) union all (
            select p.number, null, null, null, null, null, null, null, d.state::text
            from duel_players p join duels d on d.duel_id = p.duel_id
            where p.user_id = :user_id and p.number > :after order by p.number limit :limit
        ) order by 1 limit :limit
    ) told on true
    """
)


def inbox(
    connection: Connection,
    user_id: UUID,
    language: Language,
    front_url: str,
    *,
    only_unread: bool,
    limit: int,
    cursor: str | None,
) -> Inbox:
    """A page of the person's inbox. Raises `Invalid` when the cursor is none of ours."""
    mine = (notifications.c.user_id == user_id) & notifications.c.number.is_not(None)
    unread = mine & notifications.c.read_at.is_(None)
    statement = select(notifications).where(unread if only_unread else mine)
    if cursor is not None:
        statement = statement.where(notifications.c.number < _read_cursor(cursor))
    rows = connection.execute(statement.order_by(notifications.c.number.desc()).limit(limit + 1)).all()
    return Inbox(
        items=tuple(_notification(row, language, front_url) for row in rows[:limit]),
        next_cursor=_cursor(rows[limit - 1].number) if len(rows) > limit else None,
        unread=connection.scalar(select(func.count()).select_from(notifications).where(unread)) or 0,
    )


def feed(
    connection: Connection, user_id: UUID, language: Language, front_url: str, *, after: int | None, limit: int
) -> Feed:
    """What the person was told after a number; without one nothing, but the last number, to begin at."""
    if after is None:
        return Feed((), connection.execute(_LAST, {"user_id": user_id}).scalar_one(), False)
    values = {"user_id": user_id, "after": after, "limit": limit + 1}
    rows = connection.execute(_FEED, values).all()
    items = tuple(_told(row, language, front_url) for row in rows[:limit] if row.number is not None)
    more = len(rows) > limit
    return Feed(items, items[-1].number if more else rows[0].last_number, more)


def settings_of(connection: Connection, user_id: UUID) -> dict[str, Setting]:
    """By which ways each kind reaches the person."""
    chosen = channels_of(connection, {user_id})
    channels = {kind: chosen.get((user_id, kind), default) for kind, default in DEFAULTS.items()}
    return {kind: Setting(present.in_app, present.email) for kind, present in channels.items()}


def _told(row: Row[Any], language: Language, front_url: str) -> Told:
    if row.state is not None:
        return Told(row.number, duel=msgspec.json.decode(row.state, type=DuelChanged))
    return Told(row.number, notification=_notification(row, language, front_url))


def _notification(row: Row[Any], language: Language, front_url: str) -> Notification:
    words = written(row.message, row.parameters, language)
    return Notification(
        id=row.id,
        kind=row.kind,
        title=words.title,
        body=words.body,
        link=front_url.rstrip("/") + row.link,
        created_at=row.created_at,
        read_at=row.read_at,
        people=words.people,
        badge=row.parameters.get("badge"),
    )


def _cursor(number: int) -> str:
    return urlsafe_b64encode(msgspec.json.encode(number)).decode()


def _read_cursor(cursor: str) -> int:
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor.encode()), type=int)
    except ValueError as error:
        raise Invalid(errors=(FieldError("/cursor", "bad-cursor"),)) from error
