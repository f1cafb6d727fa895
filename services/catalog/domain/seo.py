"""What search engines and link previews are told about a course."""

from dataclasses import dataclass
from typing import Any

EXCERPT = 160
PROVIDER = "TankaAcademy"


@dataclass(frozen=True)
class Seo:
    """The SEO block: `canonical` is a path, `image` is for Open Graph, `json_ld` a schema.org `Course`."""

    title: str
    description: str
    canonical: str
    image: str | None
    json_ld: dict[str, Any]


@dataclass(frozen=True)
class CourseFacts:
    """What the block is made from; `price` is a decimal number as text, `description` plain text."""

    slug: str
    title: str
    description: str
    language: str
    level: str
    cover_url: str | None
    price: str
    currency: str
    is_free: bool
    is_bonus: bool
    duration_seconds: int


def excerpt(text: str) -> str:
    """The beginning of a plain text in at most 160 characters, cut between words."""
    words = " ".join(text.split())
    if len(words) <= EXCERPT:
        return words
    cut = words[:EXCERPT]
    head, space, _ = cut.rpartition(" ")
    return (head if space else cut[:-1]).rstrip(" ,;:.-") + "…"


def course_seo(course: CourseFacts) -> Seo:
    """The SEO block of a course, with what Google's documentation of course structured data asks for."""
    canonical = f"/courses/{course.slug}"
    description = course.description or course.title
    json_ld: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Course",
        "name": course.title,
        "description": description,
        "url": canonical,
        "inLanguage": course.language,
        "educationalLevel": course.level,
        "isAccessibleForFree": course.is_free,
        "provider": {"@type": "Organization", "name": PROVIDER},
        "hasCourseInstance": [
            {
                "@type": "CourseInstance",
                "courseMode": "Online",
                "courseWorkload": iso_duration(course.duration_seconds),
            }
        ],
    }
    if course.cover_url is not None:
        json_ld["image"] = course.cover_url
    if not course.is_bonus:
        json_ld["offers"] = [
            {
                "@type": "Offer",
                "category": "Free" if course.is_free else "Paid",
                "price": course.price,
                "priceCurrency": course.currency,
                "url": canonical,
            }
        ]
    return Seo(course.title, description, canonical, course.cover_url, json_ld)


def iso_duration(seconds: int) -> str:
    """The duration as ISO 8601, in whole minutes rounded up: `PT1H30M`."""
    hours, minutes = divmod(-(-seconds // 60), 60)
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes or not hours else "")
