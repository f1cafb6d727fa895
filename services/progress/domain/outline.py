"""How far a student is in a course, and where to go next."""

from collections.abc import Collection, Sequence


def percent(completed: int, total: int) -> int:
    """Return the share of lessons finished, floored: 0 to 100, and 100 only when all are (product.md, progress)."""
    if total <= 0:
        return 0
    return min(100, max(0, completed) * 100 // total)


def next_lesson(order: Sequence[str], finished: Collection[str], current: str | None) -> str | None:
    """Return the first unfinished lesson after `current`, else the first one skipped before it, else None.

    `order` is the whole course; without `current` (or when it is no longer in the course) the search starts at the top.
    """
    start = order.index(current) + 1 if current is not None and current in order else 0
    for lesson in (*order[start:], *order[:start]):
        if lesson not in finished and lesson != current:
            return lesson
    return None
