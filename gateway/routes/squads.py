"""Squads, and the leaderboards of squads and students."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel

from contracts.errors import Invalid, NotFound
from gateway.auth import Caller, caller, optional_caller, signed_in
from gateway.cache import page
from gateway.catalogue import Seen, respond
from gateway.dependencies import people, upstream
from gateway.document import answers_also
from gateway.idempotency import request_id
from gateway.messages import asked_language
from gateway.models import squads as models
from gateway.names import refuse_blocked
from gateway.schemas import Empty, Page, to_json

blueprint = APIBlueprint("squads", __name__, url_prefix="/v1", tag="Gamification")


@blueprint.post("/squads")
@signed_in()
@blueprint.input(models.NewSquad)
@blueprint.output(models.SquadOut, status_code=201)
def create_squad(json_data: models.NewSquad) -> Any:
    """Make a squad, and be its captain; instructors and admins may make an official one instead."""
    someone = caller()
    _refuse_blocked(json_data.model_dump(), someone)
    made = _game(
        "create_squad",
        squad_id=request_id(request, someone.id),
        user_id=someone.id,
        role=someone.role,
        **json_data.model_dump(),
    )
    return _with_captains([made])[0], 201, {"Location": f"/v1/squads/{made['id']}"}


@blueprint.get("/squads")
@blueprint.input(models.SquadsQuery, location="query")
@blueprint.output(models.Squads)
@answers_also(304)
def list_squads(query_data: models.SquadsQuery) -> Response:
    """The squads that there are, by name."""
    found = _game("list_squads", **query_data.model_dump())
    return _public(models.Squads, found | {"items": _with_captains(found["items"])})


@blueprint.get("/squads/of-the-week")
@blueprint.input(models.OfTheWeekQuery, location="query")
@blueprint.output(models.SquadOfTheWeek)
@answers_also(304)
def get_squad_of_the_week(query_data: models.OfTheWeekQuery) -> Response:
    """The squad of the week."""
    return _public(models.SquadOfTheWeek, _game("get_squad_of_the_week", week=query_data.week))


@blueprint.get("/squads/<uuid:squad_id>")
@blueprint.output(models.SquadOut)
@answers_also(304)
def get_squad(squad_id: UUID) -> Response:
    """A squad."""
    return _public(models.SquadOut, _with_captains([_game("get_squad", squad_id=squad_id)])[0])


@blueprint.patch("/squads/<uuid:squad_id>")
@signed_in()
@blueprint.input(models.SquadChanges)
@blueprint.output(models.SquadOut)
def update_squad(squad_id: UUID, json_data: models.SquadChanges) -> Any:
    """Give your squad another name or motto."""
    someone = caller()
    changes = json_data.model_dump(exclude_unset=True)
    try:
        _refuse_blocked(changes, someone)
    except Invalid:
        # what stays as it was is not chosen now
        present = _present(squad_id)
        _refuse_blocked({name: text for name, text in changes.items() if text != present.get(name)}, someone)
    return _squad("update_squad", squad_id=squad_id, user_id=someone.id, role=someone.role, **changes)


@blueprint.get("/squads/<uuid:squad_id>/members")
@blueprint.input(Page, location="query")
@blueprint.output(models.SquadMembers)
@answers_also(304)
def get_squad_members(squad_id: UUID, query_data: Page) -> Response:
    """Who is in a squad."""
    found = _game("get_squad_members", squad_id=squad_id, **query_data.model_dump())
    names = _names(item["id"] for item in found["items"])
    items = [item | {"display_name": names[item["id"]]} for item in found["items"] if item["id"] in names]
    return _public(models.SquadMembers, found | {"items": items})


@blueprint.post("/squads/<uuid:squad_id>/join")
@signed_in()
@blueprint.output(models.SquadOut)
def join_squad(squad_id: UUID) -> Any:
    """Join a squad."""
    return _squad("join_squad", user_id=caller().id, squad_id=squad_id)


@blueprint.post("/squads/leave")
@signed_in()
@blueprint.output(Empty, status_code=204)
def leave_squad() -> Response:
    """Leave your squad; what you earned for it stays with it."""
    _game("leave_squad", user_id=caller().id)
    return Response(status=204)


@blueprint.post("/squads/<uuid:squad_id>/kick")
@signed_in()
@blueprint.input(models.MemberRef)
@blueprint.output(models.SquadOut)
def kick_member(squad_id: UUID, json_data: models.MemberRef) -> Any:
    """Remove a member from your squad, for a week at least."""
    return _squad("kick_member", captain_id=caller().id, squad_id=squad_id, user_id=json_data.user_id)


@blueprint.post("/squads/<uuid:squad_id>/captain")
@signed_in()
@blueprint.input(models.MemberRef)
@blueprint.output(models.SquadOut)
def hand_over_captaincy(squad_id: UUID, json_data: models.MemberRef) -> Any:
    """Make another member the captain of your squad."""
    return _squad("hand_over_captaincy", captain_id=caller().id, squad_id=squad_id, user_id=json_data.user_id)


@blueprint.get("/leaderboards/squads")
@blueprint.input(models.SquadLeaderboardQuery, location="query")
@blueprint.output(models.Leaderboard)
@answers_also(304)
def get_squad_leaderboard(query_data: models.SquadLeaderboardQuery) -> Response:
    """The squads with the most XP, and where yours stands."""
    return _leaderboard(_board("get_squad_leaderboard", query_data))


@blueprint.get("/leaderboards/students")
@blueprint.input(models.LeaderboardQuery, location="query")
@blueprint.output(models.Leaderboard)
@answers_also(304)
def get_student_leaderboard(query_data: models.LeaderboardQuery) -> Response:
    """The students with the most XP, and where you stand."""
    found = _board("get_student_leaderboard", query_data)
    names = _names(item["id"] for item in found["items"])
    items = [item | {"name": names[item["id"]]} for item in found["items"] if item["id"] in names]
    return _leaderboard(found | {"items": items})


def _refuse_blocked(texts: dict[str, Any], someone: Caller) -> None:
    """Raise `Invalid` for a name or motto that nobody may choose."""
    for name in texts.keys() & {"name", "motto"}:
        refuse_blocked(f"/{name}", texts[name], someone.role)


def _present(squad_id: UUID) -> dict[str, Any]:
    """The squad as it is; nothing of one that is hidden or not there."""
    try:
        return _game("get_squad", squad_id=squad_id)
    except NotFound:
        return {}


def _game(method: str, **arguments: Any) -> Any:
    return upstream().call("gamification", method, **arguments)


def _squad(method: str, **arguments: Any) -> Any:
    return _with_captains([_game(method, **arguments)])[0]


def _board(method: str, query: models.LeaderboardQuery) -> Any:
    someone = optional_caller()
    return _game(method, user_id=someone.id if someone else None, **query.model_dump())


def _leaderboard(found: Any) -> Response:
    return _shown(models.Leaderboard, found, public=optional_caller() is None)


def _public(model: type[BaseModel], found: Any) -> Response:
    return _shown(model, found, public=True)


def _shown(model: type[BaseModel], found: Any, *, public: bool) -> Response:
    response = respond(Seen(page(to_json(model.model_validate(found)), ()), public))
    # pseudonyms are in the reader's language
    response.headers["Content-Language"] = asked_language()
    response.vary.add("Accept-Language")
    return response


def _with_captains(found: list[Any]) -> list[Any]:
    names = _names(squad["captain_id"] for squad in found if squad["captain_id"])
    return [
        squad | {"captain": {"id": captain, "display_name": names[captain]} if captain in names else None}
        for squad in found
        for captain in [squad["captain_id"]]
    ]


def _names(ids: Iterable[str]) -> dict[str, str]:
    """The names under which these people appear to everybody, by their ids; none for the erased."""
    known = people().by_ids(map(UUID, ids))
    return {str(user_id): person.public_name(asked_language()) for user_id, person in known.items()}
