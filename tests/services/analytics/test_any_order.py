"""Events in any order, repeated, together or alone, one process or two: the counts of a plain model."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random
from threading import Barrier, Thread
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.events.accounts import UserChanged
from contracts.events.base import Event
from contracts.events.catalog import CourseChanged, Money
from contracts.events.purchase import EntitlementChanged
from services.analytics.projection import Heard
from tests.services.analytics.books import (
    EUR,
    MONDAY,
    USD,
    Books,
    charged_back,
    course_changed,
    course_done,
    entitled,
    lesson_done,
    lives_in,
    paid,
    refunded,
    registered,
    shuffled,
)
from tests.services.analytics.model import Model

TEACHERS = [UUID(int=n) for n in (1, 2)]
USERS = [UUID(int=n) for n in range(11, 13)]
COURSES = [UUID(int=n) for n in range(21, 23)]
LESSONS = [UUID(int=n) for n in range(31, 33)]
ORDERS = [UUID(int=n) for n in range(41, 44)]
RIGHTS = [UUID(int=n) for n in range(51, 55)]
ZONES = ["UTC", "Asia/Kolkata", "America/Los_Angeles", "Pacific/Auckland"]
STATES = (UserChanged, CourseChanged, EntitlementChanged)

users, courses = st.sampled_from(USERS), st.sampled_from(COURSES)
moments = st.integers(0, 40 * 24).map(lambda hours: MONDAY + timedelta(hours=hours, minutes=7))
refs = st.sampled_from([None, "youtube1", "youtube2"])
accesses = st.sampled_from(["purchase", "purchase", "preview", "author", "admin"])
rights = st.tuples(st.sampled_from(RIGHTS), moments, st.booleans())


def order(order_id: UUID, at: Any, ref: str | None, currency: str) -> Any:
    """An order, the same whenever it is told."""
    place = ORDERS.index(order_id)
    return paid(
        USERS[place % 2],
        COURSES[place // 2],
        at,
        order_id=order_id,
        instructor_id=TEACHERS[0],
        price=Money(1000, currency),
        ref=ref,
    )


def right(entitlement_id: UUID, at: Any, live: bool) -> EntitlementChanged:
    """A right of somebody's: of one student and course whatever becomes of it."""
    place = RIGHTS.index(entitlement_id)
    return entitled(
        USERS[place % 2],
        COURSES[place // 2],
        at,
        entitlement_id=entitlement_id,
        live=live,
        ended_at=None if live else at,
    )


orders = st.sampled_from(ORDERS)
any_order = paid(USERS[0], COURSES[0])
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(lives_in, st.sampled_from(TEACHERS), st.sampled_from(ZONES)),
    st.builds(course_changed, st.sampled_from(TEACHERS), courses),
    st.builds(registered, users, refs, moments),
    st.builds(order, orders, moments, refs, st.sampled_from([EUR, EUR, USD])),
    st.builds(
        lambda order_id, total, at: refunded(msgspec.structs.replace(any_order, order_id=order_id), total, at),
        orders,
        st.sampled_from([300, 600, 1000]),
        moments,
    ),
    st.builds(
        lambda order_id, at: charged_back(
            msgspec.structs.replace(any_order, order_id=order_id), 800, at, f"dp_{order_id}"
        ),
        orders,
        moments,
    ),
    st.builds(lesson_done, users, courses, st.sampled_from(LESSONS), moments, accesses),
    st.builds(course_done, users, courses, moments, accesses),
    rights.map(lambda values: right(*values)),
    rights.map(lambda values: right(*values)),
)


def told_once(event: Event) -> Any:
    """What an owner tells once; a refund's total may be told at several instants, a state has a sequence each time."""
    if isinstance(event, STATES):
        return event.type, event.partition_key(), msgspec.json.encode(event)
    key = [getattr(event, name, None) for name in ("lesson_id", "course_id", "dispute_id", "refunded", "refunded_at")]
    return event.type, event.partition_key(), *map(str, key)


histories = st.lists(events, min_size=25, max_size=80, unique_by=told_once)


def sequenced(history: Sequence[Event]) -> list[Heard]:
    """The history as its owners tell it: each state of an aggregate has the next sequence."""
    return [(event, n) for n, event in enumerate(history, 1)]


def batches(heard: Sequence[Heard], random: Random) -> Iterator[Sequence[Heard]]:
    """The events cut into batches anywhere."""
    start = 0
    while start < len(heard):
        end = start + random.randint(1, 12)
        yield heard[start:end]
        start = end


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories, st.randoms(use_true_random=False))
def test_any_order_with_any_repetition_in_any_batches_leaves_what_a_plain_model_and_a_recount_say(
    module_books: Books, history: list[Event], random: Random
) -> None:
    module_books.clear()
    heard = sequenced(history)

    for batch in batches(shuffled(heard, random), random):
        module_books.receive(batch)

    left = module_books.dump()
    assert {name: left[name] for name in Model(heard).counts()} == Model(heard).counts()
    module_books.recount()
    assert module_books.dump() == left


def a_long_history(random: Random) -> list[Heard]:
    """Everything that may happen, many times."""
    history: list[Event] = [
        lives_in(TEACHERS[0], "Pacific/Auckland"),
        *(registered(user, "youtube1") for user in USERS),
    ]
    people = [*USERS, *(uuid4() for _ in range(28))]
    for course_id in COURSES:
        history.append(course_changed(TEACHERS[0], course_id))
        for user_id in people:
            at = MONDAY + timedelta(hours=random.randint(0, 900))
            bought = paid(user_id, course_id, at)
            history += [bought, entitled(user_id, course_id, at)]
            history += [lesson_done(user_id, course_id, lesson_id, at) for lesson_id in LESSONS]
            history.append(course_done(user_id, course_id, at + timedelta(hours=random.randint(0, 200))))
            if random.random() < 0.3:
                history.append(refunded(bought, random.choice([1000, 4900]), at + timedelta(days=3)))
    history.append(lives_in(TEACHERS[0], "America/Los_Angeles"))
    return sequenced(history)


@pytest.mark.parametrize("seed", range(2))
def test_two_processes_with_overlapping_batches_leave_what_the_model_says(books: Books, seed: int) -> None:
    random = Random(seed)
    heard = a_long_history(random)
    begin = Barrier(2)
    failures: list[BaseException] = []

    def consume(order_of_mine: Random) -> None:
        mine = order_of_mine.sample(heard, len(heard))
        begin.wait()
        try:
            for start in range(0, len(mine), 60):
                books.receive(mine[start : start + 60])
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=consume, args=(Random(random.random()),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert failures == []
    left = books.dump()
    assert {name: left[name] for name in Model(heard).counts()} == Model(heard).counts()
    assert len(left["students"]) == 60


def test_a_unit_of_work_that_fails_after_all_was_done_leaves_nothing(books: Books) -> None:
    from services.analytics import handlers

    before = books.dump()

    def die_before_the_commit() -> None:
        with books.database.unit_of_work() as unit_of_work:
            handlers.told(unit_of_work, a_long_history(Random(1)))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        die_before_the_commit()

    assert books.dump() == before
