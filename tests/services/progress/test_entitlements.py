"""The copy of purchase's entitlements: any order, any number, and what is asked before a refusal."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import Forbidden, NotFound, Unavailable
from contracts.events.purchase import EntitlementChanged
from services.progress import handlers, queries
from tests.services.progress.academy import NOON, Academy, at_once, course, lesson


def copy_of(academy: Academy, user_id: UUID) -> list[tuple[Any, ...]]:
    rows = academy.execute(
        "select entitlement_id, live, sequence from entitlements where user_id = :user_id order by 1", user_id=user_id
    )
    return [tuple(row) for row in rows]


@given(lives=st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=1, max_size=3), chance=st.randoms())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_whatever_order_number_and_batches_events_arrive_the_newest_state_stays(
    academy: Academy, lives: list[list[bool]], chance: Any
) -> None:
    ber, published = uuid4(), academy.publish(course(lesson()))
    events = []
    for history in lives:
        right = EntitlementChanged(
            entitlement_id=uuid4(),
            user_id=ber,
            course_id=published.course_id,
            source="purchase",
            live=True,
            granted_at=NOON,
        )
        events += [(msgspec.structs.replace(right, live=live), n + 1) for n, live in enumerate(history)]
    newest = sorted({one.entitlement_id: (one.entitlement_id, one.live, n) for one, n in events}.values())

    events += [chance.choice(events) for _ in range(3)]
    chance.shuffle(events)
    while events:
        batch = [events.pop() for _ in range(min(len(events), chance.randint(1, 3)))]
        academy.hear_rights(*batch)

    assert copy_of(academy, ber) == newest
    assert academy.access(ber, published.course_id).has_access == any(live for _, live, _ in newest)


def test_a_live_right_enrolls_and_an_ended_one_does_not(academy: Academy) -> None:
    published = academy.publish(course(lesson()))
    ber, awa = uuid4(), uuid4()
    academy.grant(ber, published, "purchase")
    academy.grant(awa, published, "purchase", live=False)

    assert [row.user_id for row in academy.execute("select user_id from enrollments")] == [ber]


def test_a_batch_enrolls_each_student_once_since_the_first_of_their_rights(academy: Academy) -> None:
    published, other = academy.publish(course(lesson())), academy.publish(course(lesson()))
    ber, awa = uuid4(), uuid4()
    for who, where in ((ber, published), (awa, published), (ber, other)):
        academy.grant(who, where, "free", heard=False)
    academy.now += timedelta(days=1)
    academy.grant(ber, published, "gift", heard=False)

    academy.hear_rights(*reversed(academy.purchase.entitlements.values()))

    enrolled = {tuple(row) for row in academy.execute("select user_id, course_id, started_at from enrollments")}
    assert enrolled == {
        (ber, published.course_id, NOON),
        (awa, published.course_id, NOON),
        (ber, other.course_id, NOON),
    }


def test_who_has_just_paid_is_let_in_before_the_event_arrives(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one, lesson()))
    ber = uuid4()
    academy.grant(ber, published, "purchase", heard=False)

    assert academy.complete(ber, one.id).first_time
    assert academy.access(ber, published.course_id) == handlers.CourseAccess(True, "purchase")
    assert len(academy.purchase.calls) == 1


def test_a_gift_of_an_archived_course_is_let_in_before_the_event_arrives(academy: Academy) -> None:
    one = lesson()
    archived = academy.publish(course(one, status="archived"))
    ber = uuid4()
    academy.grant(ber, archived, "gift", heard=False)

    assert academy.open(ber, one.id).access == "gift"
    assert academy.progress(ber, archived).percent == 0


@pytest.fixture
def closed(academy: Academy) -> tuple[Academy, dict[str, Callable[[UUID], Any]]]:
    """Ways into a course that need a right to it."""
    one = lesson()
    published = academy.publish(course(one))
    ways: dict[str, Callable[[UUID], Any]] = {
        "open": lambda who: academy.open(who, one.id),
        "complete": lambda who: academy.complete(who, one.id),
        "report": lambda who: academy.report(who, one.id, 1),
        "next": lambda who: academy.next(who, one.id),
        "access": lambda who: academy.access(who, published.course_id),
    }
    return academy, ways


@pytest.mark.parametrize("way", ["open", "complete", "report", "next", "access"])
def test_while_purchase_is_silent_nobody_is_refused_for_good(
    closed: tuple[Academy, dict[str, Callable[[UUID], Any]]], way: str
) -> None:
    academy, ways = closed
    academy.purchase.silent = True

    with pytest.raises(Unavailable):
        ways[way](uuid4())


def test_while_purchase_is_silent_owners_learn_without_any_call(academy: Academy) -> None:
    first, second = lesson(), lesson()
    published = academy.publish(course(first, second))
    ber = academy.student_of(published)
    academy.purchase.silent = True

    academy.open(ber, first.id)
    academy.report(ber, first.id, 3)
    assert academy.complete(ber, first.id).first_time
    assert academy.next(ber, first.id).lesson is not None
    assert academy.complete(ber, second.id).course_completed
    assert academy.access(ber, published.course_id).reason == "free"
    assert academy.progress(uuid4(), published).percent == 0
    assert academy.purchase.calls == []


def test_previews_authors_and_admins_need_no_right_and_nobody_is_asked_for_theirs(academy: Academy) -> None:
    one = lesson(free_preview=True)
    published = academy.publish(course(one))
    academy.purchase.silent = True

    assert academy.open(uuid4(), one.id).access == "preview"
    assert academy.access(published.instructor_id, published.course_id).reason == "author"
    assert academy.access(uuid4(), published.course_id, "admin").reason == "admin"


def test_what_ended_is_over_at_once_and_what_lives_again_too(academy: Academy) -> None:
    one, other = lesson(), lesson()
    published = academy.publish(course(one, other))
    ber = uuid4()
    right = academy.grant(ber, published, "purchase")
    academy.complete(ber, one.id)

    academy.set_live(right, False)
    with pytest.raises(Forbidden, match="purchase-required"):
        academy.complete(ber, other.id)
    academy.set_live(right, True)

    assert academy.complete(ber, other.id).course_completed


def test_when_one_of_two_rights_ends_the_other_keeps_the_course_open(academy: Academy) -> None:
    one = lesson()
    published = academy.publish(course(one))
    ber = uuid4()
    bought = academy.grant(ber, published, "purchase")
    academy.grant(ber, published, "gift")

    academy.set_live(bought, False)

    assert academy.complete(ber, one.id).first_time
    assert academy.access(ber, published.course_id).reason == "gift"


def test_a_stranger_to_a_hidden_course_is_asked_for_at_both_owners(academy: Academy) -> None:
    hidden = academy.publish(course(lesson(), status="unpublished"))
    with pytest.raises(NotFound):
        academy.access(uuid4(), hidden.course_id)
    assert (len(academy.purchase.calls), len(academy.catalog.calls)) == (1, 1)

    academy.purchase.silent = True
    with pytest.raises(Unavailable):
        academy.access(uuid4(), hidden.course_id)


def test_no_transaction_is_open_while_purchase_is_asked(academy: Academy) -> None:
    published = academy.publish(course(lesson()))
    pool = academy.database.engine.pool
    in_use = []
    ask = academy.purchase.call

    def watched(*given: Any, **arguments: Any) -> Any:
        in_use.append(pool.checkedout())  # type: ignore[attr-defined]
        return ask(*given, **arguments)

    academy.purchase.call = watched  # type: ignore[method-assign]

    academy.access(uuid4(), published.course_id)

    assert in_use == [0]


def test_rights_heard_of_in_many_processes_at_once_while_students_learn_block_nobody(academy: Academy) -> None:
    lessons = [lesson() for _ in range(8)]
    published = academy.publish(course(*lessons))
    students = [academy.student_of(published) for _ in range(8)]
    known = list(academy.purchase.entitlements.values())

    def hear(number: int) -> None:
        again = [(right, sequence + 1 + number) for right, sequence in known]
        academy.hear_rights(*(again if number % 2 else again[::-1]))

    def learn(number: int) -> None:
        for one in lessons:
            academy.complete(students[number], one.id)

    at_once(*[lambda n=n: hear(n) for n in range(8)], *[lambda n=n: learn(n) for n in range(8)])

    assert {academy.counter(student, published) for student in students} == {8}
    assert len(academy.courses_told()) == 8


def test_of_many_people_those_who_may_see_a_course_are_told_from_the_rest(academy: Academy) -> None:
    published, other = academy.publish(course(lesson())), academy.publish(course(lesson()))
    holder, revoked, stranger = academy.student_of(published), uuid4(), academy.student_of(other)
    academy.grant(revoked, published, "purchase", live=False)
    asked = [holder, revoked, stranger, published.instructor_id, uuid4()]

    with academy.database.single_statement() as unit_of_work:
        found = queries.those_with_access(unit_of_work.connection, published.course_id, asked)

    assert found == sorted([holder, published.instructor_id])
