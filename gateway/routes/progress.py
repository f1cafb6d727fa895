"""A student's way through courses: taking one, learning in it, and how far they are."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from contracts.errors import Conflict, FieldError, Invalid
from gateway import catalogue
from gateway.auth import caller, signed_in
from gateway.dependencies import settings, upstream
from gateway.document import answers_also
from gateway.models import progress as models
from gateway.schemas import Empty, Page

blueprint = APIBlueprint("progress", __name__, url_prefix="/v1", tag="Progress")
purchase = APIBlueprint("purchase", __name__, url_prefix="/v1", tag="Purchase")


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


@purchase.post("/courses/<course>/checkout")
@signed_in()
@purchase.input(models.Checkout)
@purchase.output(models.CheckoutOut, status_code=201)
@answers_also(308)
def checkout(course: str, json_data: models.Checkout) -> Any:
    """Take a course; a free one is yours at once."""
    _refuse_foreign(json_data)
    try:
        _call("enroll_free", course_id=_course_id(course))
    except Conflict as error:
        if error.problem == "payment-unavailable" and not json_data.withdrawal_waiver:
            raise Invalid(errors=(FieldError("/withdrawal_waiver", "waiver-required"),)) from error
        raise
    return {"order_id": None, "session_id": None, "checkout_url": None}


@purchase.get("/courses/<course>/access")
@signed_in()
@purchase.output(models.Access)
@answers_also(308)
def check_course_access(course: str) -> Any:
    """Whether and why you may see a course."""
    return _call("check_course_access", course_id=_course_id(course))


@purchase.get("/me/enrollments")
@signed_in()
@purchase.input(Page, location="query")
@purchase.output(models.Enrollments)
def get_user_enrollments(query_data: Page) -> Any:
    """Your courses, newest first, archived ones included."""
    answer = upstream().call("progress", "get_user_enrollments", user_id=caller().id, **query_data.model_dump())
    known = catalogue.summaries([item["course_id"] for item in answer["items"]])
    # a course that was deleted a moment ago is no longer anybody's
    items = [item | {"course": known[item["course_id"]]} for item in answer["items"] if item["course_id"] in known]
    return answer | {"items": items}


def _refuse_foreign(wanted: models.Checkout) -> None:
    """Raise `Invalid` for addresses that would lead away from the front end."""
    errors = tuple(
        FieldError(f"/{name}", "foreign-url")
        for name in ("success_url", "cancel_url")
        if (url := getattr(wanted, name)) is not None and not _is_ours(url)
    )
    if errors:
        raise Invalid(errors=errors)


def _is_ours(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return f"{parts.scheme}://{parts.netloc}" in settings().front_origins
