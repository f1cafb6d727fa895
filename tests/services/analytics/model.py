"""What the counts should be, worked out of a whole history in the plainest way."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.events.accounts import UserChanged, UserRegistered
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged
from contracts.events.progress import CourseCompleted, LessonCompleted
from contracts.events.purchase import EntitlementChanged, OrderChargedBack, OrderPaid, OrderRefunded
from services.analytics.projection import Heard
from tests.services.analytics.books import Dump


class Model:
    """A history as a whole."""

    def __init__(self, history: Iterable[Heard]) -> None:
        self.newest: dict[tuple[type[Event], str], tuple[int, Any]] = {}
        self.facts: dict[type[Event], set[Any]] = defaultdict(set)
        for event, sequence in history:
            self.facts[type(event)].add(event)
            key = type(event), event.partition_key()
            if key not in self.newest or self.newest[key][0] < sequence:
                self.newest[key] = sequence, event
        self.courses = {event.course_id: event for event in self._states(CourseChanged)}
        self.zones = {event.user_id: event.time_zone for event in self._states(UserChanged)}
        self.joined = self._joined()

    def _states(self, kind: type[Event]) -> list[Any]:
        return [event for (its_kind, _), (_, event) in self.newest.items() if its_kind is kind]

    def _joined(self) -> dict[tuple[UUID, UUID], datetime]:
        joined: dict[tuple[UUID, UUID], datetime] = {}
        for right in self._states(EntitlementChanged):
            if right.live:
                key = right.course_id, right.user_id
                joined[key] = min(joined.get(key, right.granted_at), right.granted_at)
        return joined

    def day(self, course_id: UUID, at: datetime) -> date:
        """The local date of the course's instructor."""
        course = self.courses.get(course_id)
        return at.astimezone(ZoneInfo(self.zones.get(course.instructor_id, "UTC") if course else "UTC")).date()

    def counts(self) -> Dump:
        """Every row of every table of counts."""
        return {
            "sales_days": self._sales(lambda order, day: (order.course_id, day, order.price.currency)),
            "ref_days": self._sales(self._ref_key),
            "ref_registrations": _rows(
                Counter(
                    (event.ref, event.registered_at.astimezone(UTC).date())
                    for event in self.facts[UserRegistered]
                    if event.ref
                )
            ),
            "lesson_days": _rows(
                Counter((one.course_id, self.day(one.course_id, one.completed_at)) for one in self._lessons())
            ),
            "cohorts": self._cohorts(),
            "cohort_lessons": _rows(
                Counter(
                    (one.course_id, one.lesson_id, self.day(one.course_id, self.joined[one.course_id, one.user_id]))
                    for one in self._lessons()
                    if (one.course_id, one.user_id) in self.joined
                )
            ),
            "cohort_durations": self._durations(),
            "student_days": self._students(),
        }

    def _lessons(self) -> list[LessonCompleted]:
        return [one for one in self.facts[LessonCompleted] if one.access not in ("author", "admin")]

    def _finished(self) -> dict[tuple[UUID, UUID], datetime]:
        return {
            (one.course_id, one.user_id): one.completed_at
            for one in self.facts[CourseCompleted]
            if one.access not in ("author", "admin")
        }

    def _cohorts(self) -> list[tuple[str, ...]]:
        students: Counter[Any] = Counter()
        completed: Counter[Any] = Counter()
        for (course_id, user_id), at in self.joined.items():
            key = course_id, self.day(course_id, at)
            students[key] += 1
            completed[key] += (course_id, user_id) in self._finished()
        return _sorted((*key, students[key], completed[key]) for key in students)

    def _durations(self) -> list[tuple[str, ...]]:
        found: Counter[Any] = Counter()
        for key, finished in self._finished().items():
            if key in self.joined:
                took = max(0, (finished - self.joined[key]) // timedelta(days=1))
                found[key[0], self.day(key[0], self.joined[key]), took] += 1
        return _rows(found)

    def _students(self) -> list[tuple[str, ...]]:
        first: dict[tuple[UUID, UUID], tuple[datetime, UUID]] = {}
        for (course_id, user_id), at in self.joined.items():
            if course_id in self.courses:
                key = self.courses[course_id].instructor_id, user_id
                first[key] = min(first.get(key, (at, course_id)), (at, course_id))
        return _rows(Counter((key[0], self.day(course_id, at)) for key, (at, course_id) in first.items()))

    def _ref_key(self, order: OrderPaid, day: date) -> tuple[Any, ...] | None:
        made = {event.user_id: event for event in self.facts[UserRegistered]}.get(order.user_id)
        ref = order.ref
        if ref is None and made and timedelta(0) <= order.placed_at - made.registered_at <= timedelta(days=30):
            ref = made.ref
        if ref is None or order.course_id not in self.courses:
            return None
        return self.courses[order.course_id].instructor_id, ref, day, order.price.currency

    def _sales(self, key_of: Any) -> list[tuple[str, ...]]:
        sums: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0])
        for order in self.facts[OrderPaid]:
            moved = [(order.paid_at, 1, order.price.amount, 0)]
            moved += [(at, 0, 0, amount) for at, amount in self._given_back(order)]
            for at, *numbers in moved:
                key = key_of(order, self.day(order.course_id, at))
                if key is not None:
                    sums[key] = [old + new for old, new in zip(sums[key], numbers, strict=True)]
        return _sorted((*key, *numbers) for key, numbers in sums.items())

    def _given_back(self, order: OrderPaid) -> list[tuple[datetime, int]]:
        totals: dict[int, datetime] = {}
        for event in self.facts[OrderRefunded]:
            if event.order_id == order.order_id:
                total = event.refunded.amount
                totals[total] = min(totals.get(total, event.refunded_at), event.refunded_at)
        parts = [(totals[total], total - max((less for less in totals if less < total), default=0)) for total in totals]
        disputes = {e.dispute_id: e for e in self.facts[OrderChargedBack] if e.order_id == order.order_id}
        parts += [(one.charged_back_at, one.amount.amount) for one in disputes.values()]
        left, given = order.price.amount, []
        for at, amount in sorted(parts):
            given.append((at, min(amount, left)))
            left -= given[-1][1]
        return [(at, amount) for at, amount in given if amount]


def _sorted(rows: Iterable[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    return sorted(tuple(str(value) for value in row) for row in rows)


def _rows(counter: Counter[Any]) -> list[tuple[str, ...]]:
    return _sorted((*key, number) for key, number in counter.items())
