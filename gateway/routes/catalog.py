"""The catalogue: its pages for everybody, its desk for authors."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from contracts.errors import FieldError, Invalid
from gateway import catalogue
from gateway.auth import caller, optional_caller, signed_in
from gateway.cache import COURSES
from gateway.catalogue import Seen, respond
from gateway.dependencies import pages, upstream
from gateway.document import answers_also, takes
from gateway.models import catalog as models
from gateway.problems import TooLarge, UnsupportedMediaType
from gateway.schemas import Empty, Page, clean

MAXIMUM_TRANSCRIPT_BYTES = 1_000_000
VTT = "text/vtt"
_TRANSCRIPT: Any = {200: {"description": "The transcript", "content": {VTT: {"schema": {"type": "string"}}}}}

blueprint = APIBlueprint("catalog", __name__, url_prefix="/v1", tag="Catalog")


def _author() -> dict[str, Any]:
    someone = caller()
    return {"author_id": someone.id, "role": someone.role}


def _write(method: str, **arguments: Any) -> Any:
    """Call catalog for an author, and drop what this process keeps of the course."""
    answer = upstream().call("catalog", method, **_author(), **arguments)
    course_id = arguments.get("course_id") or (isinstance(answer, dict) and answer.get("course_id"))
    if course_id:
        catalogue.changed(course_id)
    return answer


def _course(method: str, **arguments: Any) -> Any:
    return catalogue.with_instructors([_write(method, **arguments)])[0]


def _course_id(named: str) -> UUID:
    return catalogue.course_id(named, caller())


@blueprint.get("/categories")
@blueprint.output(models.Categories)
@answers_also(304)
def get_categories() -> Response:
    """All categories, with the number of their published courses."""
    return respond(catalogue.categories(optional_caller()))


@blueprint.post("/admin/categories")
@signed_in("admin")
@blueprint.input(models.NewCategory)
@blueprint.output(models.CategoryOut, status_code=201)
def create_category(json_data: models.NewCategory) -> Any:
    """Make a category."""
    made = upstream().call("catalog", "create_category", role=caller().role, **json_data.model_dump())
    pages().drop((COURSES,))
    return made


@blueprint.get("/courses")
@blueprint.input(models.CourseQuery, location="query")
@blueprint.output(models.Courses)
@answers_also(304)
def get_published_courses(query_data: models.CourseQuery) -> Response:
    """The published courses, newest first, by category, level and words."""
    optional_caller()
    return respond(Seen(catalogue.courses(query_data), True), varies=False)


@blueprint.get("/courses/<course>")
@blueprint.output(models.Course)
@answers_also(304, 308)
def get_course(course: str) -> Response:
    """A course by its id or slug; an old slug leads to the present one."""
    return respond(catalogue.course(course, optional_caller()))


@blueprint.get("/courses/<course>/chapters")
@blueprint.output(models.Outline)
@answers_also(304, 308)
def get_course_with_chapters(course: str) -> Response:
    """The outline of a course."""
    return respond(catalogue.outline(course, optional_caller()))


@blueprint.get("/chapters/<uuid:chapter_id>")
@blueprint.output(models.Chapter)
@answers_also(304)
def get_chapter(chapter_id: UUID) -> Response:
    """A chapter; the content of its lessons only for those with access."""
    return respond(catalogue.chapter(chapter_id, optional_caller()))


@blueprint.get("/lessons/<uuid:lesson_id>")
@blueprint.output(models.Lesson)
@answers_also(304, 403)
def get_lesson(lesson_id: UUID) -> Response:
    """A lesson with its content, for those with access; a free preview for everybody."""
    return respond(catalogue.lesson(lesson_id, optional_caller()))


@blueprint.post("/courses")
@signed_in("instructor")
@blueprint.input(models.NewCourse)
@blueprint.output(models.Course, status_code=201)
def create_course(json_data: models.NewCourse) -> Any:
    """Make a course, as a draft."""
    made = _course("create_course", **json_data.model_dump())
    return made, 201, {"Location": f"/v1/courses/{made['id']}"}


@blueprint.patch("/courses/<course>")
@signed_in("instructor")
@blueprint.input(models.CourseChanges)
@blueprint.output(models.Course)
@answers_also(308)
def update_course(course: str, json_data: models.CourseChanges) -> Any:
    """Change what is named of a course; its old slug keeps leading to it."""
    return _course("update_course", course_id=_course_id(course), changes=json_data.model_dump(exclude_unset=True))


@blueprint.delete("/courses/<course>")
@signed_in("instructor")
@blueprint.output(Empty, status_code=204)
@answers_also(308)
def delete_course(course: str) -> Response:
    """Delete a draft."""
    _write("delete_course", course_id=_course_id(course))
    return Response(status=204)


@blueprint.post("/courses/<course>/publish")
@signed_in("instructor")
@blueprint.output(models.Course)
@answers_also(308)
def publish_course(course: str) -> Any:
    """Show a course to everybody."""
    return _course("publish_course", course_id=_course_id(course))


@blueprint.post("/courses/<course>/unpublish")
@signed_in("instructor")
@blueprint.output(models.Course)
@answers_also(308)
def unpublish_course(course: str) -> Any:
    """Take a course back from the public; who holds it keeps it."""
    return _course("unpublish_course", course_id=_course_id(course))


@blueprint.post("/courses/<course>/archive")
@signed_in("instructor")
@blueprint.output(models.Course)
@answers_also(308)
def archive_course(course: str) -> Any:
    """Put a course aside; its pages stay open to those who hold it."""
    return _course("archive_course", course_id=_course_id(course))


@blueprint.post("/courses/<course>/chapters")
@signed_in("instructor")
@blueprint.input(models.ChapterText)
@blueprint.output(models.Chapter, status_code=201)
@answers_also(308)
def create_chapter(course: str, json_data: models.ChapterText) -> Any:
    """Add a chapter at the end of a course."""
    made = _write("create_chapter", course_id=_course_id(course), title=json_data.title)
    return made, 201, {"Location": f"/v1/chapters/{made['id']}"}


@blueprint.patch("/chapters/<uuid:chapter_id>")
@signed_in("instructor")
@blueprint.input(models.ChapterText)
@blueprint.output(models.Chapter)
def update_chapter(chapter_id: UUID, json_data: models.ChapterText) -> Any:
    """Give a chapter another title."""
    return _write("update_chapter", chapter_id=chapter_id, title=json_data.title)


@blueprint.delete("/chapters/<uuid:chapter_id>")
@signed_in("instructor")
@blueprint.output(Empty, status_code=204)
def delete_chapter(chapter_id: UUID) -> Response:
    """Delete a chapter with its lessons and quiz."""
    _write("delete_chapter", chapter_id=chapter_id)
    return Response(status=204)


@blueprint.post("/chapters/<uuid:chapter_id>/lessons")
@signed_in("instructor")
@blueprint.input(models.NewLesson)
@blueprint.output(models.Lesson, status_code=201)
def create_lesson(chapter_id: UUID, json_data: models.NewLesson) -> Any:
    """Add a lesson at the end of a chapter."""
    made = _write("create_lesson", chapter_id=chapter_id, **json_data.model_dump())
    return made, 201, {"Location": f"/v1/lessons/{made['id']}"}


@blueprint.patch("/lessons/<uuid:lesson_id>")
@signed_in("instructor")
@blueprint.input(models.LessonChanges)
@blueprint.output(models.Lesson)
def update_lesson(lesson_id: UUID, json_data: models.LessonChanges) -> Any:
    """Change what is named of a lesson."""
    return _write("update_lesson", lesson_id=lesson_id, changes=json_data.model_dump(exclude_unset=True))


@blueprint.delete("/lessons/<uuid:lesson_id>")
@signed_in("instructor")
@blueprint.output(Empty, status_code=204)
def delete_lesson(lesson_id: UUID) -> Response:
    """Delete a lesson."""
    _write("delete_lesson", lesson_id=lesson_id)
    return Response(status=204)


@blueprint.put("/courses/<course>/order")
@signed_in("instructor")
@blueprint.input(models.Order)
@blueprint.output(models.Outline)
@answers_also(308)
def set_order(course: str, json_data: models.Order) -> Any:
    """Put all chapters and lessons of a course in an order; lessons may move between chapters."""
    return _write("set_order", course_id=_course_id(course), **json_data.model_dump())


@blueprint.put("/lessons/<uuid:lesson_id>/transcript")
@signed_in("instructor")
@blueprint.output(models.Cues)
@takes(VTT, {"type": "string", "minLength": 1})
def set_transcript(lesson_id: UUID) -> Any:
    """Keep a lesson's transcript (a WebVTT file); the number of its cues."""
    return _write("set_transcript", lesson_id=lesson_id, vtt=_read_vtt())


