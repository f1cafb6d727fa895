"""Exchanges, every consumer's queue, and what is bound to it: one table, declared whole by all who publish.

Names are part of the contract: a renamed queue is an orphan that grows. A deployment may put a prefix before all of
them (tests on a shared broker do).
"""

from dataclasses import dataclass

from contracts.events import CourseChanged, CourseCompleted, DayStudied, LessonCompleted, UserChanged
from contracts.events.base import Event

EVENT_EXCHANGE = "tanka.events"
RPC_EXCHANGE = "tanka.rpc"


@dataclass(frozen=True)
class ConsumerQueue:
    """The durable queue of one consumer and the events it hears."""

    name: str
    events: tuple[type[Event], ...]


PROGRESS_CATALOG = ConsumerQueue("progress.catalog", (CourseChanged,))
GAMIFICATION_LEARNING = ConsumerQueue("gamification.learning", (LessonCompleted, CourseCompleted, DayStudied))

CONSUMER_QUEUES: tuple[ConsumerQueue, ...] = (PROGRESS_CATALOG, GAMIFICATION_LEARNING)

GATEWAY_CACHE_EVENTS: tuple[type[Event], ...] = (CourseChanged, UserChanged)
"""What each gateway process hears on an exclusive queue of its own, to drop what it has cached."""


def has_durable_consumer(event_type: str) -> bool:
    """Whether an event of this type must reach at least one queue (it is then published `mandatory`)."""
    return any(event.type == event_type for queue in CONSUMER_QUEUES for event in queue.events)
