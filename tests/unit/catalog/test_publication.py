"""The states of a course, and what it takes to be published."""

from typing import get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.publication import LessonState, Step, missing_to_publish, next_status, videos_not_ready

STEPS: tuple[Step, ...] = get_args(Step)


@pytest.mark.parametrize(
    ("status", "reached"),
    [
        ("draft", {"publish": "published", "delete": "deleted"}),
        ("published", {"publish": "published", "unpublish": "unpublished", "archive": "archived"}),
        ("unpublished", {"publish": "published", "unpublish": "unpublished", "archive": "archived"}),
        ("archived", {"publish": "published", "archive": "archived"}),
    ],
)
def test_a_course_goes_only_where_it_may(status: str, reached: dict[str, str]) -> None:
    assert {step: after for step in STEPS if (after := next_status(status, step))} == reached


@given(st.lists(st.sampled_from(STEPS)))
def test_what_was_published_once_is_never_deleted_nor_a_draft_again(steps: list[Step]) -> None:
    status = "published"
    for step in steps:
        status = next_status(status, step) or status
    assert status in ("published", "unpublished", "archived")


def test_a_course_without_lessons_cannot_be_published() -> None:
    assert missing_to_publish([]) == ("no-lesson",)
    assert missing_to_publish([LessonState(uuid4(), "text")]) == ()


@pytest.mark.parametrize("status", ["waiting", "preparing", "errored"])
def test_an_uploaded_video_that_cannot_be_played_keeps_a_course_from_being_published(status: str) -> None:
    waiting = LessonState(UUID(int=1), "video", status)
    lessons = [LessonState(uuid4(), "text"), waiting, LessonState(uuid4(), "video", "ready")]
    assert missing_to_publish(lessons) == ("video-not-ready",)
    assert videos_not_ready(lessons) == (waiting.id,)


@pytest.mark.parametrize("status", ["ready", "cancelled", "timed_out", None])
def test_a_lesson_without_upload_or_with_a_ready_one_can_be_published(status: str | None) -> None:
    assert missing_to_publish([LessonState(uuid4(), "video", status)]) == ()


def test_the_upload_of_a_lesson_that_is_no_video_any_more_does_not_matter() -> None:
    assert missing_to_publish([LessonState(uuid4(), "text", "errored")]) == ()
