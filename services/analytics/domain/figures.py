"""What is worked out of counts: ranks, rates, medians and drop-offs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

DIGITS = 4


@dataclass(frozen=True)
class Selling:
    """How a course sells, for comparison: `net` in the currency's smallest unit."""

    course_id: UUID
    net: int
    sales: int
    students: int
    title: str


def ranks(courses: Iterable[Selling]) -> dict[UUID, int]:
    """Return the rank of each course: 1 for the best net, then most sales, most students, first title."""

    def best_first(course: Selling) -> tuple[int, int, int, str, UUID]:
        return -course.net, -course.sales, -course.students, course.title, course.course_id

    return {course.course_id: rank for rank, course in enumerate(sorted(courses, key=best_first), 1)}


def completion_rate(completed: int, students: int) -> float:
    """Return the share (0 to 1) of students who completed; 0 without students."""
    return round(completed / students, DIGITS) if students else 0.0


def median(students_by_days: Mapping[int, int]) -> float | None:
    """Return the median of days that so many students took each; None without students."""
    students = sum(students_by_days.values())
    if not students:
        return None
    middle = ((students - 1) // 2, students // 2)
    found, passed = [], 0
    for days, count in sorted(students_by_days.items()):
        found += [days for place in middle if passed <= place < passed + count]
        passed += count
    return sum(found) / 2


def drop_offs(students: int, completed: Sequence[int]) -> list[float]:
    """Return, lesson by lesson, the share (0 to 1) of those who finished the one before but not this one."""
    before = [students, *completed][: len(completed)]
    return [
        round(max(0.0, 1 - now / earlier), DIGITS) if earlier else 0.0
        for earlier, now in zip(before, completed, strict=True)
    ]
