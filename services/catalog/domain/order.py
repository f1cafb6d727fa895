"""The order of chapters and lessons."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.catalog.domain.refusals import Refusal


@dataclass(frozen=True)
class ChapterOrder:
    """A chapter and its lessons in their order."""

    id: UUID
    lessons: tuple[UUID, ...]


def check_order(present: Sequence[ChapterOrder], wanted: Sequence[ChapterOrder]) -> tuple[Refusal, ...]:
    """What is wrong with the wanted order: it names every chapter and lesson of the course once, and nothing else.

    Lessons may move between chapters.
    """
    chapters = {chapter.id for chapter in present}
    lessons = {lesson for chapter in present for lesson in chapter.lessons}
    refusals: list[Refusal] = []
    seen: set[UUID] = set()

    def see(pointer: str, item: UUID, known: set[UUID], kind: str) -> None:
        if item not in known:
            refusals.append(Refusal(pointer, f"unknown-{kind}", {"id": str(item)}))
        elif item in seen:
            refusals.append(Refusal(pointer, "named-twice", {"id": str(item)}))
        seen.add(item)

    for index, chapter in enumerate(wanted):
        see(f"/chapters/{index}/id", chapter.id, chapters, "chapter")
        for lesson_index, lesson in enumerate(chapter.lessons):
            see(f"/chapters/{index}/lessons/{lesson_index}", lesson, lessons, "lesson")
    for kind, known in (("chapter", chapters), ("lesson", lessons)):
        refusals.extend(
            Refusal("/chapters", f"missing-{kind}", {"id": str(item)}) for item in sorted(known - seen, key=str)
        )
    return tuple(refusals)
