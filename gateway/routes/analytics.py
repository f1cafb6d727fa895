"""What instructors see of their courses: numbers as JSON or CSV, and the links that they put under videos."""

from datetime import date
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from contracts.errors import Invalid
from gateway import catalogue, spreadsheets
from gateway.auth import caller, signed_in
from gateway.dependencies import upstream
from gateway.document import answers_also
from gateway.models import analytics as models
from gateway.problems import invalid
from gateway.schemas import Page, to_json

MAXIMUM_DAYS = 3_660

blueprint = APIBlueprint("analytics", __name__, url_prefix="/v1", tag="Analytics")


@blueprint.get("/instructors/me/stats")
@signed_in("instructor")
@blueprint.input(models.RangeQuery, location="query")
@blueprint.output(models.Stats)
@blueprint.doc(responses=models.CSV)
def get_instructor_stats(query_data: models.RangeQuery) -> Response:
    """Your revenue, sales and students, by course, day and link; as CSV, the days."""
    found = upstream().call("analytics", "get_instructor_stats", instructor_id=caller().id, **_range(query_data))
    if not spreadsheets.is_wanted():
        return _as_json(models.Stats.model_validate(found))
    columns = ("date", "sales", "net", "currency", "new-students", "lessons-completed")
    rows = (
        (
            day["date"],
            day["sales"],
            spreadsheets.decimal(day["net"]),
            day["net"]["currency"],
            day["new_students"],
            day["lessons_completed"],
        )
        for day in found["daily"]
    )
    return spreadsheets.respond("stats", columns, rows)


@blueprint.get("/courses/<course>/performance")
@signed_in()
@blueprint.input(models.RangeQuery, location="query")
@blueprint.output(models.Performance)
@blueprint.doc(responses=models.CSV)
@answers_also(308)
def get_course_performance(course: str, query_data: models.RangeQuery) -> Response:
    """How a course of yours sells and is learned, lesson by lesson; as CSV, the lessons."""
    someone = caller()
    found = upstream().call(
        "analytics",
        "get_course_performance",
        course_id=catalogue.course_id(course, someone),
        viewer_id=someone.id,
        role=someone.role,
        **_range(query_data),
    )
    if not spreadsheets.is_wanted():
        return _as_json(models.Performance.model_validate(found))
    rows = ((step["lesson_id"], step["title"], step["completed"], step["drop_off"]) for step in found["funnel"])
    return spreadsheets.respond("performance", ("lesson-id", "title", "completed", "drop-off"), rows)


@blueprint.post("/instructors/me/refs")
@signed_in("instructor")
@blueprint.input(models.NewRef)
@blueprint.output(models.RefOut, status_code=201)
def create_ref(json_data: models.NewRef) -> Any:
    """Make a link for a video; what it brings shows up in your statistics."""
    return upstream().call("analytics", "create_ref", instructor_id=caller().id, target=json_data.target)


@blueprint.get("/instructors/me/refs")
@signed_in("instructor")
@blueprint.input(Page, location="query")
@blueprint.output(models.Refs)
def get_refs(query_data: Page) -> Any:
    """Your links, newest first."""
    return upstream().call("analytics", "get_refs", instructor_id=caller().id, **query_data.model_dump())


def _range(query: models.RangeQuery) -> dict[str, Any]:
    """The range as analytics takes it. Raises `Invalid` for one that ends before it begins, or is too long."""
    if query.from_date is not None and query.to_date is not None:
        days = (date.fromisoformat(query.to_date) - date.fromisoformat(query.from_date)).days
        if days < 0:
            raise Invalid(errors=invalid("/to", "before-from"))
        if days > MAXIMUM_DAYS:
            raise Invalid(errors=invalid("/to", "range-too-long", maximum=MAXIMUM_DAYS))
    return query.model_dump()


def _as_json(figures: models.Stats | models.Performance) -> Response:
    response = Response(to_json(figures), content_type="application/json")
    response.vary.add("Accept")
    return response
