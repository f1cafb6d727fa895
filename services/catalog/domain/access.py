"""Who may see what, and who may change it."""

from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID

WRITING_ROLES = ("instructor", "admin")


@dataclass(frozen=True)
class Viewer:
    """Who looks: nobody known when `id` is None; `entitled` is the right to this very course."""

    id: UUID | None = None
    role: str | None = None
    entitled: bool = False


class Authorship(Enum):
    """What an instructor or admin is told when they want to change a course."""

    GRANTED = auto()
    FORBIDDEN = auto()
    UNKNOWN = auto()


def is_author(instructor_id: UUID, viewer: Viewer) -> bool:
    """Whether the viewer is the course's instructor, or an admin, who may do what an author may."""
    return viewer.id is not None and (viewer.id == instructor_id or viewer.role == "admin")


def may_see_course(status: str, instructor_id: UUID, viewer: Viewer) -> bool:
    """Whether the course exists for the viewer.

    A draft does for its author only; one that was taken back also for those who hold it (unpublishing never locks them
    out); a deleted one for nobody.
    """
    match status:
        case "published":
            return True
        case "draft":
            return is_author(instructor_id, viewer)
        case "unpublished" | "archived":
            return is_author(instructor_id, viewer) or viewer.entitled
        case _:
            return False


def may_see_content(status: str, instructor_id: UUID, viewer: Viewer, *, free_preview: bool) -> bool:
    """Whether the viewer may read a lesson's content: author, admin, holder, or anybody for a free preview."""
    if not may_see_course(status, instructor_id, viewer):
        return False
    return is_author(instructor_id, viewer) or viewer.entitled or free_preview


def authorship(status: str, instructor_id: UUID, viewer: Viewer) -> Authorship:
    """Whether the viewer may change the course; a stranger does not even learn that a draft exists."""
    if viewer.role not in WRITING_ROLES:
        return Authorship.FORBIDDEN
    if status == "deleted":
        return Authorship.UNKNOWN
    if is_author(instructor_id, viewer):
        return Authorship.GRANTED
    return Authorship.UNKNOWN if status == "draft" else Authorship.FORBIDDEN
