"""What may be written into courses and lessons."""

from typing import Any

import pytest

from services.catalog.domain.courses import (
    CourseFields,
    LessonFields,
    check_category,
    check_chapter,
    check_course,
    check_lesson,
)
from services.catalog.formats import currencies, decimal_amount


def course(**changes: Any) -> list[tuple[str, str]]:
    values: dict[str, Any] = {
        "title": "Python",
        "subtitle": "",
        "description": "",
        "category": "dev-web",
        "level": "beginner",
        "language": "fr",
        "cover_url": None,
        "price_amount": 0,
        "price_currency": "EUR",
        "unlock_streak_days": None,
        "practical": False,
    }
    return [(r.pointer, r.code) for r in check_course(CourseFields(**(values | changes)), currencies())]


def lesson(**changes: Any) -> list[tuple[str, str]]:
    values: dict[str, Any] = {
        "title": "Une leçon",
        "kind": "text",
        "body": "",
        "duration_seconds": 0,
        "free_preview": False,
        "project_brief": None,
    }
    return [(r.pointer, r.code) for r in check_lesson(LessonFields(**(values | changes)))]


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("", "required"),
        ("\u200b \u2060", "required"),
        ("a" * 201, "too-long"),
        ("Py\0thon", "control-characters"),
        ("Py\nthon", "control-characters"),
        ("Py\x85thon", "control-characters"),
        ("Py\ud800thon", "control-characters"),
    ],
)
def test_a_title_is_one_visible_line_of_up_to_200_characters(title: str, code: str) -> None:
    assert course(title=title) == [("/title", code)]
    assert lesson(title=title) == [("/title", code)]
    assert [refusal.code for refusal in check_chapter(title)] == [code]


def test_titles_may_have_any_script_and_joined_emoji() -> None:
    assert course(title="Été 日本 👩‍💻 <b>" + "é" * 180) == []


def test_the_price_is_not_negative_and_in_a_currency_of_today() -> None:
    assert course(price_amount=-1) == [("/price/amount", "too-small")]
    assert course(price_amount=10**30) == [("/price/amount", "too-large")]
    for currency in ("eur", "FRF", "XXX", "EU", "", "EUR\0"):
        assert course(price_currency=currency) == [("/price/currency", "unknown-currency")]
    assert course(price_amount=4900, price_currency="XOF") == []


def test_a_bonus_course_has_no_price() -> None:
    assert course(unlock_streak_days=7) == []
    assert course(unlock_streak_days=7, price_amount=1) == [("/unlock", "bonus-is-not-sold")]
    assert course(unlock_streak_days=0) == [("/unlock/streak_days", "too-small")]
    assert course(unlock_streak_days=366) == [("/unlock/streak_days", "too-large")]


@pytest.mark.parametrize("language", ["", "FR", "français", "fr_FR", "fr-fr", "f"])
def test_a_language_is_a_code(language: str) -> None:
    assert course(language=language) == [("/language", "bad-language")]
    assert course(language="fr-CA") == []


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//evil.example/x.png",
        "x.png",
        "https://",
        "http://[",
        "/a b.png",
        'https://a/"x',
        "ftp://a/x",
    ],
)
def test_a_cover_is_an_image_of_ours_or_on_the_web(url: str) -> None:
    assert course(cover_url=url) == [("/cover_url", "bad-url")]


def test_covers_may_be_paths_of_ours_or_web_addresses() -> None:
    assert course(cover_url="/v1/images/abc.webp") == []
    assert course(cover_url="https://cdn.example/a.png?x=1") == []
    assert course(cover_url="/" + "a" * 2000) == [("/cover_url", "too-long")]


def test_texts_are_bounded_in_bytes_and_keep_their_lines_and_tabs() -> None:
    assert lesson(body="a" * 200_000) == []
    assert lesson(body="é" * 100_001) == [("/body", "too-many-bytes")]
    assert lesson(body="Une ligne\n\tune autre\r\n") == []
    assert lesson(body="\x1b[31m") == [("/body", "control-characters")]
    assert course(description="a" * 50_001) == [("/description", "too-many-bytes")]


def test_only_a_project_has_a_brief() -> None:
    assert lesson(kind="project", project_brief="Fais un site.") == []
    assert lesson(kind="text", project_brief="Fais un site.") == [("/project_brief", "only-for-projects")]


def test_a_lesson_lasts_up_to_a_day() -> None:
    assert lesson(duration_seconds=-1) == [("/duration_seconds", "too-small")]
    assert lesson(duration_seconds=86_401) == [("/duration_seconds", "too-large")]


def test_a_category_has_a_slug_and_a_name() -> None:
    assert check_category("dev-web", "Développement web") == ()
    assert [(r.pointer, r.code) for r in check_category("Dev", " ")] == [("/slug", "bad-slug"), ("/name", "required")]


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(4900, "EUR", "49.00"), (5, "EUR", "0.05"), (500, "XOF", "500"), (1500, "TND", "1.500")],
)
def test_an_amount_is_written_with_the_decimals_of_its_currency(amount: int, currency: str, text: str) -> None:
    assert decimal_amount(amount, currency) == text
