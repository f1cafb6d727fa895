"""Who may know of courses, open and learn; `access` is the reason why someone may see a course, None without one."""

from enum import Enum


class Refusal(Enum):
    """Why something is refused."""

    NOT_THERE = "not-there"
    PURCHASE_REQUIRED = "purchase-required"
    PROJECT_MISSING = "project-missing"


def refusal_to_know(access: str | None, status: str) -> Refusal | None:
    """Return why someone may not know that a course exists: nobody a deleted one, strangers only what is published."""
    if status == "deleted" or (access is None and status != "published"):
        return Refusal.NOT_THERE
    return None


def refusal_to_learn(access: str | None, status: str) -> Refusal | None:
    """Return why someone may not learn in a course. Whoever has access keeps it, whatever becomes of the course."""
    return refusal_to_know(access, status) or (Refusal.PURCHASE_REQUIRED if access is None else None)


def refusal_to_open(access: str | None, status: str, free_preview: bool) -> Refusal | None:
    """Return why someone may not open a lesson: a free preview is open to anyone who may know of it."""
    return refusal_to_know(access, status) if free_preview else refusal_to_learn(access, status)


def refusal_to_complete(access: str | None, status: str, kind: str) -> Refusal | None:
    """Return why someone may not finish a lesson by saying so: a project is finished by handing it in."""
    return refusal_to_learn(access, status) or (Refusal.PROJECT_MISSING if kind == "project" else None)
