"""Ranks, rates, medians and drop-offs."""

import statistics
from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.access import Refusal, Viewer, refusal_to_read
from services.analytics.domain.figures import Selling, completion_rate, drop_offs, median, ranks

ONE, TWO, THREE = (UUID(int=n) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ((100, 1, 1, "z"), (99, 9, 9, "a")),
        ((100, 2, 1, "z"), (100, 1, 9, "a")),
        ((100, 2, 2, "z"), (100, 2, 1, "a")),
        ((100, 2, 2, "a"), (100, 2, 2, "z")),
    ],
    ids=["net", "sales", "students", "title"],
)
def test_the_better_course_ranks_first(better: tuple[int, int, int, str], worse: tuple[int, int, int, str]) -> None:
    assert ranks([Selling(TWO, *worse), Selling(ONE, *better)]) == {ONE: 1, TWO: 2}


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 2), st.integers(0, 2)), max_size=8))
def test_every_course_has_a_rank_of_its_own(sold: list[tuple[int, int, int]]) -> None:
    courses = [Selling(UUID(int=n), *numbers, title="Un cours") for n, numbers in enumerate(sold)]

    found = ranks(courses)

    assert sorted(found.values()) == list(range(1, len(courses) + 1))
    assert ranks(courses[::-1]) == found


@given(st.lists(st.integers(0, 30)))
def test_the_median_is_that_of_all_students_one_by_one(days: list[int]) -> None:
    assert median(Counter(days)) == (statistics.median(days) if days else None)


def test_rates_are_rounded_and_nothing_without_students() -> None:
    assert completion_rate(1, 3) == 0.3333
    assert completion_rate(3, 3) == 1.0
    assert completion_rate(0, 0) == 0.0


@pytest.mark.parametrize(
    ("students", "completed", "dropped"),
    [
        (10, [8, 4, 4], [0.2, 0.5, 0.0]),
        (3, [2, 1], [0.3333, 0.5]),
        (10, [4, 8], [0.6, 0.0]),
        (0, [0, 0], [0.0, 0.0]),
        (5, [0, 2], [1.0, 0.0]),
        (5, [], []),
    ],
)
def test_who_drops_off_is_compared_with_who_finished_the_lesson_before(
    students: int, completed: list[int], dropped: list[float]
) -> None:
    assert drop_offs(students, completed) == dropped


@pytest.mark.parametrize(
    ("viewer", "status", "refusal"),
    [
        (Viewer(ONE, "instructor"), "published", None),
        (Viewer(ONE, "instructor"), "draft", None),
        (Viewer(TWO, "admin"), "draft", None),
        (None, "archived", None),
        (Viewer(TWO, "instructor"), "published", Refusal.NOT_YOURS),
        (Viewer(TWO, "student"), "archived", Refusal.NOT_YOURS),
        (Viewer(TWO, "instructor"), "draft", Refusal.NOT_THERE),
        (Viewer(ONE, "instructor"), "deleted", Refusal.NOT_THERE),
        (Viewer(TWO, "admin"), "deleted", Refusal.NOT_THERE),
    ],
)
def test_only_its_author_and_admins_read_a_courses_numbers(
    viewer: Viewer | None, status: str, refusal: Refusal | None
) -> None:
    assert refusal_to_read(viewer, ONE, status) is refusal
