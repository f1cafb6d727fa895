"""Moderation: people report what should not be public, admins hide it or say that it may stay."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from contracts.errors import NotFound
from gateway import moderation, rates
from gateway.auth import caller, signed_in
from gateway.cache import person_tag
from gateway.dependencies import Parts, pages, parts, people, upstream
from gateway.models import moderation as models
from gateway.moderation import Item, Report, Reported
from gateway.schemas import Empty

blueprint = APIBlueprint("moderation", __name__, url_prefix="/v1", tag="Moderation")


def _challenger(duel_id: UUID) -> Item:
    return Item("student", UUID(upstream().call("gamification", "get_challenger", duel_id=duel_id)["user_id"]))


_ITEMS: dict[str, Callable[[UUID], Item]] = {
    "student": lambda user_id: Item("student", user_id),
    "squad": lambda squad_id: Item("squad", squad_id),
    "duel": _challenger,
}
"""What is meant by an id of each kind that can be named; the name on a duel is its challenger's."""


def _shown_of_student(user_id: UUID) -> str:
    person = people().by_id(user_id)
    if person is None or person.role != "student":
        raise NotFound
    return person.display_name


def _shown_of_squad(squad_id: UUID) -> str:
    squad = upstream().call("gamification", "get_squad", squad_id=squad_id)
    return f"{squad['name']}\n{squad['motto'] or ''}".strip()


_SHOWN: dict[moderation.Kind, Callable[[UUID], str]] = {"student": _shown_of_student, "squad": _shown_of_squad}
"""What is to be read of an item of each kind. They raise `NotFound` where there is none."""


@blueprint.post("/reports")
@signed_in()
@blueprint.input(models.NewReport)
@blueprint.output(Empty, status_code=202)
def report(json_data: models.NewReport) -> Response:
    """Report something that should not be public; again, while the first is open, changes nothing."""
    own = parts()
    own.rates.spend(rates.REPORTS, str(caller().id))
    item = _ITEMS[json_data.kind](json_data.id)
    given = Report(caller().id, json_data.reason, _SHOWN[item.kind](item.id), own.now())
    with own.database.unit_of_work() as unit_of_work:
        moderation.report(unit_of_work, item, given)
    return Response("{}", status=202, content_type="application/json")


@blueprint.get("/admin/reports")
@signed_in("admin")
@blueprint.input(models.ReportsQuery, location="query")
@blueprint.output(models.ReportedItems)
def list_reports(query_data: models.ReportsQuery) -> dict[str, Any]:
    """What was reported, by item: still open, or already decided on."""
    with parts().database.single_statement() as unit_of_work:
        found, cursor = moderation.reported_page(unit_of_work.connection, **query_data.model_dump())
    reporters = people().by_ids(report.reporter_id for reported in found for report in reported.latest)
    names = {user_id: person.display_name for user_id, person in reporters.items()}
    return {"items": [_members(reported, query_data.state, names) for reported in found], "next_cursor": cursor}


@blueprint.post("/admin/hidden")
@signed_in("admin")
@blueprint.input(models.Item)
@blueprint.output(models.HiddenItem, status_code=201)
def hide(json_data: models.Item) -> dict[str, Any]:
    """Hide something from every public page; what was reported about it is thereby decided on."""
    own = parts()
    item = _ITEMS[json_data.kind](json_data.id)
    _let_owner_know(item, hidden=True)
    with own.database.unit_of_work() as unit_of_work:
        hidden_at = moderation.hide(unit_of_work, item, caller().id, own.now())
    _forget(own, item)
    return {"kind": item.kind, "id": item.id, "hidden_at": hidden_at}


@blueprint.delete("/admin/hidden/<kind>/<uuid:item_id>")
@signed_in("admin")
@blueprint.output(Empty, status_code=204)
def show(kind: str, item_id: UUID) -> Response:
    """Show something again, or decide that it may stay."""
    own = parts()
    if kind not in _ITEMS:
        raise NotFound
    item = _ITEMS[kind](item_id)
    _let_owner_know(item, hidden=False)
    with own.database.unit_of_work() as unit_of_work:
        moderation.show(unit_of_work, item, own.now())
    _forget(own, item)
    return Response(status=204)


def _let_owner_know(item: Item, *, hidden: bool) -> None:
    """Before it is noted here: the admin who is told of a failure does it again, and both may be done twice."""
    if item.kind == "squad":
        upstream().call("gamification", "hide_squad", squad_id=item.id, hidden=hidden)


def _forget(own: Parts, item: Item) -> None:
    """Drop what this process keeps; the others hear the event."""
    if item.kind == "student":
        own.people.drop(item.id)
        pages().drop((person_tag(item.id),))


def _members(reported: Reported, state: str, names: dict[UUID, str]) -> dict[str, Any]:
    return {
        "kind": reported.item.kind,
        "id": reported.item.id,
        "state": state,
        "hidden": reported.is_hidden,
        "count": reported.count,
        "first_reported_at": reported.first_at,
        "last_reported_at": reported.last_at,
        "reports": [
            {
                "reporter": {"id": report.reporter_id, "display_name": names.get(report.reporter_id, "")},
                "reason": report.reason,
                "shown": report.shown,
                "created_at": report.created_at,
            }
            for report in reported.latest
        ],
    }
