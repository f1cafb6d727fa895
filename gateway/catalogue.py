"""The catalogue's reads: which page shows what, and who may see it.

What is the same for everybody who may see it is kept as one page: for those "entitled", since catalog gives them all
that is not a draft. Who may be given it is decided here for every request, with progress; authors and admins are
given what catalog has now, so that they see their own changes at once.
"""

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

import msgspec
from flask import Response, request, url_for
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException

from contracts.errors import Forbidden, NotFound, Unavailable
from gateway.auth import Caller
from gateway.cache import COURSES, Page, course_tag, page, person_tag
from gateway.dependencies import pages, people, upstream
from gateway.etags import PUBLIC, shared_response
from gateway.models import catalog as models
from gateway.people import Person
from gateway.schemas import to_json
from gateway.upstream import remaining

WRITERS = ("instructor", "admin")
PRIVATE = "private, no-cache"
_SLUG_LENGTH = 80


@dataclass(frozen=True)
class CourseFacts:
    """What the gateway must know of a course to let someone see it; `slug` is its present one."""

    id: UUID
    slug: str
    status: str


@dataclass(frozen=True)
class LessonFacts:
    """What the gateway must know of a lesson."""

    course_id: UUID
    free_preview: bool


@dataclass(frozen=True)
class Seen:
    """A page for the one who asks; `public` when everybody would be given the same."""

    page: Page
    public: bool


def respond(seen: Seen, content_type: str = "application/json", *, varies: bool = True) -> Response:
    """The page as an answer, or 304 when the one who asks has it. `varies` says that others may be given another."""
    response = shared_response(
        seen.page.body, seen.page.etag, cache_control=PUBLIC if seen.public else PRIVATE, content_type=content_type
    )
    if varies:
        response.headers["Vary"] = "Authorization"
    return response


def categories(someone: Caller | None) -> Seen:
    """All categories; who makes them sees them as they are now."""
    if _writes(someone):
        return Seen(_load_categories(), False)
    return Seen(_kept("categories", _load_categories), True)


def courses(query: models.CourseQuery) -> Page:
    """A page of the published courses. Raises `Invalid` for a cursor that is none."""
    asked = query.model_dump()
    return _kept(("courses", *asked.values()), lambda: _load_courses(asked))


def course(named: str, someone: Caller | None) -> Seen:
    """A course by its id or slug. Raises `NotFound` for what may not be known, and a redirection for an old slug."""
    seen = _course(named, someone)
    if named != seen.page.facts.slug and _as_id(named) is None:
        _moved(seen.page.facts.slug)
    return seen


def course_id(named: str, someone: Caller) -> UUID:
    """The id of a course that someone names by id or slug; an id is believed. Raises as `course`."""
    known = _as_id(named)
    if known is not None:
        return known
    facts: CourseFacts = course(named, someone).page.facts
    return facts.id


def outline(named: str, someone: Caller | None) -> Seen:
    """The chapters of a course. Raises as `course`."""
    seen = course(named, someone)
    facts: CourseFacts = seen.page.facts
    if _writes(someone) and not seen.public:
        assert someone is not None
        try:
            return Seen(_load_outline(facts.id, _viewer(someone)), False)
        except NotFound:  # they see it as any other who holds it
            pass
    kept = _kept(("outline", facts.id), lambda: _load_outline(facts.id, {"entitled": True}))
    return Seen(kept, seen.public)


def chapter(chapter_id: UUID, someone: Caller | None) -> Seen:
    """A chapter, with the content of its lessons for those with access. Raises `NotFound` for what may not be known.

    While nobody can tell who has access, a published one is given to all as to a visitor; else `Unavailable` is raised.
    """
    try:
        full = _kept(("chapter", chapter_id, True), lambda: _load_chapter(chapter_id, {"entitled": True}))
    except NotFound:
        return Seen(_load_chapter(chapter_id, _author(someone)), False)
    if someone is not None:
        try:
            found = access(someone, full.facts)
        except Unavailable:
            # what a visitor is given says nothing of rights; that it is not there would
            with suppress(NotFound):
                return Seen(_closed_chapter(chapter_id), False)
            raise
        if found["reason"] in ("author", "admin"):
            return Seen(_load_chapter(chapter_id, _viewer(someone)), False)
        if found["has_access"]:
            return Seen(full, False)
    return Seen(_closed_chapter(chapter_id), someone is None)


