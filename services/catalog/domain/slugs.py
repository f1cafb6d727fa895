"""Slugs: the readable names of courses and categories in addresses."""

import re
from collections.abc import Container, Iterator
from itertools import count
from uuid import UUID

from services.catalog.domain.refusals import Refusal

MOST = 80
FALLBACK = "cours"

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def check_slug(pointer: str, value: str) -> tuple[Refusal, ...]:
    """What is wrong with a slug that a person chose."""
    if not value:
        return (Refusal(pointer, "required"),)
    if len(value) > MOST:
        return (Refusal(pointer, "too-long", {"maximum": MOST}),)
    if not is_slug(value):
        return (Refusal(pointer, "bad-slug"),)
    return ()


def is_slug(value: str) -> bool:
    """Whether the value can be a slug: words of small letters and digits joined by hyphens, and never an id.

    Courses are named by id or slug in the same place, so a slug that reads as an id would hide another course.
    """
    return len(value) <= MOST and _SLUG.fullmatch(value) is not None and not _is_id(value)


def candidates(base: str, taken: Container[str]) -> Iterator[str]:
    """Slugs for a course, best first: the base itself, then with -2, -3, ..., without those known to be taken.

    Whatever the base, each is a slug; one that could not be is replaced by a general word.
    """
    base = base[:MOST].rstrip("-")
    if not is_slug(base):
        base = FALLBACK
    for number in count(1):
        suffix = "" if number == 1 else f"-{number}"
        candidate = base[: MOST - len(suffix)].rstrip("-") + suffix
        if is_slug(candidate) and candidate not in taken:
            yield candidate


def _is_id(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True
