"""Given pages that change while they are read, the cache never gives back what is known to be gone."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from contracts.envelope import Envelope
from contracts.errors import InternalError, NotFound, Unavailable
from contracts.events.accounts import UserChanged
from contracts.events.catalog import CourseChanged, Money
from gateway.cache import COURSES, Page, PageCache, course_tag, page, person_tag

COURSE = uuid4()


def enough() -> float:
    return 5.0


PERSON = uuid4()


class FakeClock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class Catalogue:
    """A service that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.title = "before"
        self.error: Exception | None = None

    def load(self) -> Page:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return page(self.title.encode(), (course_tag(COURSE), person_tag(PERSON)))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cache(clock: FakeClock) -> PageCache:
    return PageCache(max_bytes=100_000, fresh=60.0, longest=600.0, clock=clock)


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue()


def changed(course_id: UUID = COURSE) -> CourseChanged:
    return CourseChanged(
        course_id=course_id,
        slug="web",
        title="Web",
        instructor_id=PERSON,
        status="published",
        category="dev-web",
        price=Money(0, "EUR"),
        practical=False,
    )


def envelope() -> Envelope:
    return Envelope(
        id=uuid4(),
        source="/services/catalog",
        type="any",
        time=datetime(2026, 11, 23, tzinfo=UTC),
        subject="",
        data=msgspec.Raw(b"{}"),
        dataschema="",
        partition_key="",
    )


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def test_a_page_may_age_faster_than_the_others(cache: PageCache, catalogue: Catalogue, clock: FakeClock) -> None:
    for seconds, asked in ((0.0, 1), (4.9, 1), (0.2, 2), (4.9, 2)):
        clock.time += seconds
        cache.read("key", catalogue.load, enough, fresh=5.0)
        cache.read("other", Catalogue().load, enough)
        assert catalogue.asked == asked


def test_a_page_is_read_once_and_then_given_from_memory(cache: PageCache, catalogue: Catalogue) -> None:
    first = cache.read("key", catalogue.load, enough)
    assert cache.read("key", catalogue.load, enough) is first
    assert catalogue.asked == 1


def test_entity_tags_differ_exactly_when_the_bodies_do() -> None:
    assert page(b"1", ()).etag == page(b"1", ()).etag != page(b"2", ()).etag


def test_a_burst_on_a_missing_page_makes_one_call(cache: PageCache, catalogue: Catalogue) -> None:
    release = threading.Event()

    def load() -> Page:
        release.wait(5)
        return catalogue.load()

    readers = [in_thread(lambda: cache.read("key", load, enough)) for _ in range(16)]
    release.set()
    for thread, _ in readers:
        thread.join(5)
    assert catalogue.asked == 1
    assert len({id(results[0]) for _, results in readers}) == 1


def test_a_reader_waits_no_longer_than_its_patience(cache: PageCache, catalogue: Catalogue) -> None:
    reading, release = threading.Event(), threading.Event()

    def load() -> Page:
        reading.set()
        release.wait(5)
        return catalogue.load()

    leader, _ = in_thread(lambda: cache.read("key", load, enough))
    assert reading.wait(5)
    with pytest.raises(Unavailable):
        cache.read("key", load, lambda: 0.01)
    release.set()
    leader.join(5)


def test_a_changed_course_and_every_list_of_courses_are_read_again(cache: PageCache, catalogue: Catalogue) -> None:
    others = Catalogue()
    lists = Catalogue()
    cache.read("key", catalogue.load, enough)
    cache.read("other", lambda: page(others.load().body, (course_tag(uuid4()),)), enough)
    cache.read("list", lambda: page(lists.load().body, (COURSES,)), enough)
    cache.on_event(envelope(), changed())
    catalogue.title = "after"
    assert b"after" in cache.read("key", catalogue.load, enough).body
    cache.read("other", others.load, enough)
    cache.read("list", lists.load, enough)
    assert (others.asked, lists.asked) == (1, 2)


def test_a_changed_person_drops_the_pages_that_name_them(cache: PageCache, catalogue: Catalogue) -> None:
    cache.read("key", catalogue.load, enough)
    cache.on_event(
        envelope(),
        UserChanged(user_id=PERSON, role="student", status="active", time_zone="UTC", locale="fr", email_verified=True),
    )
    cache.read("key", catalogue.load, enough)
    assert catalogue.asked == 2


@pytest.mark.parametrize("drop", ["event", "all"])
def test_a_drop_during_a_read_is_not_undone_by_it(cache: PageCache, catalogue: Catalogue, drop: str) -> None:
    def load() -> Page:
        old = catalogue.load()
        catalogue.title = "after"
        if drop == "event":
            cache.on_event(envelope(), changed())
        else:
            cache.drop_all()
        return old

    cache.read("key", load, enough)
    assert b"after" in cache.read("key", catalogue.load, enough).body


def test_who_comes_after_a_change_does_not_join_a_read_begun_before_it(cache: PageCache, catalogue: Catalogue) -> None:
    reading, release = threading.Event(), threading.Event()

    def slow() -> Page:
        old = catalogue.load()
        reading.set()
        release.wait(5)
        return old

    before, _ = in_thread(lambda: cache.read("key", slow, enough))
    assert reading.wait(5)
    catalogue.title = "after"
    cache.on_event(envelope(), changed())
    assert b"after" in cache.read("key", catalogue.load, enough).body
    release.set()
    before.join(5)
    assert b"after" in cache.read("key", catalogue.load, enough).body


