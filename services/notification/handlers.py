"""What happens in notifications: things happen that people are told, and people read, and choose what to be told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.context import Trace, traced
from chassis.database import UnitOfWork
from contracts.envelope import Envelope
from contracts.errors import FieldError, Invalid, NotFound
from contracts.events.accounts import UserChanged
from contracts.events.base import Event
from contracts.events.gamification import (
    BadgeAwarded,
    CourseUnlocked,
    DuelChanged,
    LevelReached,
    SquadCaptainChanged,
    SquadMemberRemoved,
    SquadOfTheWeekChosen,
    StreakEndangered,
    StreakFrozen,
)
from contracts.events.notification import DuelNoted, NotificationAdded
from services.notification.domain import notices
from services.notification.domain.kinds import DEFAULTS, Channels
from services.notification.domain.notices import Notice
from services.notification.tables import duel_players, inboxes, mails, notifications, settings


class Choice(msgspec.Struct, frozen=True):
    """What of a kind's channels somebody changes."""

    in_app: bool | None = None
    email: bool | None = None


@dataclass(frozen=True)
class _Caused:
    notice: Notice
    cause: Trace


@dataclass(frozen=True)
class _Seen:
    duel: DuelChanged
    cause: Trace


_LOCK = text(
    "insert into inboxes (user_id) select unnest(cast(:user_ids as uuid[])) "
    "on conflict (user_id) do update set last_number = inboxes.last_number "
    "returning user_id, last_number, erased"
)
_SAVE = text(
    "update inboxes set last_number = given.number "
    "from unnest(cast(:user_ids as uuid[]), cast(:numbers as bigint[])) as given (user_id, number) "
    "where inboxes.user_id = given.user_id"
)
_KEEP_DUELS = text(
    "insert into duels (duel_id, sequence, state) "
    "select * from unnest(cast(:duel_ids as uuid[]), cast(:sequences as bigint[]), cast(:states as jsonb[])) "
    "on conflict (duel_id) do update set sequence = excluded.sequence, state = excluded.state "
    "where duels.sequence < excluded.sequence returning duel_id"
)
_KNOWN = text(
    "select user_id, kind, key from notifications join "
    "unnest(cast(:user_ids as uuid[]), cast(:kinds as text[]), cast(:keys as text[])) "
    "as given (user_id, kind, key) using (user_id, kind, key)"
)


def told(unit_of_work: UnitOfWork, facts: Iterable[tuple[Envelope, Event]], now: datetime, *, by_mail: bool) -> None:
    """Let people know of what happened, each thing once, in whatever order it is heard; mails only if they can go out.

    Nothing is told of a duel's state when a newer one was heard, and nothing to anybody when it has become useless.
    """
    connection = unit_of_work.connection
    # what arrives together has no order of its own, and people read it in that of its happening
    in_order = sorted(facts, key=lambda fact: fact[0].time)
    heard = [(event, _cause(envelope), envelope.sequence) for envelope, event in in_order]
    seen = _keep_duels(connection, [item for item in heard if isinstance(item[0], DuelChanged)])
    caused = [_Caused(notice, cause) for event, cause, _ in heard for notice in _notices(event)]
    caused += [_Caused(notice, item.cause) for item in seen for notice in notices.of_duel(_as_duel(item.duel))]
    caused = [item for item in caused if not item.notice.is_useless(now)]
    erased = {event.user_id for event, _, _ in heard if isinstance(event, UserChanged) and event.status == "erased"}
    players = [(user_id, item) for item in seen for user_id in _players(item.duel)]
    numbers = _lock(connection, erased | {item.notice.user_id for item in caused} | {user_id for user_id, _ in players})
    _erase(connection, erased)
    for user_id in erased:
        numbers.pop(user_id, None)
    before = dict(numbers)
    _note_duels(unit_of_work, numbers, players, now)
    _add(unit_of_work, numbers, [item for item in caused if item.notice.user_id in numbers], now, by_mail)
    moved = {user_id: number for user_id, number in numbers.items() if number != before[user_id]}
    if moved:
        connection.execute(_SAVE, {"user_ids": list(moved), "numbers": list(moved.values())})


