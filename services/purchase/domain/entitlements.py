"""Who has access: whoever holds any live right to a course (product.md, `check_course_access`)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class Right:
    """A right to a course, live or not by its own facts."""

    entitlement_id: UUID
    source: str
    live: bool
    granted_at: datetime


def access_of(rights: Iterable[Right], *, is_author: bool, role: str) -> str | None:
    """Return why someone may see a course, None without access: authors and admins as such, else the oldest right."""
    if is_author:
        return "author"
    if role == "admin":
        return "admin"
    live = sorted((right.granted_at, right.entitlement_id, right.source) for right in rights if right.live)
    return live[0][2] if live else None
