"""'My courses': every course with a live entitlement, newest first."""

from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from contracts.errors import Invalid
from services.progress import queries
from tests.services.progress.academy import NOON, Academy, course, lesson


def my_courses(academy: Academy, user_id: object, limit: int = 20, cursor: str | None = None) -> queries.EnrollmentPage:
    with academy.database.single_statement() as unit_of_work:
        return queries.enrollments(unit_of_work.connection, user_id, limit, cursor)  # type: ignore[arg-type]


def test_a_course_shows_since_when_why_and_how_far(academy: Academy) -> None:
    first, second = lesson(), lesson()
    published = academy.publish(course(first, second))
    ber = academy.student_of(published)
    academy.complete(ber, first.id)

    [item] = my_courses(academy, ber).items

    assert item == queries.Enrollment(published.course_id, NOON, "free", 50, str(second.id), None)


def test_archived_courses_stay_and_revoked_ones_go(academy: Academy) -> None:
    archived, revoked = academy.publish(course(lesson())), academy.publish(course(lesson()))
    ber = academy.student_of(archived)
    academy.grant(ber, revoked, "purchase", live=False)
    academy.publish(msgspec.structs.replace(archived, status="archived"))

    assert [item.course_id for item in my_courses(academy, ber).items] == [archived.course_id]


def test_a_course_owned_twice_shows_once_as_first_granted(academy: Academy) -> None:
    published = academy.publish(course(lesson()))
    ber = academy.student_of(published)
    academy.now = NOON + timedelta(days=1)
    academy.grant(ber, published, "gift")

    assert [(item.source, item.enrolled_at) for item in my_courses(academy, ber).items] == [("free", NOON)]


def test_pages_follow_one_another_without_gap_or_double(academy: Academy) -> None:
    ber = uuid4()
    taken = []
    for number in range(7):
        published = academy.publish(course(lesson()))
        academy.now = NOON + timedelta(minutes=number // 2)
        academy.enroll(ber, published)
        taken.append(published.course_id)

    pages, cursor = [], None
    while True:
        page = my_courses(academy, ber, 3, cursor)
        pages.append([item.course_id for item in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break

    assert [len(page) for page in pages] == [3, 3, 1]
    seen = [course_id for page in pages for course_id in page]
    assert sorted(seen) == sorted(taken)
    assert seen[0] == taken[-1]


def test_who_owns_nothing_has_an_empty_page(academy: Academy) -> None:
    assert my_courses(academy, uuid4()) == queries.EnrollmentPage([], None)


WITHOUT_ZONE = "WyIyMDI2LTExLTIzVDAwOjAwOjAwIiwiNmYxZjZmMWUtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAwIl0="


@pytest.mark.parametrize("cursor", ["x", "é", "WzEsMl0=", "\x00", "a" * 5000, WITHOUT_ZONE])
def test_a_cursor_that_is_none_of_ours_is_refused(academy: Academy, cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        my_courses(academy, uuid4(), 20, cursor)

    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/cursor", "bad-cursor")]
