"""A student's way through courses: learning in one, and how far they are."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from gateway import catalogue
from gateway.auth import caller, signed_in
from gateway.dependencies import upstream
from gateway.document import answers_also
from gateway.models import progress as models
from gateway.schemas import Empty

blueprint = APIBlueprint("progress", __name__, url_prefix="/v1", tag="Progress")


def _call(method: str, **arguments: Any) -> Any:
    someone = caller()
    return upstream().call("progress", method, user_id=someone.id, role=someone.role, **arguments)


def _course_id(named: str) -> UUID:
    return catalogue.course_id(named, caller())


@blueprint.get("/courses/<course>/progress")
@signed_in()
@blueprint.output(models.CourseProgress)
@answers_also(308)
def get_user_progress(course: str) -> Any:
    """How far you are in a course."""
    return _call("get_user_progress", course_id=_course_id(course))


@blueprint.post("/lessons/<uuid:lesson_id>/complete")
@signed_in()
@blueprint.output(models.Completion)
def mark_lesson_as_completed(lesson_id: UUID) -> Any:
    """Finish a lesson; asking again changes nothing."""
    return _call("mark_lesson_as_completed", lesson_id=lesson_id, time_zone=caller().time_zone)


@blueprint.put("/lessons/<uuid:lesson_id>/position")
@signed_in()
@blueprint.input(models.Position)
@blueprint.output(Empty, status_code=204)
def set_lesson_position(lesson_id: UUID, json_data: models.Position) -> Response:
    """Keep how far you are in a lesson."""
    _call("set_lesson_position", lesson_id=lesson_id, seconds=json_data.seconds, time_zone=caller().time_zone)
    return Response(status=204)


@blueprint.get("/lessons/<uuid:lesson_id>/next")
@signed_in()
@blueprint.output(models.Next)
def get_next_lesson(lesson_id: UUID) -> Any:
    """Where to go after a lesson; null at the end of the course."""
    return _call("get_next_lesson", current_lesson_id=lesson_id)
