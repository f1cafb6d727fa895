"""Given a course, each reader gets what is theirs to see, from memory wherever that is safe."""

from uuid import uuid4

import pytest

from contracts.events.catalog import CourseChanged, Money
from gateway.app import Gateway
from tests.unit.gateway_routes.conftest import ARSENE, FakeAcademy, Visitor
from tests.unit.gateway_routes.test_page_cache import envelope

SOME_ID = "7297ee7d-c9eb-4af4-9bdb-1ef484e96711"


def tell_changed(app: Gateway, academy: FakeAcademy) -> None:
    app.parts.on_event(
        envelope(),
        CourseChanged(
            course_id=academy.course_id,
            slug=academy.slug,
            title=academy.title,
            instructor_id=ARSENE.id,
            status="published",
            category="dev-web",
            price=Money(0, "EUR"),
            practical=False,
        ),
    )


def test_public_pages_are_asked_for_once(academy: FakeAcademy, anonymous: Visitor, student: Visitor) -> None:
    for path in (
        "/categories",
        "/courses",
        f"/courses/{academy.course_id}",
        f"/courses/{academy.slug}",
        f"/courses/{academy.slug}/chapters",
    ):
        asked = academy.asked.total()
        answers = [visitor.get(path) for visitor in (anonymous, anonymous, student)]
        assert [answer.status_code for answer in answers] == [200, 200, 200], path
        assert len({answer.data for answer in answers}) == 1
        assert academy.asked.total() == asked + 1, path


def test_a_course_names_its_instructor_and_not_more(academy: FakeAcademy, anonymous: Visitor) -> None:
    course = anonymous.get("/courses/web").get_json()
    assert course["instructor"] == {"id": str(ARSENE.id), "display_name": "Arsène", "avatar_url": None, "bio": ""}
    assert "instructor_id" not in course
    assert "moved_to" not in course
    listed = anonymous.get("/courses").get_json()["items"][0]
    assert "description" not in listed
    assert listed["instructor"] == course["instructor"]


