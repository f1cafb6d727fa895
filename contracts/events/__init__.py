"""Every event of the academy, by its type. One fact per event, named in the past tense.

Adding an optional field keeps the version; anything else is a new event (`.v2`) published beside the old one. The
schemas in `contracts/schemas/` are what was promised; `tests/contract` holds these classes to them.
"""

import msgspec

from contracts.envelope import BATCH_CONTENT_TYPE, CONTENT_TYPE, Envelope, decode, decode_batch
from contracts.events.accounts import UserChanged, UserRegistered
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged, QuizChanged
from contracts.events.gamification import (
    BadgeAwarded,
    CourseUnlocked,
    DuelChanged,
    LevelReached,
    SquadCaptainChanged,
    SquadMemberRemoved,
    SquadOfTheWeekChosen,
    StreakEndangered,
    StreakExtended,
    StreakFrozen,
    XpAwarded,
)
from contracts.events.notification import DuelNoted, NotificationAdded
from contracts.events.progress import CourseCompleted, DayStudied, FreeEntitlementGranted, LessonCompleted
from contracts.events.purchase import EntitlementChanged, OrderChargedBack, OrderPaid, OrderRefunded

__all__ = [
    "BY_TYPE",
    "EVENTS",
    "BadgeAwarded",
    "CourseChanged",
    "CourseCompleted",
    "CourseUnlocked",
    "DayStudied",
    "DuelChanged",
    "DuelNoted",
    "EntitlementChanged",
    "Event",
    "FreeEntitlementGranted",
    "LessonCompleted",
    "LevelReached",
    "NotificationAdded",
    "OrderChargedBack",
    "OrderPaid",
    "OrderRefunded",
    "QuizChanged",
    "SquadCaptainChanged",
    "SquadMemberRemoved",
    "SquadOfTheWeekChosen",
    "StreakEndangered",
    "StreakExtended",
    "StreakFrozen",
    "Undecodable",
    "UserChanged",
    "UserRegistered",
    "XpAwarded",
    "read",
    "read_all",
]

EVENTS: tuple[type[Event], ...] = (
    UserRegistered,
    UserChanged,
    CourseChanged,
    QuizChanged,
    LessonCompleted,
    CourseCompleted,
    DayStudied,
    XpAwarded,
    LevelReached,
    StreakExtended,
    StreakEndangered,
    StreakFrozen,
    CourseUnlocked,
    BadgeAwarded,
    SquadOfTheWeekChosen,
    SquadMemberRemoved,
    SquadCaptainChanged,
    DuelChanged,
    NotificationAdded,
    DuelNoted,
    EntitlementChanged,
    OrderPaid,
    OrderRefunded,
    OrderChargedBack,
    FreeEntitlementGranted,
)

BY_TYPE: dict[str, type[Event]] = {event.type: event for event in EVENTS}


class Undecodable(Exception):
    """The body of a message is no event that we know; the message says why."""


_DECODERS = {event.type: msgspec.json.Decoder(event) for event in EVENTS}


def read(body: bytes | str | memoryview) -> tuple[Envelope, Event]:
    """The envelope and the event in the body of a message. Raises `Undecodable`."""
    [only] = read_all(body, CONTENT_TYPE)
    return only


def read_all(body: bytes | str | memoryview, content_type: str | None) -> list[tuple[Envelope, Event]]:
    """The envelopes and events in the body of a message, many in a batch. Raises `Undecodable`."""
    try:
        content = body.encode() if isinstance(body, str) else bytes(body)
        envelopes = decode_batch(content) if content_type == BATCH_CONTENT_TYPE else (decode(content),)
        return [(envelope, _DECODERS[envelope.type].decode(envelope.data)) for envelope in envelopes]
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Undecodable(str(error)) from error
    except KeyError as error:
        raise Undecodable(f"unknown event type {error}") from error
