"""Events of the notifications."""

from typing import ClassVar
from uuid import UUID

from contracts.events.base import Event, Instant


class NotificationAdded(Event, frozen=True):
    """Something lies in a student's inbox; told once per notification."""

    type: ClassVar[str] = "notification.notification_added.v1"
    notification_id: UUID
    user_id: UUID
    kind: str
    added_at: Instant

    def partition_key(self) -> str:
        return str(self.user_id)


class DuelNoted(Event, frozen=True):
    """A duel's new state can be read for one of its players' streams; told once per state and player."""

    type: ClassVar[str] = "notification.duel_noted.v1"
    duel_id: UUID
    user_id: UUID
    noted_at: Instant

    def partition_key(self) -> str:
        return str(self.user_id)