def test_an_unchanged_page_costs_304(academy: FakeAcademy, anonymous: Visitor) -> None:
    first = anonymous.get("/courses/web")
    assert first.headers["Cache-Control"].startswith("public")
    for given in (first.headers["ETag"], f'"x", W/{first.headers["ETag"]}', "*"):
        again = anonymous.get("/courses/web", headers={"If-None-Match": given})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    assert anonymous.get("/courses/web", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_changed_course_shows_at_once(app: Gateway, academy: FakeAcademy, anonymous: Visitor) -> None:
    before = anonymous.get("/courses/web")
    anonymous.get("/courses")
    academy.title = "Ton deuxième site"
    tell_changed(app, academy)
    after = anonymous.get("/courses/web", headers={"If-None-Match": before.headers["ETag"]})
    assert after.get_json()["title"] == "Ton deuxième site"
    assert anonymous.get("/courses").get_json()["items"][0]["title"] == "Ton deuxième site"


def test_who_changes_a_course_and_those_after_see_the_change_without_any_event(
    academy: FakeAcademy, author: Visitor, anonymous: Visitor
) -> None:
    anonymous.get("/courses/web")
    assert author.ask("PATCH", "/courses/web", json={"title": "Neuf"}).get_json()["title"] == "Neuf"
    assert author.get("/courses/web").get_json()["title"] == "Neuf"
    assert anonymous.get("/courses/web").get_json()["title"] == "Neuf"


@pytest.mark.parametrize(
    ("status", "seen_by"),
    [
        ("published", {"anonymous", "student", "holder", "other_instructor", "author", "admin"}),
        ("draft", {"author", "admin"}),
        ("unpublished", {"holder", "author", "admin"}),
        ("archived", {"holder", "author", "admin"}),
    ],
)
def test_a_course_is_seen_by_those_who_may_and_only_a_published_one_is_public(
    status: str, seen_by: set[str], academy: FakeAcademy, request: pytest.FixtureRequest
) -> None:
    academy.status = status
    # whoever comes first must not open the page for those after
    for who in ("admin", "author", "holder", "other_instructor", "student", "anonymous"):
        visitor: Visitor = request.getfixturevalue(who)
        for path in (
            f"/courses/{academy.course_id}",
            "/courses/web",
            "/courses/web/chapters",
            f"/chapters/{academy.chapter_id}",
        ):
            answer = visitor.get(path)
            assert answer.status_code == (200 if who in seen_by else 404), (who, path)
            is_public = answer.headers["Cache-Control"].startswith("public")
            if status != "published":
                assert not is_public, (who, path)
            assert "Authorization" in answer.headers["Vary"] or answer.status_code == 404


@pytest.mark.parametrize("who", ["anonymous", "student", "holder", "other_instructor", "author", "admin"])
def test_bodies_are_for_those_with_access(who: str, academy: FakeAcademy, request: pytest.FixtureRequest) -> None:
    for first in ("author", "holder"):
        request.getfixturevalue(first).get(f"/chapters/{academy.chapter_id}")
        request.getfixturevalue(first).get(f"/lessons/{academy.lesson_id}")
        request.getfixturevalue(first).get(f"/lessons/{academy.lesson_id}/transcript")
    visitor: Visitor = request.getfixturevalue(who)
    may = who in ("holder", "author", "admin")
    chapter = visitor.get(f"/chapters/{academy.chapter_id}")
    assert (b"secret" in chapter.data) == may
    assert chapter.headers["Cache-Control"].startswith("public") == (who == "anonymous")
    for path in (f"/lessons/{academy.lesson_id}", f"/lessons/{academy.lesson_id}/transcript"):
        answer = visitor.get(path)
        assert answer.status_code == (200 if may else 403), path
        assert (b"secret" in answer.data) == may
        assert not answer.headers["Cache-Control"].startswith("public")
        if not may:
            assert answer.get_json()["type"] == "/problems/purchase-required"


@pytest.mark.parametrize("who", ["anonymous", "student", "other_instructor"])
def test_a_free_preview_is_open_to_everybody_while_its_course_is_published(
    who: str, academy: FakeAcademy, app: Gateway, request: pytest.FixtureRequest
) -> None:
    academy.free_preview = True
    visitor: Visitor = request.getfixturevalue(who)
    paths = (f"/lessons/{academy.lesson_id}", f"/lessons/{academy.lesson_id}/transcript")
    for path in paths:
        assert b"secret" in visitor.get(path).data
    academy.status = "unpublished"
    tell_changed(app, academy)
    for path in paths:
        assert visitor.get(path).status_code == 404


@pytest.mark.parametrize("who", ["student", "holder", "anonymous", "other_instructor"])
def test_the_parts_of_a_draft_are_not_there_for_others(
    who: str, academy: FakeAcademy, request: pytest.FixtureRequest
) -> None:
    academy.status = "draft"
    visitor: Visitor = request.getfixturevalue(who)
    assert visitor.get(f"/chapters/{academy.chapter_id}").status_code == 404
    assert visitor.get(f"/lessons/{academy.lesson_id}/transcript").status_code == 404


def test_lessons_are_read_from_memory_and_access_is_asked_each_time(academy: FakeAcademy, holder: Visitor) -> None:
    for _ in range(3):
        assert holder.get(f"/lessons/{academy.lesson_id}").status_code == 200
        assert b"secret" in holder.get(f"/chapters/{academy.chapter_id}").data
    assert academy.asked["get_lesson"] == academy.asked["get_chapter"] == 1
    assert academy.asked["open_lesson"] == academy.asked["check_course_access"] == 3


def test_an_old_slug_leads_to_the_present_one_with_the_query(academy: FakeAcademy, anonymous: Visitor) -> None:
    answer = anonymous.get("/courses/toile?ref=video%2042&x=%C3%A9")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/v1/courses/web?ref=video%2042&x=%C3%A9")
    assert anonymous.get("/courses/toile/chapters").headers["Location"] == "/v1/courses/web/chapters"


def test_an_old_slug_of_what_may_not_be_known_leads_nowhere(
    academy: FakeAcademy, anonymous: Visitor, student: Visitor, author: Visitor
) -> None:
    academy.status = "unpublished"
    assert anonymous.get("/courses/toile").status_code == student.get("/courses/toile").status_code == 404
    assert author.get("/courses/toile").status_code == 308


@pytest.mark.parametrize("named", ["nothing", SOME_ID, "Web", "a" * 300, "caf%C3%A9", "x_y", "%00", "..", "{web}"])
def test_a_name_of_no_course_is_not_there(named: str, anonymous: Visitor) -> None:
    assert anonymous.get(f"/courses/{named}").status_code == 404


@pytest.mark.parametrize("path", ["/chapters/1", "/lessons/web", "/lessons/1/transcript", f"/chapters/{SOME_ID}x"])
def test_what_is_no_id_is_not_there(path: str, anonymous: Visitor) -> None:
    answer = anonymous.get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "level=expert", "colour=red", "category=Dev%20Web", f"q={'a' * 101}", "q=%00"],
)
def test_a_query_that_cannot_be_is_refused(query: str, academy: FakeAcademy, anonymous: Visitor) -> None:
    answer = anonymous.get(f"/courses?{query}")
    assert answer.status_code == 422
    assert answer.get_json()["errors"]
    assert not academy.asked


def test_while_catalog_is_silent_kept_pages_stay(academy: FakeAcademy, anonymous: Visitor, holder: Visitor) -> None:
    paths = ("/courses", "/courses/web", f"/chapters/{academy.chapter_id}")
    for path in paths:
        anonymous.get(path)
    holder.get(f"/lessons/{academy.lesson_id}")
    academy.silent = {"catalog"}
    assert {anonymous.get(path).status_code for path in paths} == {200}
    assert holder.get(f"/lessons/{academy.lesson_id}").status_code == 200
    missing = anonymous.get("/categories")
    assert (missing.status_code, missing.headers["Retry-After"]) == (503, "2")


