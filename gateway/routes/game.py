"""The game: XP, level, points, streak and what they were earned with."""

from typing import Any

from apiflask import APIBlueprint

from gateway.auth import caller, signed_in
from gateway.dependencies import upstream
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
