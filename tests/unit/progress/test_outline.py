"""How far a student is, and where to go next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.progress.domain.outline import next_lesson, percent

orders = st.lists(st.integers(0, 40).map(str), unique=True, max_size=12)


@pytest.mark.parametrize(
    ("completed", "total", "expected"),
    [(0, 3, 0), (1, 3, 33), (2, 3, 66), (3, 3, 100), (4, 3, 100), (0, 0, 0), (199, 200, 99)],
)
def test_percent_is_floored_and_never_over_100(completed: int, total: int, expected: int) -> None:
    assert percent(completed, total) == expected


@given(total=st.integers(1, 10_000), data=st.data())
def test_percent_is_100_only_when_all_lessons_are_done(total: int, data: st.DataObject) -> None:
    completed = data.draw(st.integers(0, total))

    assert 0 <= percent(completed, total) <= 100
    assert (percent(completed, total) == 100) == (completed == total)


@given(total=st.integers(1, 1_000), data=st.data())
def test_percent_never_falls_when_a_lesson_is_finished(total: int, data: st.DataObject) -> None:
    completed = data.draw(st.integers(0, total - 1))

    assert percent(completed + 1, total) >= percent(completed, total)


def test_finished_lessons_are_skipped_and_those_skipped_come_back() -> None:
    order = ["a", "b", "c", "d"]

    assert next_lesson(order, set(), None) == "a"
    assert next_lesson(order, {"a"}, "a") == "b"
    assert next_lesson(order, {"a", "c"}, "b") == "d"
    assert next_lesson(order, {"b", "d"}, "d") == "a"
    assert next_lesson(order, {"a", "b", "c", "d"}, "d") is None
    assert next_lesson(order, {"a", "b", "c"}, "d") is None
    assert next_lesson(order, {"a"}, "gone") == "b"


@given(order=orders, data=st.data())
def test_following_the_next_lesson_finishes_the_course_from_anywhere(order: list[str], data: st.DataObject) -> None:
    finished = data.draw(st.sets(st.sampled_from(order))) if order else set()
    current = data.draw(st.none() | st.sampled_from(order)) if order else None
    if current is not None:
        finished.add(current)

    walked = []
    while (following := next_lesson(order, finished, current)) is not None:
        assert following not in finished
        walked.append(following)
        finished.add(following)
        current = following

    assert finished == set(order)
    assert len(walked) == len(set(walked))


@given(order=orders.filter(bool), data=st.data())
def test_nothing_unfinished_lies_between_a_lesson_and_the_next(order: list[str], data: st.DataObject) -> None:
    finished = data.draw(st.sets(st.sampled_from(order)))
    current = data.draw(st.sampled_from(order))

    following = next_lesson(order, finished, current)

    here = order.index(current)
    ahead = order[here + 1 :] + order[:here]
    passed = ahead if following is None else ahead[: ahead.index(following)]
    assert set(passed) <= finished