def lesson(lesson_id: UUID, someone: Caller | None) -> Seen:
    """A lesson's content; that someone opened it is recorded. Raises `Forbidden("purchase-required")` or `NotFound`."""
    if someone is None:
        return Seen(_preview(lesson_id), True)
    try:
        opened = upstream().call("progress", "open_lesson", **_learner(someone), lesson_id=lesson_id)
    except Unavailable:
        # a free preview is nobody's to refuse, and that it was opened is worth less than its page
        with suppress(Forbidden, NotFound):
            return Seen(_preview(lesson_id), False)
        raise
    if opened["access"] in ("author", "admin"):
        return Seen(_load_lesson(lesson_id, _viewer(someone)), False)
    return Seen(_kept_lesson(lesson_id), False)


def transcript(lesson_id: UUID, someone: Caller | None) -> Seen:
    """A lesson's transcript (WebVTT) for those who may see the lesson. Raises as `lesson`, `NotFound` without one."""

    def kept() -> Page:
        return _kept(
            ("transcript", lesson_id), lambda: _load_transcript(lesson_id, {"entitled": True}, facts.course_id)
        )

    try:
        facts: LessonFacts = _kept_lesson(lesson_id).facts
    except NotFound:
        return Seen(_load_transcript(lesson_id, _author(someone)), False)
    if someone is None:
        _preview(lesson_id)
        return Seen(kept(), True)
    try:
        found = access(someone, facts.course_id)
    except Unavailable:
        with suppress(Forbidden, NotFound):
            _preview(lesson_id)
            return Seen(kept(), False)
        raise
    if found["reason"] in ("author", "admin"):
        return Seen(_load_transcript(lesson_id, _viewer(someone)), False)
    if not found["has_access"]:
        _preview(lesson_id)
    return Seen(kept(), False)


def summaries(held: Sequence[str]) -> dict[str, Any]:
    """The courses that someone holds, by their ids, as they stand in lists; without those that are gone."""
    if not held:
        return {}
    kept = _kept(("summaries", *held), lambda: _load_summaries(held))
    return {item["id"]: item for item in msgspec.json.decode(kept.body)["items"]}


def access(someone: Caller, course_id: UUID) -> Any:
    """Whether and why they may see the course. Raises `NotFound` when they may not know of it."""
    return upstream().call("progress", "check_course_access", **_learner(someone), course_id=course_id)


