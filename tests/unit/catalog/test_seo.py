"""What search engines are told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.seo import CourseFacts, course_seo, excerpt, iso_duration


def facts(**changes: Any) -> CourseFacts:
    values: dict[str, Any] = {
        "slug": "python",
        "title": "Python",
        "description": "Pour débuter.",
        "language": "fr",
        "level": "beginner",
        "cover_url": "/v1/images/a.webp",
        "price": "49.00",
        "currency": "EUR",
        "is_free": False,
        "is_bonus": False,
        "duration_seconds": 5400,
    }
    return CourseFacts(**(values | changes))


def test_a_course_is_described_for_search_engines_and_previews() -> None:
    seo = course_seo(facts())
    assert (seo.title, seo.description, seo.canonical, seo.image) == (
        "Python",
        "Pour débuter.",
        "/courses/python",
        "/v1/images/a.webp",
    )
    assert seo.json_ld == {
        "@context": "https://schema.org",
        "@type": "Course",
        "name": "Python",
        "description": "Pour débuter.",
        "url": "/courses/python",
        "image": "/v1/images/a.webp",
        "inLanguage": "fr",
        "educationalLevel": "beginner",
        "isAccessibleForFree": False,
        "provider": {"@type": "Organization", "name": "TankaAcademy"},
        "hasCourseInstance": [{"@type": "CourseInstance", "courseMode": "Online", "courseWorkload": "PT1H30M"}],
        "offers": [
            {
                "@type": "Offer",
                "category": "Paid",
                "price": "49.00",
                "priceCurrency": "EUR",
                "url": "/courses/python",
            }
        ],
    }


def test_a_free_course_says_so() -> None:
    json_ld = course_seo(facts(is_free=True, price="0.00")).json_ld
    assert json_ld["isAccessibleForFree"] is True
    assert json_ld["offers"][0]["category"] == "Free"


def test_a_bonus_course_is_not_offered_for_sale() -> None:
    assert "offers" not in course_seo(facts(is_free=True, is_bonus=True)).json_ld


def test_a_course_without_cover_or_description_is_still_described() -> None:
    seo = course_seo(facts(cover_url=None, description=""))
    assert seo.image is None
    assert "image" not in seo.json_ld
    assert seo.description == seo.json_ld["description"] == "Python"


@given(st.text(max_size=400))
def test_an_excerpt_is_short_and_on_one_line(text: str) -> None:
    found = excerpt(text)
    assert len(found) <= 160
    assert "\n" not in found
    if not found.endswith("…"):
        assert found == " ".join(text.split())


def test_an_excerpt_is_cut_between_words() -> None:
    assert excerpt("mot " * 60) == "mot " * 39 + "mot…"
    assert excerpt("a" * 200) == "a" * 159 + "…"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "PT0M"), (1, "PT1M"), (60, "PT1M"), (3600, "PT1H"), (5400, "PT1H30M"), (3599, "PT1H")]
)
def test_a_duration_is_rounded_up_to_minutes(seconds: int, text: str) -> None:
    assert iso_duration(seconds) == text
