"""Given an instructor, their numbers come as JSON or as a spreadsheet, and to nobody else."""

import csv
import io

import pytest

from tests.unit.gateway_routes.conftest import ARSENE, FakeAcademy, Visitor

STATS = "/instructors/me/stats"
CSV = {"Accept": "text/csv"}


def rows_of(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:])))


def test_an_instructor_sees_their_own_numbers(academy: FakeAcademy, author: Visitor) -> None:
    answer = author.get(STATS + "?from=2026-11-01&to=2026-11-30")

    assert answer.get_json()["revenue"]["net"] == {"amount": 8795, "currency": "EUR"}
    assert answer.get_json()["daily"][0]["date"] == "2026-11-25"
    assert academy.arguments == {"instructor_id": ARSENE.id, "from_date": "2026-11-01", "to_date": "2026-11-30"}
    assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=2026-11-31", "/from"),
        ("from=hier", "/from"),
        ("to=86400", "/to"),
        ("from=2026-11-25T00:00:00", "/from"),
        ("from=2026-11-02&to=2026-11-01", "/to"),
        ("from=1900-01-01&to=2026-11-01", "/to"),
        ("from_date=2026-11-01", "/from_date"),
        ("since=2026-11-01", "/since"),
    ],
)
def test_a_range_that_is_none_is_refused_naming_the_field(
    query: str, pointer: str, academy: FakeAcademy, author: Visitor
) -> None:
    for path in (STATS, f"/courses/{academy.course_id}/performance"):
        answer = author.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.get_json()["errors"]] == [pointer]
    assert not academy.asked


def test_the_days_come_as_a_spreadsheet_in_the_language_asked_for(author: Visitor) -> None:
    french = author.get(STATS, headers=CSV)
    english = author.get(STATS, headers=CSV | {"Accept-Language": "en"})

    assert french.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert french.headers["Content-Disposition"] == 'attachment; filename="stats.csv"'
    assert rows_of(french.text) == [
        ["Jour", "Ventes", "Revenu net", "Devise", "Nouveaux élèves", "Leçons terminées"],
        ["2026-11-25", "2", "87.95", "EUR", "2", "7"],
        ["2026-11-26", "0", "-10.05", "EUR", "0", "0"],
    ]
    assert rows_of(english.text)[0][0] == "Day"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/csv", "text/csv"),
        ("text/csv, application/json;q=0.5", "text/csv"),
        ("application/json, text/csv;q=0.5", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
        ("nonsense", "application/json"),
    ],
)
def test_json_is_given_unless_csv_is_asked_for(accept: str, media_type: str, author: Visitor) -> None:
    assert author.get(STATS, headers={"Accept": accept}).mimetype == media_type


@pytest.mark.parametrize("title", ['=HYPERLINK("http://evil.example")', "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_title_is_a_formula(title: str, academy: FakeAcademy, author: Visitor) -> None:
    academy.title = title

    [_, step] = rows_of(author.get(f"/courses/{academy.course_id}/performance", headers=CSV).text)

    assert step == [str(academy.lesson_id), f"'{title}", "1", "0.5"]


def test_quotes_commas_and_accents_stay_in_their_cell(academy: FakeAcademy, author: Visitor) -> None:
    academy.title = 'L’été, "enfin"\nà Nîmes'

    [_, step] = rows_of(author.get(f"/courses/{academy.course_id}/performance", headers=CSV).text)

    assert step[1] == academy.title


def test_another_instructor_and_students_see_no_numbers(
    academy: FakeAcademy, other_instructor: Visitor, student: Visitor, anonymous: Visitor, admin: Visitor
) -> None:
    path = f"/courses/{academy.course_id}/performance"
    assert other_instructor.get(path).status_code == student.get(path).status_code == 403
    assert anonymous.get(path).status_code == anonymous.get(STATS).status_code == 401
    assert student.get(STATS).status_code == 403
    assert admin.get(path).status_code == 200


def test_an_instructor_makes_links_into_the_front_end(academy: FakeAcademy, author: Visitor, student: Visitor) -> None:
    made = author.ask("POST", "/instructors/me/refs", json={"target": "/courses/web"})
    assert (made.status_code, made.get_json()["url"]) == (201, "https://front.example/courses/web?ref=abcd1234")
    refused = author.ask("POST", "/instructors/me/refs", json={"target": "https://evil.example"})
    assert [error["pointer"] for error in refused.get_json()["errors"]] == ["/target"]
    assert author.get("/instructors/me/refs").get_json()["items"][0]["ref"] == "abcd1234"
    assert student.ask("POST", "/instructors/me/refs", json={"target": "/"}).status_code == 403
