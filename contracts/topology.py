"""Exchanges, every consumer's queue, and what is bound to it: one table, declared whole by all who publish.

Names are part of the contract: a renamed queue is an orphan that grows. A deployment may put a prefix before all of
them (tests on a shared broker do).
"""

from dataclasses import dataclass

from contracts.events import (
    BadgeAwarded,
    CourseChanged,
    CourseCompleted,
    CourseUnlocked,
    DayStudied,
    DuelChanged,
    DuelNoted,
    EntitlementChanged,
    FreeEntitlementGranted,
    LessonCompleted,
    LevelReached,
    NotificationAdded,
    OrderChargedBack,
    OrderPaid,
    OrderRefunded,
    QuizChanged,
    SquadCaptainChanged,
    SquadMemberRemoved,
    SquadOfTheWeekChosen,
    StreakEndangered,
    StreakExtended,
    StreakFrozen,
    UserChanged,
    UserRegistered,
    XpAwarded,
)
from contracts.events.base import Event

EVENT_EXCHANGE = "tanka.events"
RPC_EXCHANGE = "tanka.rpc"


@dataclass(frozen=True)
class ConsumerQueue:
    """The durable queue of one consumer and the events it hears."""

    name: str
    events: tuple[type[Event], ...]


PROGRESS_CATALOG = ConsumerQueue("progress.catalog", (CourseChanged,))
PROGRESS_ENTITLEMENTS = ConsumerQueue("progress.entitlements", (EntitlementChanged,))
PURCHASE_CATALOG = ConsumerQueue("purchase.catalog", (CourseChanged,))
PURCHASE_ENTITLEMENTS = ConsumerQueue("purchase.entitlements", (FreeEntitlementGranted,))
PURCHASE_UNLOCKS = ConsumerQueue("purchase.unlocks", (CourseUnlocked,))
GAMIFICATION_CATALOG = ConsumerQueue("gamification.catalog", (CourseChanged, QuizChanged))
GAMIFICATION_PEOPLE = ConsumerQueue("gamification.people", (UserChanged,))
GAMIFICATION_LEARNING = ConsumerQueue("gamification.learning", (LessonCompleted, CourseCompleted, DayStudied))

ANALYTICS_EVENTS = ConsumerQueue(
    "analytics.events",
    (
        UserRegistered,
        UserChanged,
        CourseChanged,
        LessonCompleted,
        CourseCompleted,
        EntitlementChanged,
        OrderPaid,
        OrderRefunded,
        OrderChargedBack,
    ),
)
ANALYTICS_REPLAY = ConsumerQueue("analytics.replay", ())
"""Nothing is bound to it: what owners have told before is sent to it again, in batches, for a rebuild."""

NOTIFICATION_EVENTS = ConsumerQueue(
    "notification.events",
    (
        UserChanged,
        LevelReached,
        StreakEndangered,
        StreakFrozen,
        CourseUnlocked,
        BadgeAwarded,
        SquadOfTheWeekChosen,
        SquadMemberRemoved,
        SquadCaptainChanged,
        DuelChanged,
    ),
)

CONSUMER_QUEUES: tuple[ConsumerQueue, ...] = (
    PROGRESS_CATALOG,
    PROGRESS_ENTITLEMENTS,
    PURCHASE_CATALOG,
    PURCHASE_ENTITLEMENTS,
    PURCHASE_UNLOCKS,
    GAMIFICATION_CATALOG,
    GAMIFICATION_PEOPLE,
    GAMIFICATION_LEARNING,
    ANALYTICS_EVENTS,
    ANALYTICS_REPLAY,
    NOTIFICATION_EVENTS,
)

GATEWAY_CACHE_EVENTS: tuple[type[Event], ...] = (CourseChanged, UserChanged)
"""What each gateway process hears on an exclusive queue of its own, to drop what it has cached."""

GATEWAY_LIVE_EVENTS: tuple[type[Event], ...] = (XpAwarded, StreakExtended, StreakFrozen, DuelNoted, NotificationAdded)
"""What each gateway process hears as well, to tell the people whose streams it holds."""


def has_durable_consumer(event_type: str) -> bool:
    """Whether an event of this type must reach at least one queue (it is then published `mandatory`)."""
    return any(event.type == event_type for queue in CONSUMER_QUEUES for event in queue.events)