def with_instructors(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The courses with their instructors in place of the ids."""
    known = people().by_ids(UUID(item["instructor_id"]) for item in found)
    return [item | {"instructor": _instructor(item["instructor_id"], known)} for item in found]


def changed(course_id: UUID | str) -> None:
    """Drop what this process keeps of a course that was just changed through it; the others hear the event."""
    pages().drop((COURSES, course_tag(course_id)))


def _instructor(instructor_id: str, known: dict[UUID, Person]) -> dict[str, Any]:
    person = known.get(UUID(instructor_id))
    # who erased the account leaves the courses without a name
    return person.card() if person else {"id": instructor_id, "display_name": "", "avatar_url": None, "bio": ""}


def _kept(key: Hashable, load: Callable[[], Page]) -> Page:
    return pages().read(key, load, remaining)


def _writes(someone: Caller | None) -> bool:
    return someone is not None and someone.role in WRITERS


def _viewer(someone: Caller) -> dict[str, Any]:
    return {"viewer_id": someone.id, "viewer_role": someone.role}


def _author(someone: Caller | None) -> dict[str, Any]:
    """Whose draft it may be. Raises `NotFound` for everybody else."""
    if someone is None or not _writes(someone):
        raise NotFound
    return _viewer(someone)


def _learner(someone: Caller) -> dict[str, Any]:
    return {"user_id": someone.id, "role": someone.role}


def _as_id(named: str) -> UUID | None:
    try:
        return UUID(named) if len(named) == 36 else None
    except ValueError:
        return None


def _moved(slug: str) -> NoReturn:
    assert request.endpoint is not None
    location = url_for(request.endpoint, **{**(request.view_args or {}), "course": slug})
    query = request.query_string.decode("latin-1")
    raise HTTPException(
        response=Response(
            status=308,
            headers={
                "Location": f"{location}?{query}" if query else location,
                "Cache-Control": PUBLIC,
                "Vary": "Authorization",
            },
        )
    )


def _course(named: str, someone: Caller | None) -> Seen:
    if someone is not None and _writes(someone):
        try:
            return Seen(_load_course(named, _viewer(someone)), False)
        except NotFound:  # they may still hold it as any other
            pass
    kept = _kept_course(named)
    facts: CourseFacts = kept.facts
    if facts.status == "published":
        return Seen(kept, True)
    if someone is None or not access(someone, facts.id)["has_access"]:
        raise NotFound
    return Seen(kept, False)


def _kept_course(named: str) -> Page:
    return _kept(("course", named), lambda: _load_course(named, {"entitled": True}))


def _kept_lesson(lesson_id: UUID) -> Page:
    return _kept(("lesson", lesson_id), lambda: _load_lesson(lesson_id, {"entitled": True}))


def _closed_chapter(chapter_id: UUID) -> Page:
    return _kept(("chapter", chapter_id, False), lambda: _load_chapter(chapter_id, {}))


def _preview(lesson_id: UUID) -> Page:
    """A lesson that is open to everybody."""
    kept = _kept_lesson(lesson_id)
    facts: LessonFacts = kept.facts
    _course(str(facts.course_id), None)
    if not facts.free_preview:
        raise Forbidden("purchase-required")
    return kept


def _load_categories() -> Page:
    answer = upstream().call("catalog", "get_categories")
    return page(_encoded(models.Categories, answer), (COURSES,))


def _load_courses(asked: dict[str, Any]) -> Page:
    answer = upstream().call("catalog", "get_published_courses", **asked)
    found = with_instructors(answer["items"])
    tags = [COURSES, *(person_tag(item["instructor_id"]) for item in found)]
    return page(_encoded(models.Courses, answer | {"items": found}), tags)


def _load_course(named: str, viewer: dict[str, Any]) -> Page:
    known = _as_id(named)
    if known is None and len(named) > _SLUG_LENGTH:
        raise NotFound
    if known is not None:
        found = upstream().call("catalog", "get_course", course_id=known, **viewer)
    else:
        found = upstream().call("catalog", "get_course_by_slug", slug=named, **viewer)
    found = with_instructors([found])[0]
    facts = CourseFacts(UUID(found["id"]), found["slug"], found["status"])
    tags = (course_tag(facts.id), person_tag(found["instructor_id"]))
    return page(_encoded(models.Course, found), tags, facts)


def _load_summaries(held: Sequence[str]) -> Page:
    """One call for all whose own page is not kept."""
    known = {one: kept for one in held if (kept := pages().kept(("course", one)))}
    found = [msgspec.json.decode(kept.body) for kept in known.values()]
    if missing := [UUID(one) for one in held if one not in known]:
        answer = upstream().call("catalog", "get_courses", course_ids=missing)
        found += with_instructors(answer["items"])
    tags = [*map(course_tag, held), *(person_tag(item["instructor"]["id"]) for item in found)]
    return page(_encoded(models.Courses, {"items": found, "next_cursor": None}), tags)


def _load_outline(course_id: UUID, viewer: dict[str, Any]) -> Page:
    found = upstream().call("catalog", "get_course_with_chapters", course_id=course_id, **viewer)
    return page(_encoded(models.Outline, found), (course_tag(course_id),))


def _load_chapter(chapter_id: UUID, viewer: dict[str, Any]) -> Page:
    found = upstream().call("catalog", "get_chapter", chapter_id=chapter_id, **viewer)
    course_id = UUID(found["course_id"])
    return page(_encoded(models.Chapter, found), (course_tag(course_id),), course_id)


def _load_lesson(lesson_id: UUID, viewer: dict[str, Any]) -> Page:
    found = upstream().call("catalog", "get_lesson", lesson_id=lesson_id, **viewer)
    facts = LessonFacts(UUID(found["course_id"]), found["free_preview"])
    return page(_encoded(models.Lesson, found), (course_tag(facts.course_id),), facts)


def _load_transcript(lesson_id: UUID, viewer: dict[str, Any], course_id: UUID | None = None) -> Page:
    found = upstream().call("catalog", "get_transcript", lesson_id=lesson_id, **viewer)
    return page(found["vtt"].encode(), () if course_id is None else (course_tag(course_id),))


def _encoded(model: type[BaseModel], found: Any) -> bytes:
    return to_json(model.model_validate(found))