@blueprint.get("/lessons/<uuid:lesson_id>/transcript")
@blueprint.doc(responses=_TRANSCRIPT)
@answers_also(304, 403)
def get_transcript(lesson_id: UUID) -> Response:
    """A lesson's transcript (a WebVTT file), for those who may see the lesson."""
    return respond(catalogue.transcript(lesson_id, optional_caller()), f"{VTT}; charset=utf-8")


@blueprint.put("/chapters/<uuid:chapter_id>/quiz")
@signed_in("instructor")
@blueprint.input(models.QuizText)
@blueprint.output(models.Quiz)
def set_quiz(chapter_id: UUID, json_data: models.QuizText) -> Any:
    """Keep a chapter's quiz, in place of the one it had."""
    return _write("set_quiz", chapter_id=chapter_id, **json_data.model_dump())


@blueprint.get("/chapters/<uuid:chapter_id>/quiz")
@signed_in("instructor")
@blueprint.output(models.Quiz)
def get_quiz(chapter_id: UUID) -> Any:
    """A chapter's quiz with its answers, for the author."""
    return upstream().call("catalog", "get_quiz", **_author(), chapter_id=chapter_id)


@blueprint.get("/instructors/me/courses")
@signed_in("instructor")
@blueprint.input(Page, location="query")
@blueprint.output(models.FullCourses)
def get_instructor_courses(query_data: Page) -> Any:
    """Your own courses, drafts included, newest first."""
    answer = upstream().call("catalog", "get_instructor_courses", instructor_id=caller().id, **query_data.model_dump())
    return answer | {"items": catalogue.with_instructors(answer["items"])}


def _read_vtt() -> str:
    if request.mimetype != VTT:
        raise UnsupportedMediaType()
    if (request.content_length or 0) > MAXIMUM_TRANSCRIPT_BYTES:
        raise TooLarge()
    body = request.get_data()
    if len(body) > MAXIMUM_TRANSCRIPT_BYTES:
        raise TooLarge()
    try:
        text: str = clean(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Invalid(errors=(FieldError("", "not-utf-8"),)) from error
    return text
