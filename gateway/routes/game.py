"""The game: XP, level, points, streak and what they were earned with."""

from typing import Any

from apiflask import APIBlueprint
from flask import request

from gateway.auth import caller, signed_in
from gateway.dependencies import upstream
from gateway.idempotency import request_id
from gateway.messages import asked_language, say
from gateway.models import game as models
from gateway.schemas import Page

blueprint = APIBlueprint("game", __name__, url_prefix="/v1", tag="Gamification")


@blueprint.get("/me/game")
@signed_in()
@blueprint.output(models.Game)
def get_game() -> Any:
    """Where you stand in the game."""
    someone = caller()
    return upstream().call("gamification", "get_game", user_id=someone.id, time_zone=someone.time_zone)


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
