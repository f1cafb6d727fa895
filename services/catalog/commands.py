"""What callers may ask to be changed, as it arrives. A field that is left out stays as it is."""

from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from contracts.events.catalog import LessonKind

Level = Literal["beginner", "intermediate", "advanced"]


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount in the smallest unit of an ISO 4217 currency."""

    amount: int = 0
    currency: str = "EUR"


class UnlockRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What opens a bonus course."""

    streak_days: int


class CourseChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Changes of a course; a null `cover_url` or `unlock` takes it away."""

    title: str | UnsetType = UNSET
    subtitle: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    level: Level | UnsetType = UNSET
    language: str | UnsetType = UNSET
    cover_url: str | UnsetType | None = UNSET
    price: Price | UnsetType = UNSET
    unlock: UnlockRule | UnsetType | None = UNSET
    practical: bool | UnsetType = UNSET
    slug: str | UnsetType = UNSET


class LessonChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Changes of a lesson; a null `project_brief` takes it away."""

    title: str | UnsetType = UNSET
    kind: LessonKind | UnsetType = UNSET
    body: str | UnsetType = UNSET
    duration_seconds: int | UnsetType = UNSET
    free_preview: bool | UnsetType = UNSET
    project_brief: str | UnsetType | None = UNSET


class OrderedChapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chapter and its lessons in the order that is wanted."""

    id: UUID
    lessons: tuple[UUID, ...]


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question of a quiz; `answer` is the index of the right choice."""

    text: str
    choices: tuple[str, ...]
    answer: int


def given(changes: msgspec.Struct) -> dict[str, Any]:
    """The fields that were given."""
    values = {name: getattr(changes, name) for name in changes.__struct_fields__}
    return {name: value for name, value in values.items() if value is not UNSET}
