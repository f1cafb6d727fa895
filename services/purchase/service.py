"""Purchase on the bus."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from chassis.clock import now
from chassis.database import UnitOfWork
from chassis.service import Delivery, Service, consumes, every, rpc
from chassis.settings import Settings
from contracts import topology
from contracts.events.accounts import Role
from contracts.events.base import Instant
from contracts.events.catalog import CourseChanged
from contracts.events.gamification import CourseUnlocked
from contracts.events.progress import FreeEntitlementGranted
from services.purchase import handlers, payments, queries, reconciliation
from services.purchase.courses import Courses, keep_courses
from services.purchase.domain.orders import Status
from services.purchase.handlers import Wanted

SETTLE_SECONDS = 5
Limit = Annotated[int, Meta(ge=1, le=100)]


class PurchaseService(Service):
    """Orders, payments, and the rights to courses that come of them."""

    name = "purchase"

    @classmethod
    def check(cls, settings: Settings) -> None:
        """Raise `SettingsError` in production without Stripe."""
        payments.check(settings)

    @property
    def courses(self) -> Courses:
        """The copy of catalog's courses."""
        return Courses(self.database, self.rpc)

    @property
    def payments(self) -> payments.Payments:
        """Stripe."""
        return payments.stripe_at(self.settings.stripe_api_base, self.settings.stripe_api_key)

    @rpc
    def create_checkout(
        self,
        user_id: UUID,
        course_id: UUID,
        role: Role = "student",
        email: str | None = None,
        locale: str = "fr",
        success_url: str | None = None,
        cancel_url: str | None = None,
        withdrawal_waiver: bool = False,
        waiver_text: str = "",
        ref: str | None = None,
    ) -> handlers.Checkout:
        """Let a student take a course; a free one is theirs at once. `waiver_text` is what they agreed to."""
        wanted = Wanted(
            user_id=user_id,
            course_id=course_id,
            role=role,
            email=email,
            locale=locale,
            success_url=success_url,
            cancel_url=cancel_url,
            withdrawal_waiver=withdrawal_waiver,
            waiver_text=waiver_text,
            ref=ref,
        )
        return handlers.create_checkout(
            self.database, self.courses, self.payments, wanted, self.settings.front_url, now()
        )

    @rpc
    def receive_stripe_event(self, payload: str, signature: str) -> None:
        """Let one of Stripe's events have its effect; `payload` is the body exactly as it arrived."""
        handlers.receive_stripe_event(
            self.database,
            payload,
            signature,
            self.settings.stripe_webhook_secret,
            livemode=payments.is_live(self.settings),
            now=now(),
        )

    @rpc
    def check_course_access(self, user_id: UUID, course_id: UUID, role: Role = "student") -> queries.CourseAccess:
        """Whether and why someone may see a course, with all their rights to it."""
        with self.database.snapshot() as connection:
            return queries.course_access(connection, user_id, course_id, role)

    @rpc
    def get_user_enrollments(
        self, user_id: UUID, limit: Limit = 20, cursor: str | None = None
    ) -> queries.EnrollmentPage:
        """A page of the courses that someone holds, newest first, with how far they are."""
        return handlers.get_user_enrollments(self.database, self.rpc, user_id, limit, cursor)

    @rpc
    def get_orders(self, user_id: UUID, limit: Limit = 20, cursor: str | None = None) -> queries.OrderPage:
        """A page of someone's orders, newest first."""
        with self.database.single_statement() as unit_of_work:
            return queries.order_page(unit_of_work.connection, limit, cursor, user_id=user_id)

    @rpc
    def list_orders(
        self,
        status: Status | None = None,
        refund_due: bool | None = None,
        user_id: UUID | None = None,
        limit: Limit = 20,
        cursor: str | None = None,
    ) -> queries.OrderPage:
        """A page of all orders that are as asked, newest first; for admins."""
        with self.database.single_statement() as unit_of_work:
            return queries.order_page(
                unit_of_work.connection, limit, cursor, user_id=user_id, status=status, refund_due=refund_due
            )

    @rpc
    def withdraw_order(self, user_id: UUID, order_id: UUID) -> handlers.RequestedRefund:
        """Let a student withdraw from an order and have the payment back."""
        return handlers.withdraw_order(self.database, self.payments, user_id, order_id, now())

    @rpc
    def refund_order(
        self, order_id: UUID, request_id: UUID, amount: Annotated[int, Meta(ge=1)] | None = None
    ) -> handlers.RequestedRefund:
        """Give back some of an order's payment, or all that is left; once for a request."""
        return handlers.refund_order(self.database, self.payments, order_id, amount, request_id, now())

    @rpc
    def grant_course(
        self, user_id: UUID, course_id: UUID, reason: str, granted_by: UUID, request_id: UUID
    ) -> handlers.Grant:
        """Give someone a course; once for a request."""
        return handlers.grant_course(
            self.database, self.courses, self.payments, user_id, course_id, reason, granted_by, request_id, now()
        )

    @rpc
    def revoke_grant(self, course_id: UUID, grant_id: UUID) -> None:
        """Take a gift back."""
        handlers.revoke_grant(self.database, course_id, grant_id, now())

    @rpc
    def reconcile_stripe(
        self, kind: reconciliation.Kind, since: Instant, after: str | None = None
    ) -> reconciliation.Reconciled:
        """Find and repair what webhooks missed, some of Stripe's objects of a kind at a time."""
        return reconciliation.reconcile(self.database, self.payments, kind, since, after, now())

    @consumes(topology.PURCHASE_CATALOG)
    def on_catalog(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Courses changed: keep their newest states."""
        heard = [(delivery.event, delivery.envelope.sequence) for delivery in deliveries]
        keep_courses(unit_of_work.connection, [(event, n) for event, n in heard if isinstance(event, CourseChanged)])

    @consumes(topology.PURCHASE_ENTITLEMENTS)
    def on_entitlements(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Progress hands over the free entitlements that it had."""
        events = [delivery.event for delivery in deliveries]
        handlers.take_over(unit_of_work, [event for event in events if isinstance(event, FreeEntitlementGranted)])

    @consumes(topology.PURCHASE_UNLOCKS)
    def on_unlocks(self, unit_of_work: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
        """Students' streaks have opened bonus courses."""
        events = [delivery.event for delivery in deliveries]
        handlers.unlock(unit_of_work, [event for event in events if isinstance(event, CourseUnlocked)])

    @every(interval=SETTLE_SECONDS)
    def settle(self) -> None:
        """Go on with refunds that Stripe did not answer, and fetch receipts."""
        handlers.settle(self.database, self.payments, now())