def read_notification(unit_of_work: UnitOfWork, user_id: UUID, notification_id: UUID, now: datetime) -> None:
    """Mark a notification as read; again changes nothing. Raises `NotFound` for what is not in the person's inbox."""
    mine = (notifications.c.id == notification_id) & (notifications.c.user_id == user_id)
    known = unit_of_work.connection.execute(
        update(notifications)
        .where(mine, notifications.c.number.is_not(None))
        .values(read_at=text("coalesce(read_at, :now)").bindparams(now=now))
    )
    if known.rowcount == 0:
        raise NotFound


def read_all_notifications(unit_of_work: UnitOfWork, user_id: UUID, now: datetime) -> None:
    """Mark everything in the person's inbox as read."""
    unread = notifications.c.number.is_not(None) & notifications.c.read_at.is_(None)
    unit_of_work.connection.execute(
        update(notifications).where(notifications.c.user_id == user_id, unread).values(read_at=now)
    )


def change_settings(unit_of_work: UnitOfWork, user_id: UUID, changes: Mapping[str, Choice]) -> None:
    """Change how the person is told of some kinds. Raises `Invalid` naming each kind that there is not."""
    unknown = [FieldError(f"/{_pointer(kind)}", "unknown-kind") for kind in changes if kind not in DEFAULTS]
    if unknown:
        raise Invalid(errors=tuple(unknown[:50]))
    if user_id not in _lock(unit_of_work.connection, {user_id}):
        raise NotFound
    chosen = channels_of(unit_of_work.connection, {user_id})
    rows = []
    for kind, change in changes.items():
        present = chosen.get((user_id, kind), DEFAULTS[kind])
        in_app = present.in_app if change.in_app is None else change.in_app
        email = present.email if change.email is None else change.email
        rows.append({"user_id": user_id, "kind": kind, "in_app": in_app, "email": email})
    if rows:
        statement = insert(settings).values(rows)
        values = {"in_app": statement.excluded.in_app, "email": statement.excluded.email}
        unit_of_work.connection.execute(
            statement.on_conflict_do_update(index_elements=["user_id", "kind"], set_=values)
        )


def channels_of(connection: Connection, user_ids: set[UUID]) -> dict[tuple[UUID, str], Channels]:
    """What the people have chosen, by person and kind."""
    rows = connection.execute(select(settings).where(settings.c.user_id.in_(user_ids)))
    return {(row.user_id, row.kind): Channels(row.in_app, row.email) for row in rows}


def _cause(envelope: Envelope) -> Trace:
    return Trace(correlation_id=envelope.correlation_id, event_id=str(envelope.id))


def _notices(event: Event) -> Sequence[Notice]:
    match event:
        case StreakEndangered():
            return [notices.of_endangered_streak(event.user_id, event.local_date, event.current, event.dies_at)]
        case StreakFrozen():
            return [notices.of_frozen_streak(event.user_id, event.local_date, event.current, event.freezes)]
        case CourseUnlocked():
            return [notices.of_unlocked_course(event.user_id, event.course_id, event.streak_days)]
        case BadgeAwarded():
            return [notices.of_badge(event.user_id, event.code, event.reason)]
        case SquadOfTheWeekChosen():
            return notices.of_squad_of_the_week(event.week, event.squad_id, event.score, event.member_ids)
        case SquadMemberRemoved():
            return [notices.of_removed_member(event.user_id, event.membership_id)]
        case SquadCaptainChanged():
            return [notices.of_new_captain(event.captain_id, event.squad_id, event.changed_at)]
        case LevelReached():
            return [notices.of_level(event.user_id, event.level)]
        case _:
            return []


def _as_duel(event: DuelChanged) -> notices.Duel:
    return notices.Duel(
        duel_id=event.duel_id,
        mode=event.mode,
        state=event.state,
        challenger_id=event.challenger_id,
        opponent_id=event.opponent_id,
        expires_at=event.expires_at,
        winner_id=event.winner_id,
        points_moved=event.points_moved,
        void_reason=event.void_reason,
    )


def _players(duel: DuelChanged) -> list[UUID]:
    return [duel.challenger_id, *([duel.opponent_id] if duel.opponent_id else [])]


def _lock(connection: Connection, user_ids: set[UUID]) -> dict[UUID, int]:
    """Lock the people's inboxes in the order of their ids; the last number of each that is not erased."""
    if not user_ids:
        return {}
    rows = connection.execute(_LOCK, {"user_ids": sorted(user_ids)}).all()
    return {row.user_id: row.last_number for row in rows if not row.erased}


