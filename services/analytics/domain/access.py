"""Who may read a course's numbers."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal
from uuid import UUID


@dataclass(frozen=True)
class Viewer:
    """Someone who asks."""

    id: UUID
    role: Literal["student", "instructor", "admin"]


class Refusal(Enum):
    """Why numbers are refused."""

    NOT_THERE = "not-there"
    NOT_YOURS = "not-yours"


def refusal_to_read(viewer: Viewer | None, instructor_id: UUID, status: str) -> Refusal | None:
    """Return why the viewer may not read a course's numbers: only its author and admins may; None is ourselves."""
    if status == "deleted":
        return Refusal.NOT_THERE
    if viewer is None or viewer.role == "admin" or viewer.id == instructor_id:
        return None
    return Refusal.NOT_THERE if status == "draft" else Refusal.NOT_YOURS
