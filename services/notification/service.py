"""Notifications on the bus."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from chassis.clock import now
from chassis.database import UnitOfWork
from chassis.mail import Smtp
from chassis.service import Delivery, Service, consumes, every, rpc
from contracts import topology
from services.notification import handlers, mails, queries
from services.notification.texts import Language

MAIL_SECONDS = 1.0


class Notification(Service):
    """What people are told."""

    name = "notification"

    @rpc
    def get_notifications(
        self,
        user_id: UUID,
        locale: Language = "fr",
        unread: bool = False,
        limit: Annotated[int, Meta(ge=1, le=100)] = 20,
        cursor: str | None = None,
    ) -> queries.Inbox:
        """A page of somebody's inbox, newest first."""
        with self.database.snapshot() as connection:
            return queries.inbox(
                connection, user_id, locale, self.settings.front_url, only_unread=unread, limit=limit, cursor=cursor
            )

    @rpc
    def read_notification(self, user_id: UUID, notification_id: UUID) -> None:
        """Mark a notification as read."""
        with self.database.unit_of_work() as unit_of_work:
            handlers.read_notification(unit_of_work, user_id, notification_id, now())

    @rpc
    def read_all_notifications(self, user_id: UUID) -> None:
        """Mark everything in somebody's inbox as read."""
        with self.database.unit_of_work() as unit_of_work:
            handlers.read_all_notifications(unit_of_work, user_id, now())

    @rpc
    def get_settings(self, user_id: UUID) -> dict[str, queries.Setting]:
        """By which ways each kind reaches somebody."""
        with self.database.single_statement() as unit_of_work:
            return queries.settings_of(unit_of_work.connection, user_id)

    @rpc
    def change_settings(self, user_id: UUID, changes: dict[str, handlers.Choice]) -> dict[str, queries.Setting]:
        """Change by which ways some kinds reach somebody; all of them as they are then."""
        with self.database.unit_of_work() as unit_of_work:
            handlers.change_settings(unit_of_work, user_id, changes)
            return queries.settings_of(unit_of_work.connection, user_id)

    @rpc
    def get_feed(
        self,
        user_id: UUID,
        locale: Language = "fr",
        after: int | None = None,
        limit: Annotated[int, Meta(ge=1, le=100)] = 50,
    ) -> queries.Feed:
        """What somebody's stream tells after a number."""
        with self.database.single_statement() as unit_of_work:
            return queries.feed(
                unit_of_work.connection, user_id, locale, self.settings.front_url, after=after, limit=limit
            )

    @consumes(topology.NOTIFICATION_EVENTS)
    def on_events(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Something happened that people may want to know."""
        facts = [(delivery.envelope, delivery.event) for delivery in deliveries]
        handlers.told(unit_of_work, facts, now(), by_mail=bool(self.settings.smtp_url))

    @every(interval=MAIL_SECONDS)
    def send_mails(self) -> None:
        """Send what waits, when there is a mail server."""
        if self.settings.smtp_url:
            smtp = Smtp(self.settings.smtp_url, self.settings.mail_from)
            while mails.send_due(self.database, self.rpc, smtp, self.settings.front_url, now) == mails.AT_ONCE:
                pass