def _erase(connection: Connection, user_ids: set[UUID]) -> None:
    if user_ids:
        connection.execute(update(inboxes).where(inboxes.c.user_id.in_(user_ids)).values(erased=True))
        for table in (notifications, settings, duel_players):
            connection.execute(delete(table).where(table.c.user_id.in_(user_ids)))


def _keep_duels(connection: Connection, heard: Sequence[tuple[Any, Trace, int]]) -> list[_Seen]:
    """Keep the newest state of each duel; those that are newer than what was known."""
    newest: dict[UUID, tuple[DuelChanged, Trace, int]] = {}
    for duel, cause, sequence in heard:
        if duel.duel_id not in newest or newest[duel.duel_id][2] < sequence:
            newest[duel.duel_id] = (duel, cause, sequence)
    if not newest:
        return []
    in_order = sorted(newest)
    rows = connection.execute(
        _KEEP_DUELS,
        {
            "duel_ids": in_order,
            "sequences": [newest[duel_id][2] for duel_id in in_order],
            "states": [msgspec.json.encode(newest[duel_id][0]).decode() for duel_id in in_order],
        },
    )
    return [_Seen(*newest[row.duel_id][:2]) for row in rows]


def _note_duels(
    unit_of_work: UnitOfWork, numbers: dict[UUID, int], players: Iterable[tuple[UUID, _Seen]], now: datetime
) -> None:
    rows = []
    for user_id, item in players:
        if user_id not in numbers:
            continue
        numbers[user_id] += 1
        rows.append({"user_id": user_id, "duel_id": item.duel.duel_id, "number": numbers[user_id]})
        with traced(item.cause):
            unit_of_work.tell(DuelNoted(duel_id=item.duel.duel_id, user_id=user_id, noted_at=now))
    if rows:
        statement = insert(duel_players).values(rows)
        unit_of_work.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["user_id", "duel_id"], set_={"number": statement.excluded.number}
            )
        )


def _add(
    unit_of_work: UnitOfWork, numbers: dict[UUID, int], caused: Sequence[_Caused], now: datetime, by_mail: bool
) -> None:
    fresh = _fresh(unit_of_work.connection, caused)
    chosen = channels_of(unit_of_work.connection, {item.notice.user_id for item in fresh}) if fresh else {}
    rows, letters = [], []
    for item in fresh:
        notice = item.notice
        channels = chosen.get((notice.user_id, notice.kind), DEFAULTS[notice.kind])
        mailed = channels.email and by_mail
        if not channels.in_app and not mailed:
            continue
        row = _row(notice, now)
        if channels.in_app:
            numbers[notice.user_id] += 1
            row["number"] = numbers[notice.user_id]
            _tell_added(unit_of_work, row, item.cause)
        if mailed:
            letters.append({"notification_id": row["id"], "state": "waiting", "due_at": now})
        rows.append(row)
    if rows:
        unit_of_work.connection.execute(insert(notifications), rows)
    if letters:
        unit_of_work.connection.execute(insert(mails), letters)


def _fresh(connection: Connection, caused: Sequence[_Caused]) -> list[_Caused]:
    """Those that were not told before."""
    if not caused:
        return []
    by_key = {(item.notice.user_id, item.notice.kind, item.notice.key): item for item in reversed(caused)}
    keys = list(by_key)
    rows = connection.execute(
        _KNOWN,
        {"user_ids": [key[0] for key in keys], "kinds": [key[1] for key in keys], "keys": [key[2] for key in keys]},
    )
    known = {(row.user_id, row.kind, row.key) for row in rows}
    return [item for key, item in reversed(by_key.items()) if key not in known]


def _row(notice: Notice, now: datetime) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "user_id": notice.user_id,
        "kind": notice.kind,
        "key": notice.key,
        "message": notice.message,
        "parameters": dict(notice.parameters),
        "link": notice.link,
        "number": None,
        "useless_after": notice.useless_after,
        "created_at": now,
    }


def _tell_added(unit_of_work: UnitOfWork, row: Mapping[str, Any], cause: Trace) -> None:
    with traced(cause):
        unit_of_work.tell(
            NotificationAdded(
                notification_id=row["id"], user_id=row["user_id"], kind=row["kind"], added_at=row["created_at"]
            )
        )


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
