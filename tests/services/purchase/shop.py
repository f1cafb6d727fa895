"""Purchase without a bus: courses as catalog tells them, a Stripe that answers as it is told, webhooks like its own."""

import hmac
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import text

from chassis.database import Database
from contracts.errors import NotFound, Unavailable
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged, Money
from contracts.events.purchase import EntitlementChanged, OrderChargedBack, OrderPaid, OrderRefunded
from services.purchase import handlers, queries
from services.purchase.courses import Courses, keep_courses
from services.purchase.handlers import Checkout, Wanted
from services.purchase.payments import KeySpent, OrderToPay, Page, Refused
from services.purchase.stripe_events import DisputeHeard, RefundHeard, SessionHeard
from tests.told import course_changed

T = TypeVar("T")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECRET = "whsec_test"
FRONT = "http://front.example"
PRICE = 4900


def course(**changes: Any) -> CourseChanged:
    """A published course for 49 euros."""
    values = {
        "slug": "affiche-ton-monde",
        "title": "Affiche ton monde",
        "category": "design",
        "price": Money(PRICE, "EUR"),
        "practical": True,
    }
    return course_changed(**(values | changes))


class FakeCatalog:
    """Catalog as its one RPC method shows it. `silent`: it does not answer."""

    def __init__(self) -> None:
        self.courses: dict[UUID, tuple[CourseChanged, int]] = {}
        self.silent = False

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        assert (service, method, deadline) == ("catalog", "get_outline", 1.0)
        if self.silent:
            raise Unavailable
        if arguments["course_id"] not in self.courses:
            raise NotFound
        changed, sequence = self.courses[arguments["course_id"]]
        return msgspec.json.decode(msgspec.json.encode({"sequence": sequence, "course": changed}))


class FakeStripe:
    """Stripe as `Payments` shows it: keys are honoured, pages and refunds counted.

    `before_answer` runs when the work is done and the answer is not yet given; `silent`: it does not answer at all.
    """

    def __init__(self) -> None:
        self.pages: dict[str, tuple[OrderToPay, Page]] = {}
        self.closed: set[str] = set()
        self.paid_on: dict[str, SessionHeard] = {}
        self.refunded: dict[str, tuple[str, int]] = {}
        self.receipts: dict[str, str] = {}
        self.without_receipt: set[str] = set()
        self.sessions_there: list[SessionHeard] = []
        self.refunds_there: list[RefundHeard] = []
        self.disputes_there: list[DisputeHeard] = []
        self.silent = False
        self.asked: Counter[str] = Counter()
        self.before_answer: Callable[[], None] = lambda: None
        self.refuses: Exception | None = None
        self.refuses_payments: set[str] = set()

    def _ask(self, what: str) -> None:
        self.asked[what] += 1
        if self.silent:
            raise Unavailable
        if self.refuses is not None:
            raise self.refuses

    def open_page(self, order: OrderToPay) -> Page:
        self._ask("open_page")
        known = self.pages.setdefault(order.key, (order, Page(f"cs_{uuid4().hex}", f"https://pay.example/{order.key}")))
        if known[0] != order:
            raise KeySpent
        self.before_answer()
        return known[1]

    def close_page(self, session_id: str) -> SessionHeard | None:
        self._ask("close_page")
        if session_id in self.paid_on:
            return self.paid_on[session_id]
        self.closed.add(session_id)
        return None

    def refund(self, payment_intent_id: str, amount: int, order_id: UUID, key: str) -> str:
        self._ask("refund")
        if payment_intent_id in self.refuses_payments:
            raise Refused("charge_already_refunded")
        self.refunded.setdefault(key, (f"re_{uuid4().hex}", amount))
        self.before_answer()
        return self.refunded[key][0]

    def receipt_url(self, payment_intent_id: str) -> str | None:
        self._ask("receipt_url")
        if payment_intent_id in self.without_receipt:
            raise Refused("resource_missing")
        return self.receipts.get(payment_intent_id)

    def sessions(self, since: datetime, after: str | None) -> tuple[Sequence[SessionHeard], str | None]:
        return _page(self.sessions_there, after)

    def refunds(self, since: datetime, after: str | None) -> tuple[Sequence[RefundHeard], str | None]:
        return _page(self.refunds_there, after)

    def disputes(self, since: datetime, after: str | None) -> tuple[Sequence[DisputeHeard], str | None]:
        return _page(self.disputes_there, after)


