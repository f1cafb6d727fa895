"""The game: XP, level, points, streak, badges, and what they were earned with."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from contracts.errors import NotFound
from gateway.auth import caller, signed_in
from gateway.badges import with_badge_names
from gateway.cache import page
from gateway.dependencies import people, upstream
from gateway.document import answers_also
from gateway.etags import shared_response
from gateway.idempotency import request_id
from gateway.messages import asked_language, say
from gateway.models import game as models
from gateway.schemas import Page, to_json

blueprint = APIBlueprint("game", __name__, url_prefix="/v1", tag="Gamification")


@blueprint.get("/me/game")
@signed_in()
@blueprint.output(models.Game)
def get_game() -> Any:
    """Where you stand in the game."""
    someone = caller()
    found = upstream().call("gamification", "get_game", user_id=someone.id, time_zone=someone.time_zone)
    return with_badge_names(found, asked_language())


@blueprint.patch("/me/game")
@signed_in()
@blueprint.input(models.GameChanges)
@blueprint.output(models.Game)
def change_game(json_data: models.GameChanges) -> Any:
    """Stay off the leaderboards and without a public profile, or be seen again."""
    someone = caller()
    changed = upstream().call(
        "gamification",
        "set_leaderboard_opt_out",
        user_id=someone.id,
        time_zone=someone.time_zone,
        **json_data.model_dump(),
    )
    return with_badge_names(changed, asked_language())


@blueprint.get("/students/<uuid:user_id>")
@blueprint.output(models.Student)
@answers_also(304)
def get_student(user_id: UUID) -> Response:
    """What everybody may see of a student; nothing of who has opted out."""
    person = people().by_id(user_id)
    if person is None or person.role != "student":
        raise NotFound()
    profile = with_badge_names(upstream().call("gamification", "get_student", user_id=user_id), asked_language())
    student = page(to_json(models.Student.model_validate(profile | person.public_card(asked_language()))), ())
    response = shared_response(student.body, student.etag)
    response.headers["Content-Language"] = asked_language()
    response.vary.add("Accept-Language")
    return response


@blueprint.get("/me/ledger")
@signed_in()
@blueprint.input(Page, location="query")
@blueprint.output(models.Ledger)
def get_ledger(query_data: Page) -> Any:
    """What gave you XP and points, newest first."""
    return upstream().call("gamification", "get_ledger", user_id=caller().id, **query_data.model_dump())


@blueprint.get("/shop")
@signed_in()
@blueprint.output(models.Shop)
def get_shop() -> Any:
    """What your points buy, and how many of it you have."""
    someone = caller()
    answer = upstream().call("gamification", "get_shop", user_id=someone.id, time_zone=someone.time_zone)
    items = [item | {"name": say(f"item.{item['code']}", asked_language())} for item in answer["items"]]
    return {"items": items}


@blueprint.post("/shop/purchases")
@signed_in()
@blueprint.input(models.NewPurchase)
@blueprint.output(models.Purchase, status_code=201)
def purchase_item(json_data: models.NewPurchase) -> Any:
    """Spend points."""
    someone = caller()
    asked = request_id(request, someone.id)
    return upstream().call(
        "gamification",
        "purchase_item",
        user_id=someone.id,
        request_id=asked,
        time_zone=someone.time_zone,
        **json_data.model_dump(),
    )
