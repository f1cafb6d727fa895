"""Who may see and change what."""

from uuid import uuid4

import pytest

from services.catalog.domain.access import (
    Authorship,
    Viewer,
    authorship,
    is_author,
    may_see_content,
    may_see_course,
)

INSTRUCTOR = uuid4()
VIEWERS = {
    "nobody": Viewer(),
    "student": Viewer(uuid4(), "student"),
    "holder": Viewer(uuid4(), "student", entitled=True),
    "other instructor": Viewer(uuid4(), "instructor"),
    "author": Viewer(INSTRUCTOR, "instructor"),
    "admin": Viewer(uuid4(), "admin"),
}
EVERYBODY = set(VIEWERS)
AUTHORS = {"author", "admin"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("draft", AUTHORS),
        ("published", EVERYBODY),
        ("unpublished", {*AUTHORS, "holder"}),
        ("archived", {*AUTHORS, "holder"}),
        ("deleted", set()),
    ],
)
def test_a_course_exists_only_for_those_who_may_know_it(status: str, expected: set[str]) -> None:
    assert {name for name, viewer in VIEWERS.items() if may_see_course(status, INSTRUCTOR, viewer)} == expected


@pytest.mark.parametrize(
    ("status", "free_preview", "expected"),
    [
        ("published", False, {*AUTHORS, "holder"}),
        ("published", True, EVERYBODY),
        ("draft", True, AUTHORS),
        ("unpublished", True, {*AUTHORS, "holder"}),
        ("archived", False, {*AUTHORS, "holder"}),
        ("deleted", True, set()),
    ],
)
def test_content_is_for_authors_holders_and_previews_of_what_exists_for_the_viewer(
    status: str, free_preview: bool, expected: set[str]
) -> None:
    assert {
        name
        for name, viewer in VIEWERS.items()
        if may_see_content(status, INSTRUCTOR, viewer, free_preview=free_preview)
    } == expected


@pytest.mark.parametrize("status", ["draft", "published", "unpublished", "archived"])
def test_authors_and_admins_may_change_a_course(status: str) -> None:
    assert {name for name, v in VIEWERS.items() if authorship(status, INSTRUCTOR, v) is Authorship.GRANTED} == AUTHORS


def test_a_stranger_learns_of_a_draft_no_more_than_of_nothing() -> None:
    stranger = VIEWERS["other instructor"]
    assert authorship("draft", INSTRUCTOR, stranger) is Authorship.UNKNOWN
    assert authorship("published", INSTRUCTOR, stranger) is Authorship.FORBIDDEN


def test_students_change_nothing_whatever_it_is_even_what_they_once_wrote() -> None:
    for status in ("draft", "published", "deleted"):
        assert authorship(status, INSTRUCTOR, VIEWERS["holder"]) is Authorship.FORBIDDEN
        assert authorship(status, INSTRUCTOR, Viewer(INSTRUCTOR, "student")) is Authorship.FORBIDDEN


def test_nobody_changes_what_was_deleted() -> None:
    assert authorship("deleted", INSTRUCTOR, VIEWERS["author"]) is Authorship.UNKNOWN
    assert authorship("deleted", INSTRUCTOR, VIEWERS["admin"]) is Authorship.UNKNOWN


def test_a_role_without_a_person_gives_no_right() -> None:
    assert not is_author(INSTRUCTOR, Viewer(None, "admin"))