def _page(found: Sequence[T], after: str | None) -> tuple[Sequence[T], str | None]:
    """Two at a time."""
    start = int(after or 0)
    return found[start : start + 2], str(start + 2) if start + 2 < len(found) else None


class Webhook(msgspec.Struct, frozen=True):
    """One of Stripe's events, before it is signed."""

    id: str
    type: str
    object: dict[str, Any]
    at: datetime = NOON
    account: str | None = None
    livemode: bool = False

    def body(self) -> str:
        content = {
            "id": self.id,
            "object": "event",
            "type": self.type,
            "created": int(self.at.timestamp()),
            "livemode": self.livemode,
            "data": {"object": self.object},
        }
        return json.dumps(content | ({"account": self.account} if self.account else {}), ensure_ascii=False)


def webhook(type: str, object: dict[str, Any], at: datetime = NOON, **changes: Any) -> Webhook:
    return Webhook(f"evt_{uuid4().hex}", type, object, at, **changes)


def signed(body: str, secret: str = SECRET, at: float | None = None) -> str:
    """What Stripe puts into `Stripe-Signature` (docs.stripe.com/webhooks#verify-manually)."""
    stamp = int(time.time() if at is None else at)
    return f"t={stamp},v1={hmac.new(secret.encode(), f'{stamp}.{body}'.encode(), sha256).hexdigest()}"


