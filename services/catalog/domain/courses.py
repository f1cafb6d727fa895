"""What may be written into a course, a chapter, a lesson and a category."""

import re
from collections.abc import Container
from dataclasses import dataclass
from urllib.parse import urlsplit

from services.catalog.domain.refusals import Refusal, check_line, check_number, check_text
from services.catalog.domain.slugs import check_slug

TITLE = 200
SUBTITLE = 300
CATEGORY_NAME = 100
URL = 2_000
DESCRIPTION_BYTES = 50_000
BODY_BYTES = 200_000
BRIEF_BYTES = 20_000
PRICE = 100_000_000
STREAK_DAYS = 365
LESSON_SECONDS = 24 * 3600
CHAPTERS_PER_COURSE = 100
LESSONS_PER_COURSE = 500

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2})?")


@dataclass(frozen=True)
class CourseFields:
    """What an author writes into a course; the price is in the smallest unit of its currency."""

    title: str
    subtitle: str
    description: str
    category: str
    level: str
    language: str
    cover_url: str | None
    price_amount: int
    price_currency: str
    unlock_streak_days: int | None
    practical: bool


@dataclass(frozen=True)
class LessonFields:
    """What an author writes into a lesson."""

    title: str
    kind: str
    body: str
    duration_seconds: int
    free_preview: bool
    project_brief: str | None


def check_course(fields: CourseFields, currencies: Container[str]) -> tuple[Refusal, ...]:
    """What is wrong with a course. A bonus course (`unlock`) is never sold, so it has no price."""
    refusals = check_line("/title", fields.title, TITLE)
    refusals += check_line("/subtitle", fields.subtitle, SUBTITLE, required=False)
    refusals += check_text("/description", fields.description, DESCRIPTION_BYTES)
    refusals += check_number("/price/amount", fields.price_amount, 0, PRICE)
    if fields.price_currency not in currencies:
        refusals += (Refusal("/price/currency", "unknown-currency"),)
    if not _LANGUAGE.fullmatch(fields.language):
        refusals += (Refusal("/language", "bad-language"),)
    if fields.cover_url is not None:
        refusals += _check_url("/cover_url", fields.cover_url)
    if fields.unlock_streak_days is not None:
        refusals += check_number("/unlock/streak_days", fields.unlock_streak_days, 1, STREAK_DAYS)
        if fields.price_amount > 0:
            refusals += (Refusal("/unlock", "bonus-is-not-sold"),)
    return refusals


def check_chapter(title: str) -> tuple[Refusal, ...]:
    """What is wrong with a chapter."""
    return check_line("/title", title, TITLE)


def check_lesson(fields: LessonFields) -> tuple[Refusal, ...]:
    """What is wrong with a lesson; only a project has a brief."""
    refusals = check_line("/title", fields.title, TITLE)
    refusals += check_text("/body", fields.body, BODY_BYTES)
    refusals += check_number("/duration_seconds", fields.duration_seconds, 0, LESSON_SECONDS)
    if fields.project_brief is not None:
        refusals += check_text("/project_brief", fields.project_brief, BRIEF_BYTES)
        if fields.kind != "project":
            refusals += (Refusal("/project_brief", "only-for-projects"),)
    return refusals


def check_category(slug: str, name: str) -> tuple[Refusal, ...]:
    """What is wrong with a category."""
    return check_slug("/slug", slug) + check_line("/name", name, CATEGORY_NAME)


def _check_url(pointer: str, value: str) -> tuple[Refusal, ...]:
    """What is wrong with the address of an image: `https://...`, `http://...`, or a path of our own (`/...`)."""
    refusals = check_line(pointer, value, URL)
    if refusals:
        return refusals
    try:
        parts = urlsplit(value)
    except ValueError:
        return (Refusal(pointer, "bad-url"),)
    ours = not parts.scheme and not parts.netloc and value.startswith("/")
    elsewhere = parts.scheme in ("http", "https") and parts.hostname
    if not (ours or elsewhere) or any(character.isspace() or character in '\\"<>' for character in value):
        return (Refusal(pointer, "bad-url"),)
    return ()
