"""The states of a course, and what it takes to be published."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Step = Literal["publish", "unpublish", "archive", "delete"]

_NEXT: dict[Step, tuple[str, frozenset[str]]] = {
    "publish": ("published", frozenset({"draft", "unpublished", "archived"})),
    "unpublish": ("unpublished", frozenset({"published"})),
    "archive": ("archived", frozenset({"published", "unpublished"})),
    "delete": ("deleted", frozenset({"draft"})),
}

_NOT_YET_READY = ("waiting", "preparing", "errored")


@dataclass(frozen=True)
class LessonState:
    """A lesson as publishing sees it; `video_status` is None when nothing was ever uploaded for it."""

    id: UUID
    kind: str
    video_status: str | None = None


def next_status(status: str, step: Step) -> str | None:
    """The status after the step; the same when it is already reached; None when the step cannot be taken from here.

    A draft was never seen, so it is deleted rather than archived; what was published once is never deleted.
    """
    target, sources = _NEXT[step]
    return target if status == target or status in sources else None


def videos_not_ready(lessons: Iterable[LessonState]) -> tuple[UUID, ...]:
    """The lessons whose uploaded video cannot be played (yet). A cancelled or timed out upload brought no video."""
    return tuple(lesson.id for lesson in lessons if lesson.kind == "video" and lesson.video_status in _NOT_YET_READY)


def missing_to_publish(lessons: Iterable[LessonState]) -> tuple[str, ...]:
    """Codes of what a course lacks before it can be published: at least one lesson, every uploaded video ready."""
    lessons = tuple(lessons)
    missing = []
    if not lessons:
        missing.append("no-lesson")
    if videos_not_ready(lessons):
        missing.append("video-not-ready")
    return tuple(missing)