class Shop:
    """Purchase with its database, and the catalog and the Stripe beside it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.catalog = FakeCatalog()
        self.stripe = FakeStripe()
        self.courses = Courses(database, self.catalog)
        self.now = NOON

    def publish(self, changed: CourseChanged, *, heard: bool = True) -> CourseChanged:
        """Let catalog have this course next; its event arrives unless `heard` says that it is still on its way."""
        sequence = self.catalog.courses.get(changed.course_id, (changed, 0))[1] + 1
        self.catalog.courses[changed.course_id] = (changed, sequence)
        if heard:
            with self.database.unit_of_work() as unit_of_work:
                keep_courses(unit_of_work.connection, [(changed, sequence)])
        return changed

    def check_out(self, user_id: UUID, changed: CourseChanged, **changes: Any) -> Checkout:
        values: dict[str, Any] = {
            "role": "student",
            "email": "ber@tanka.example",
            "locale": "fr",
            "success_url": None,
            "cancel_url": None,
            "withdrawal_waiver": True,
            "waiver_text": "Accès immédiat : je renonce à mon droit de rétractation.",
            "ref": None,
        }
        wanted = Wanted(user_id=user_id, course_id=changed.course_id, **(values | changes))
        return handlers.create_checkout(self.database, self.courses, self.stripe, wanted, FRONT, self.now)

    def ordered(self, user_id: UUID, changed: CourseChanged, **changes: Any) -> UUID:
        order_id = self.check_out(user_id, changed, **changes).order_id
        assert order_id is not None
        return order_id

    def receive(self, *webhooks: Webhook) -> None:
        for one in webhooks:
            body = one.body()
            self.receive_raw(body, signed(body))

    def receive_raw(self, body: str, signature: str) -> None:
        handlers.receive_stripe_event(self.database, body, signature, SECRET, livemode=False, now=self.now)

    def session(self, order_id: UUID, **changes: Any) -> dict[str, Any]:
        """The order's Checkout Session, paid, as Stripe writes it."""
        values: dict[str, Any] = {
            "id": self.order(order_id).session_id or f"cs_{order_id.hex}",
            "object": "checkout.session",
            "status": "complete",
            "payment_status": "paid",
            "amount_total": PRICE,
            "currency": "eur",
            "payment_intent": intent_of(order_id),
            "metadata": {"order_id": str(order_id)},
        }
        return values | changes

    def pay(self, order_id: UUID, at: datetime = NOON, **changes: Any) -> Webhook:
        done = webhook("checkout.session.completed", self.session(order_id, **changes), at)
        self.receive(done)
        return done

    def bought(self, user_id: UUID, changed: CourseChanged, at: datetime = NOON) -> UUID:
        order_id = self.ordered(user_id, changed)
        self.pay(order_id, at)
        return order_id

    def refund(
        self, order_id: UUID, amount: int | None = None, request_id: UUID | None = None
    ) -> handlers.RequestedRefund:
        return handlers.refund_order(self.database, self.stripe, order_id, amount, request_id or uuid4(), self.now)

    def withdraw(self, user_id: UUID, order_id: UUID) -> handlers.RequestedRefund:
        return handlers.withdraw_order(self.database, self.stripe, user_id, order_id, self.now)

    def settle(self) -> None:
        handlers.settle(self.database, self.stripe, self.now)

    def pay_unheard(self, order_id: UUID) -> None:
        """Let the order be paid at Stripe, whose webhook is late."""
        session = self.order(order_id).session_id
        heard = SessionHeard(session, order_id, "paid", intent_of(order_id), PRICE, "eur", NOON)
        self.stripe.paid_on[session] = heard

    def give(self, user_id: UUID, changed: CourseChanged, request_id: UUID | None = None) -> UUID:
        return handlers.grant_course(
            self.database,
            self.courses,
            self.stripe,
            user_id,
            changed.course_id,
            "Un cadeau",
            uuid4(),
            request_id or uuid4(),
            self.now,
        ).id

    def take_back(self, changed: CourseChanged, grant_id: UUID) -> None:
        handlers.revoke_grant(self.database, changed.course_id, grant_id, self.now)

    def access(self, user_id: UUID, changed: CourseChanged, role: str = "student") -> str:
        with self.database.single_statement() as unit_of_work:
            return queries.course_access(unit_of_work.connection, user_id, changed.course_id, role).reason

    def order(self, order_id: UUID) -> Any:
        with self.database.single_statement() as unit_of_work:
            return queries.order(unit_of_work.connection, order_id)

    def orders_of(self, user_id: UUID) -> list[queries.Order]:
        with self.database.single_statement() as unit_of_work:
            return queries.order_page(unit_of_work.connection, 100, None, user_id=user_id).items

    def live(self, user_id: UUID) -> int:
        """How many live rights a student has."""
        [row] = self.execute(
            "select count(*) as n from entitlements where user_id = :user_id and live", user_id=user_id
        )
        return int(row.n)

    def execute(self, statement: str, **values: Any) -> Any:
        with self.database.unit_of_work() as unit_of_work:
            result = unit_of_work.connection.execute(text(statement), values)
            return result.all() if result.returns_rows else None

    def told(self, kind: type[T], key: UUID | None = None) -> list[T]:
        """The events of this type in the outbox, of this key if one is named, as consumers would read them."""
        assert issubclass(kind, Event)
        rows = self.execute(
            "select partition_key, data::text from outbox where type = :type order by position", type=kind.type
        )
        return [
            msgspec.json.decode(row.data, type=kind) for row in rows if key is None or row.partition_key == str(key)
        ]

    def revenue(self, order_id: UUID) -> tuple[Any, ...]:
        """All that was told of an order's money, in no order."""
        paid = [(event.price.amount, event.paid_at) for event in self.told(OrderPaid, order_id)]
        given_back = {(event.refunded.amount, event.refunded_at) for event in self.told(OrderRefunded, order_id)}
        lost = {
            (event.dispute_id, event.amount.amount, event.charged_back_at)
            for event in self.told(OrderChargedBack, order_id)
        }
        assert len(self.told(OrderRefunded, order_id)) == len(given_back)
        assert len(self.told(OrderChargedBack, order_id)) == len(lost)
        return paid, given_back, lost

    def rights_told(self, user_id: UUID) -> list[EntitlementChanged]:
        return [event for event in self.told(EntitlementChanged) if event.user_id == user_id]


def intent_of(order_id: UUID) -> str:
    return f"pi_{order_id.hex}"


def charge(order_id: UUID, refunded: int) -> dict[str, Any]:
    """The order's charge, of which so much was given back by now."""
    return {
        "id": f"ch_{order_id.hex}",
        "object": "charge",
        "amount": PRICE,
        "amount_refunded": refunded,
        "payment_intent": intent_of(order_id),
    }


def dispute(order_id: UUID, status: str, amount: int = PRICE, number: int = 1) -> dict[str, Any]:
    return {
        "id": f"dp_{number}_{order_id.hex}",
        "object": "dispute",
        "status": status,
        "amount": amount,
        "payment_intent": intent_of(order_id),
    }


def at_once(*actions: Callable[[], T]) -> list[T]:
    """Run the actions on a real thread each, released together; their results, or the first error."""
    barrier = Barrier(len(actions))

    def run(action: Callable[[], T]) -> T:
        barrier.wait(10)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))
