"""What instructors see."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from contracts.errors import Forbidden, Invalid, NotFound, ServiceError, Unavailable
from contracts.events.catalog import CourseChanged, Money
from services.analytics import handlers, queries
from services.analytics.answers import RefPage
from services.analytics.domain.access import Viewer
from services.analytics.queries import Days
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
)

MON, TUE, WED = (MONDAY.date() + timedelta(n) for n in range(3))
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TEACHER, STUDENT = uuid4(), uuid4()


class Catalog:
    """A catalog that knows some courses, or is silent."""

    def __init__(self, *courses: CourseChanged, error: ServiceError | None = None) -> None:
        self.courses = {str(course.course_id): course for course in courses}
        self.error = error or NotFound()
        self.asked = 0

    def call(self, service: str, method: str, deadline: float | None = None, **arguments: Any) -> Any:
        """Answer as catalog does."""
        assert (service, method) == ("catalog", "get_outline")
        self.asked += 1
        course = self.courses.get(str(arguments["course_id"]))
        if course is None:
            raise self.error
        return msgspec.to_builtins({"sequence": 1, "course": course})


def performance(books: Books, course_id: UUID, viewer: Viewer | None = None, catalog: Catalog | None = None) -> Any:
    """What a viewer is answered."""
    return handlers.get_course_performance(books.database, catalog or Catalog(), course_id, viewer, Days(), EUR)


def test_an_instructor_who_never_taught_sees_nothing_and_a_range_of_empty_days(books: Books) -> None:
    stats = books.stats(TEACHER)

    assert (stats.students, stats.sales, stats.courses, stats.daily, stats.refs) == (0, 0, [], [], [])
    assert stats.revenue.net == stats.revenue.gross == Money(0, EUR)
    assert stats.time_zone == "UTC"
    assert [day.date for day in books.stats(TEACHER, MON, WED).daily] == [MON, TUE, WED]


def test_money_moves_on_its_own_day_and_net_is_what_is_left(books: Books) -> None:
    course = course_changed(TEACHER)
    first, second = paid(STUDENT, course.course_id), paid(uuid4(), course.course_id, MONDAY + DAY)
    books.hear(course, first, second)
    books.hear(refunded(first, 1000, MONDAY + DAY), charged_back(second, 4900, MONDAY + 2 * DAY))

    stats = books.stats(TEACHER, now=MONDAY + 2 * DAY)

    assert stats.revenue.gross == Money(9800, EUR)
    assert stats.revenue.refunds == Money(5900, EUR)
    assert stats.revenue.net == Money(3900, EUR)
    assert [(day.date, day.sales, day.net.amount) for day in stats.daily] == [
        (MON, 1, 4900),
        (TUE, 1, 3900),
        (WED, 0, -4900),
    ]
    tuesday = books.stats(TEACHER, TUE, TUE)
    assert (tuesday.sales, tuesday.revenue.gross.amount, tuesday.revenue.refunds.amount) == (1, 4900, 1000)


def test_days_are_those_of_the_instructors_present_time_zone(books: Books) -> None:
    course = course_changed(TEACHER, lessons=[lesson := uuid4()])
    late = MONDAY + 11 * HOUR  # 23:00 in UTC, Tuesday in Paris, Monday in Los Angeles
    books.hear(course, paid(STUDENT, course.course_id, late), entitled(STUDENT, course.course_id, late))
    books.hear(lesson_done(STUDENT, course.course_id, lesson, late), course_done(STUDENT, course.course_id, late))

    seen = {}
    for n, zone in enumerate(["UTC", "Europe/Paris", "America/Los_Angeles", "Mars/Olympus"], 1):
        books.receive([(lives_in(TEACHER, zone), n)])
        stats = books.stats(TEACHER)
        [busy] = [day for day in stats.daily if day.sales]
        assert (busy.new_students, busy.lessons_completed) == (1, 1)
        seen[zone] = (stats.time_zone, busy.date)

    assert seen == {
        "UTC": ("UTC", MON),
        "Europe/Paris": ("Europe/Paris", TUE),
        "America/Los_Angeles": ("America/Los_Angeles", MON),
        "Mars/Olympus": ("UTC", MON),
    }


def test_a_student_counts_while_any_right_lives_and_once_for_all_courses(books: Books) -> None:
    one, two = course_changed(TEACHER, title="A"), course_changed(TEACHER, title="B")
    bought, given = entitled(STUDENT, one.course_id), entitled(STUDENT, one.course_id, MONDAY + DAY, source="gift")
    other = entitled(STUDENT, two.course_id, MONDAY + 2 * DAY, source="free")
    books.hear(one, two, bought, given, other)
    assert books.stats(TEACHER).students == 1
    assert [day.new_students for day in books.stats(TEACHER, MON, WED).daily] == [1, 0, 0]

    ended = {"live": False, "ended_at": MONDAY + DAY}
    books.receive([(msgspec.structs.replace(bought, **ended), 2)])
    assert [day.new_students for day in books.stats(TEACHER, MON, WED).daily] == [0, 1, 0]

    books.receive([(msgspec.structs.replace(given, **ended), 2)])
    assert [day.new_students for day in books.stats(TEACHER, MON, WED).daily] == [0, 0, 1]
    assert {course.title: course.students for course in books.stats(TEACHER).courses} == {"A": 0, "B": 1}

    books.receive([(msgspec.structs.replace(bought, live=True), 3)])
    assert [day.new_students for day in books.stats(TEACHER, MON, WED).daily] == [1, 0, 0]
    books.receive([(msgspec.structs.replace(bought, **ended), 2)])
    assert books.stats(TEACHER, MON, MON).students == 1


def test_courses_are_ranked_among_those_ever_published_or_sold(books: Books) -> None:
    best, second = course_changed(TEACHER, title="Best"), course_changed(TEACHER, title="Second")
    draft = course_changed(TEACHER, title="Draft", status="draft", published_at=None)
    archived = course_changed(TEACHER, title="Archived", status="archived")
    elsewhere = course_changed(uuid4(), title="Elsewhere")
    books.hear(best, second, draft, archived, elsewhere, paid(STUDENT, best.course_id))
    books.hear(paid(STUDENT, second.course_id, price=Money(1000, EUR)), paid(STUDENT, elsewhere.course_id))

    ranked = [(course.rank, course.title, course.sales) for course in books.stats(TEACHER).courses]

    assert ranked == [(1, "Best", 1), (2, "Second", 1), (3, "Archived", 0)]
    assert books.performance(second.course_id).rank == 2
    assert books.stats(TEACHER).sales == 2


def test_other_currencies_stand_beside_the_main_one(books: Books) -> None:
    course = course_changed(TEACHER)
    books.hear(course, paid(STUDENT, course.course_id, price=Money(700, USD)))
    assert books.stats(TEACHER).revenue.net == Money(700, USD)
    assert books.stats(TEACHER).revenue.others == []

    books.hear(paid(uuid4(), course.course_id))

    revenue = books.stats(TEACHER).revenue
    assert (revenue.net, [other.net for other in revenue.others]) == (Money(4900, EUR), [Money(700, USD)])
    assert books.stats(TEACHER).sales == 2
    assert books.performance(course.course_id).revenue.others[0].gross == Money(700, USD)


def test_a_course_is_judged_by_the_cohort_that_joined_in_the_range(books: Books) -> None:
    first, second = uuid4(), uuid4()
    course = course_changed(TEACHER, lessons=[first, second])
    early, late, idle, author = uuid4(), uuid4(), uuid4(), TEACHER
    id_ = course.course_id
    books.hear(course, entitled(early, id_), entitled(idle, id_), entitled(late, id_, MONDAY + DAY))
    books.hear(*(lesson_done(user, id_, first, MONDAY + 2 * DAY) for user in (early, late)))
    books.hear(lesson_done(early, id_, second, MONDAY + 5 * DAY), course_done(early, id_, MONDAY + 5 * DAY))
    books.hear(lesson_done(author, id_, second, access="author"), course_done(author, id_, access="author"))
    books.hear(lesson_done(uuid4(), id_, second, access="preview"))

    found = books.performance(id_)

    assert (found.students, found.completion_rate, found.median_days_to_complete) == (3, 0.3333, 5.0)
    assert [(step.title, step.completed, step.drop_off) for step in found.funnel] == [
        ("Pas 1", 2, 0.3333),
        ("Pas 2", 1, 0.5),
    ]
    tuesday = books.performance(id_, TUE, None)
    assert (tuesday.students, tuesday.completion_rate, tuesday.median_days_to_complete) == (1, 0.0, None)
    assert [step.completed for step in tuesday.funnel] == [1, 0]
    assert sum(day.lessons_completed for day in books.stats(TEACHER, now=MONDAY + 6 * DAY).daily) == 4


def test_the_funnel_follows_the_present_outline(books: Books) -> None:
    first, second = uuid4(), uuid4()
    course = course_changed(TEACHER, lessons=[first, second])
    books.hear(course, entitled(STUDENT, course.course_id), lesson_done(STUDENT, course.course_id, second))

    changed = course_changed(TEACHER, course.course_id, lessons=[second, uuid4()], title="Autrement")
    books.receive([(changed, 2), (course, 1)])

    found = books.performance(course.course_id)
    assert found.title == "Autrement"
    assert [(step.lesson_id == second, step.completed) for step in found.funnel] == [(True, 1), (False, 0)]


def test_a_course_that_changes_hands_takes_its_numbers_along(books: Books) -> None:
    other = uuid4()
    course = course_changed(TEACHER)
    books.hear(course, paid(STUDENT, course.course_id, ref="video"), entitled(STUDENT, course.course_id))

    books.receive([(course_changed(other, course.course_id), 2)])

    assert (books.stats(TEACHER).sales, books.stats(TEACHER).students, books.stats(TEACHER).refs) == (0, 0, [])
    stats = books.stats(other)
    assert (stats.sales, stats.students, [ref.ref for ref in stats.refs]) == (1, 1, ["video"])


def test_links_show_what_they_brought_but_registrations_of_another_instructors_link_are_not_shown(
    books: Books,
) -> None:
    course = course_changed(TEACHER)
    mine = handlers.create_ref(books.database, TEACHER, "/courses/x", "https://front.example", MONDAY)
    theirs = handlers.create_ref(books.database, uuid4(), "/squads/y", "https://front.example", MONDAY)
    came, bought = uuid4(), uuid4()
    books.hear(course, registered(came, mine.ref), registered(bought, theirs.ref), registered(uuid4(), "poster"))
    books.hear(paid(came, course.course_id, MONDAY + DAY), paid(bought, course.course_id, MONDAY + DAY))
    books.hear(paid(uuid4(), course.course_id, MONDAY + DAY, ref="poster", price=Money(100, EUR)))
    books.hear(paid(uuid4(), course.course_id))

    seen = {ref.ref: (ref.registrations, ref.sales, ref.net.amount) for ref in books.stats(TEACHER).refs}

    assert seen == {mine.ref: (1, 1, 4900), theirs.ref: (0, 1, 4900), "poster": (1, 1, 100)}
    on_tuesday = {ref.ref: (ref.registrations, ref.sales) for ref in books.stats(TEACHER, TUE, TUE).refs}
    assert on_tuesday == {mine.ref: (0, 1), theirs.ref: (0, 1), "poster": (0, 1)}
    on_monday = {ref.ref: (ref.registrations, ref.sales) for ref in books.stats(TEACHER, MON, MON).refs}
    assert on_monday == {mine.ref: (1, 0)}


def test_registrations_are_counted_by_the_instructors_days(books: Books) -> None:
    made = handlers.create_ref(books.database, TEACHER, "/", "https://front.example", MONDAY)
    books.hear(registered(uuid4(), made.ref, MONDAY + 11 * HOUR), registered(uuid4(), made.ref, MONDAY))

    def by_day() -> list[int]:
        return [books.stats(TEACHER, day, day).refs[0].registrations for day in (MON, TUE)]

    assert by_day() == [2, 0]
    books.hear(lives_in(TEACHER, "Europe/Paris"))
    assert by_day() == [1, 1]
    assert books.stats(TEACHER).refs[0].registrations == 2


def test_links_are_listed_newest_first_page_by_page(books: Books) -> None:
    for n in range(3):
        handlers.create_ref(books.database, TEACHER, f"/courses/{n}", "https://front.example", MONDAY + n * HOUR)
    handlers.create_ref(books.database, uuid4(), "/courses/other", "https://front.example", MONDAY)

    def page(cursor: str | None) -> RefPage:
        with books.database.single_statement() as unit_of_work:
            return queries.refs_page(unit_of_work.connection, TEACHER, "https://front.example", 2, cursor)

    first = page(None)
    second = page(first.next_cursor)

    assert [ref.target for ref in (*first.items, *second.items)] == ["/courses/2", "/courses/1", "/courses/0"]
    assert second.next_cursor is None
    assert first.items[0].url == f"https://front.example/courses/2?ref={first.items[0].ref}"
    with pytest.raises(Invalid) as refused:
        page("nonsense")
    assert refused.value.errors[0].pointer == "/cursor"


def test_a_target_elsewhere_is_refused(books: Books) -> None:
    with pytest.raises(Invalid) as refused:
        handlers.create_ref(books.database, TEACHER, "//evil.example", "https://front.example", MONDAY)

    assert refused.value.errors[0].pointer == "/target"


def test_a_ref_that_is_taken_is_made_anew(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = iter(["aaaaaaaaaa", "aaaaaaaaaa", "bbbbbbbbbb"])
    monkeypatch.setattr(handlers, "new_ref", lambda: next(refs))

    made = [handlers.create_ref(books.database, TEACHER, "/", "https://front.example", MONDAY) for _ in range(2)]

    assert [one.ref for one in made] == ["aaaaaaaaaa", "bbbbbbbbbb"]


def test_a_range_that_ends_before_it_begins_or_never_ends_is_refused(books: Books) -> None:
    course = course_changed(TEACHER)
    books.hear(course)
    for attempt in (
        lambda: books.stats(TEACHER, TUE, MON),
        lambda: books.performance(course.course_id, TUE, MON),
        lambda: books.stats(TEACHER, date.min, None),
        lambda: books.stats(TEACHER, MON, date.max),
    ):
        with pytest.raises(Invalid) as refused:
            attempt()
        assert refused.value.errors[0].pointer == "/to"


def test_only_author_and_admins_read_a_courses_numbers(books: Books) -> None:
    course = course_changed(TEACHER)
    draft = course_changed(TEACHER, status="draft", published_at=None)
    books.hear(course, draft)

    for viewer in (None, Viewer(TEACHER, "instructor"), Viewer(uuid4(), "admin")):
        assert performance(books, course.course_id, viewer).course_id == course.course_id
    for viewer in (Viewer(uuid4(), "instructor"), Viewer(STUDENT, "student")):
        with pytest.raises(Forbidden):
            performance(books, course.course_id, viewer)
        with pytest.raises(NotFound):
            performance(books, draft.course_id, viewer)


def test_a_course_that_is_not_heard_of_yet_is_asked_of_catalog(books: Books) -> None:
    course = course_changed(TEACHER, lessons=[uuid4()])
    catalog = Catalog(course)

    found = performance(books, course.course_id, Viewer(TEACHER, "instructor"), catalog)

    assert (found.sales, found.students, found.rank, found.completion_rate) == (0, 0, 1, 0.0)
    assert [step.completed for step in found.funnel] == [0]
    assert catalog.asked == 1
    with pytest.raises(Forbidden):
        performance(books, course.course_id, Viewer(uuid4(), "instructor"), catalog)
    with pytest.raises(NotFound):
        performance(books, uuid4(), None, catalog)
    with pytest.raises(Unavailable):
        performance(books, uuid4(), None, Catalog(error=Unavailable()))
    asked_before = catalog.asked
    books.hear(course)
    performance(books, course.course_id, None, catalog)
    assert catalog.asked == asked_before