def test_while_progress_is_silent_only_what_needs_it_is_unavailable(
    academy: FakeAcademy, anonymous: Visitor, student: Visitor, holder: Visitor
) -> None:
    academy.silent = {"progress"}
    for path in ("/courses/web", "/courses/web/chapters", f"/chapters/{academy.chapter_id}"):
        assert anonymous.get(path).status_code == 200
    assert student.get("/courses/web").status_code == 200
    assert holder.get(f"/lessons/{academy.lesson_id}").status_code == 503
    academy.free_preview = True
    academy.lesson_id = uuid4()
    for path in (f"/lessons/{academy.lesson_id}", f"/lessons/{academy.lesson_id}/transcript"):
        assert student.get(path).status_code == 200, "a free preview needs nobody's leave"


@pytest.mark.parametrize("who", ["student", "holder", "author"])
def test_while_access_cannot_be_told_a_chapter_is_as_for_visitors(
    who: str, academy: FakeAcademy, anonymous: Visitor, request: pytest.FixtureRequest
) -> None:
    visitor: Visitor = request.getfixturevalue(who)
    path = f"/chapters/{academy.chapter_id}"
    academy.silent = {"progress"}

    given = visitor.get(path)

    assert (given.status_code, given.data) == (200, anonymous.get(path).data)
    assert b"secret" not in given.data
    assert given.headers["Cache-Control"] == "private, no-cache"
    academy.silent = set()
    again = visitor.get(path, headers={"If-None-Match": given.headers["ETag"]})
    assert (b"secret" in again.data) == (who != "student"), "what was given meanwhile does not stay"


@pytest.mark.parametrize("status", ["unpublished", "archived"])
def test_while_access_cannot_be_told_nobody_hears_that_their_chapter_is_not_there(
    status: str, academy: FakeAcademy, holder: Visitor, anonymous: Visitor
) -> None:
    academy.status = status
    path = f"/chapters/{academy.chapter_id}"
    academy.silent = {"progress"}

    assert holder.get(path).status_code == 503
    assert anonymous.get(path).status_code == 404


def test_a_transcript_is_a_text_file_and_nothing_else(academy: FakeAcademy, author: Visitor) -> None:
    path = f"/lessons/{academy.lesson_id}/transcript"
    good = "WEBVTT\n\n00:00.000 --> 00:02.000\nBonjour à tous\n"
    answer = author.ask("PUT", path, data=good.encode("utf-8-sig"), content_type="text/vtt; charset=utf-8")
    assert (answer.status_code, answer.get_json(), academy.arguments["vtt"]) == (200, {"cues": 3}, good)
    assert author.ask("PUT", path, data=good, content_type="text/plain").status_code == 415
    assert author.ask("PUT", path, json={"vtt": good}).status_code == 415
    assert author.ask("PUT", path, data=b"WEBVTT\xff", content_type="text/vtt").status_code == 422
    assert author.ask("PUT", path, data=b"WEBVTT\0", content_type="text/vtt").status_code == 422
    assert author.ask("PUT", path, data=b"x" * 1_000_001, content_type="text/vtt").status_code == 413
    read = author.get(path)
    assert (read.content_type, read.data) == ("text/vtt; charset=utf-8", b"WEBVTT\n\nsecret")


@pytest.mark.parametrize(
    "changes",
    [
        {"title": None},
        {"title": ""},
        {"title": "  "},
        {"title": "x" * 201},
        {"title": "a\nb"},
        {"title": "a\0b"},
        {"title": 7},
        {"colour": "red"},
        {"price": {"amount": -1, "currency": "EUR"}},
        {"price": {"amount": 1.5, "currency": "EUR"}},
        {"price": {"amount": 10**30, "currency": "EUR"}},
        {"price": {"amount": 1, "currency": "euro"}},
        {"unlock": {"streak_days": 0}},
        {"practical": "yes"},
        {"level": "expert"},
        {"language": "français"},
        {"slug": "Pas Un Slug"},
        ["title"],
    ],
)
def test_changes_that_cannot_be_are_refused_before_any_service(
    changes: object, academy: FakeAcademy, author: Visitor
) -> None:
    answer = author.ask("PATCH", f"/courses/{academy.course_id}", json=changes)
    assert answer.status_code == 422, answer.data
    assert all(error["detail"] for error in answer.get_json()["errors"])
    assert not academy.asked


def test_only_what_is_named_is_changed(academy: FakeAcademy, author: Visitor) -> None:
    author.ask("PATCH", f"/courses/{academy.course_id}", json={"cover_url": None, "practical": False})
    assert academy.arguments["changes"] == {"cover_url": None, "practical": False}
    assert academy.arguments["author_id"] == ARSENE.id