def test_an_expired_page_is_read_again(cache: PageCache, catalogue: Catalogue, clock: FakeClock) -> None:
    cache.read("key", catalogue.load, enough)
    clock.time += 61
    cache.read("key", catalogue.load, enough)
    assert catalogue.asked == 2


@pytest.mark.parametrize("expiry", ["time", "reconnection"])
@pytest.mark.parametrize("away", [Unavailable(), InternalError(), psycopg.OperationalError("connection refused")])
def test_while_what_is_behind_is_away_an_expired_page_is_given_up_to_its_longest_age(
    cache: PageCache, catalogue: Catalogue, clock: FakeClock, expiry: str, away: Exception
) -> None:
    cache.read("key", catalogue.load, enough)
    if expiry == "time":
        clock.time += 61
    else:
        cache.drop_all()
    catalogue.error = away
    assert b"before" in cache.read("key", catalogue.load, enough).body
    assert b"before" in cache.read("key", catalogue.load, enough).body
    assert catalogue.asked == 2, "it is not asked again at once"
    clock.time += 700
    with pytest.raises(type(away)):
        cache.read("key", catalogue.load, enough)


def test_while_no_events_are_heard_a_kept_page_is_read_again_before_it_is_given(
    cache: PageCache, catalogue: Catalogue
) -> None:
    cache.read("key", catalogue.load, enough)
    cache.is_hearing = lambda: False
    catalogue.title = "after"
    assert b"after" in cache.read("key", catalogue.load, enough).body
    catalogue.error = NotFound()
    with pytest.raises(NotFound):
        cache.read("key", catalogue.load, enough)


def test_while_no_events_are_heard_a_kept_page_is_given_when_the_service_is_silent(
    cache: PageCache, catalogue: Catalogue, clock: FakeClock
) -> None:
    cache.read("key", catalogue.load, enough)
    cache.is_hearing = lambda: False
    catalogue.error = Unavailable()
    assert b"before" in cache.read("key", catalogue.load, enough).body
    assert b"before" in cache.read("key", catalogue.load, enough).body
    assert catalogue.asked == 2, "it is not asked again at once"
    clock.time += 5
    catalogue.error, catalogue.title = None, "after"
    assert b"after" in cache.read("key", catalogue.load, enough).body


@pytest.mark.parametrize("doubt", ["no events", "reconnection"])
@pytest.mark.parametrize("silent", [False, True])
def test_a_doubtful_page_is_not_given_while_another_reader_asks_what_is_true(
    cache: PageCache, catalogue: Catalogue, doubt: str, silent: bool
) -> None:
    cache.read("key", catalogue.load, enough)
    if doubt == "no events":
        cache.is_hearing = lambda: False
    else:
        cache.drop_all()
    catalogue.title = "after"
    reading, release, joining = threading.Event(), threading.Event(), threading.Event()

    def load() -> Page:
        reading.set()
        release.wait(5)
        return catalogue.load()

    def patience() -> float:
        joining.set()
        return 0.01 if silent else 5.0

    first, _ = in_thread(lambda: cache.read("key", load, enough))
    assert reading.wait(5)
    second, results = in_thread(lambda: cache.read("key", load, patience))
    assert joining.wait(5), "it was given without asking"
    if silent:
        second.join(5)
    release.set()
    first.join(5)
    second.join(5)
    assert isinstance(results[0], Page)
    assert (b"before" if silent else b"after") in results[0].body


def test_a_fault_is_not_hidden_by_an_expired_page(cache: PageCache, catalogue: Catalogue, clock: FakeClock) -> None:
    cache.read("key", catalogue.load, enough)
    clock.time += 61
    catalogue.error = ValueError("a fault")
    with pytest.raises(ValueError, match="a fault"):
        cache.read("key", catalogue.load, enough)


def test_a_changed_page_is_not_given_even_while_the_service_is_silent(cache: PageCache, catalogue: Catalogue) -> None:
    cache.read("key", catalogue.load, enough)
    cache.on_event(envelope(), changed())
    catalogue.error = Unavailable()
    with pytest.raises(Unavailable):
        cache.read("key", catalogue.load, enough)


def test_a_page_that_is_there_no_more_is_forgotten(cache: PageCache, catalogue: Catalogue, clock: FakeClock) -> None:
    cache.read("key", catalogue.load, enough)
    clock.time += 61
    catalogue.error = NotFound()
    with pytest.raises(NotFound):
        cache.read("key", catalogue.load, enough)
    catalogue.error = Unavailable()
    with pytest.raises(Unavailable):
        cache.read("key", catalogue.load, enough)


def test_a_failed_read_is_not_kept(cache: PageCache, catalogue: Catalogue) -> None:
    catalogue.error = NotFound()
    with pytest.raises(NotFound):
        cache.read("key", catalogue.load, enough)
    catalogue.error = None
    assert b"before" in cache.read("key", catalogue.load, enough).body


def test_memory_is_bounded_and_the_longest_unread_page_goes_first(clock: FakeClock, catalogue: Catalogue) -> None:
    small = PageCache(max_bytes=5_000, clock=clock)
    for number in range(4):
        small.read(number, catalogue.load, enough)
    small.read(0, catalogue.load, enough)
    small.read(4, catalogue.load, enough)
    small.read(0, catalogue.load, enough)
    assert catalogue.asked == 5
    small.read(1, catalogue.load, enough)
    assert catalogue.asked == 6
    small.read("huge", lambda: page(b"x" * 10_000, ()), enough)
    small.drop((course_tag(COURSE),))
    small.read(0, catalogue.load, enough)
    assert catalogue.asked == 7
