"""Duels: whom to challenge, playing question by question, and challenges that are shared as links."""

import unicodedata
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from contracts.errors import Invalid
from gateway import challenges
from gateway.auth import caller, signed_in
from gateway.dependencies import people, settings, upstream
from gateway.document import answers_also
from gateway.etags import shared_response
from gateway.idempotency import request_id
from gateway.messages import asked_language
from gateway.models import duels as models
from gateway.problems import invalid
from gateway.schemas import Page

blueprint = APIBlueprint("duels", __name__, url_prefix="/v1", tag="Gamification")


def _call(method: str, **arguments: Any) -> Any:
    return upstream().call("gamification", method, user_id=caller().id, **arguments)


@blueprint.get("/chapters/<uuid:chapter_id>/opponents")
@signed_in()
@blueprint.input(models.OpponentsQuery, location="query")
@blueprint.output(models.Opponents)
def get_opponents(chapter_id: UUID, query_data: models.OpponentsQuery) -> Any:
    """Whom you may want to challenge on a chapter: squad mates and past rivals who have access to it."""
    found = _call("get_opponents", chapter_id=chapter_id, role=caller().role)["items"]
    known = people().by_ids(UUID(one) for one in found)
    sought = _plain(query_data.q or "")
    cards = [known[UUID(one)].public_card(asked_language()) for one in found if UUID(one) in known]
    items = [card for card in cards if sought in _plain(card["display_name"])]
    start = _after(items, query_data.cursor)
    page = items[start : start + query_data.limit]
    return {"items": page, "next_cursor": page[-1]["id"] if start + len(page) < len(items) else None}


@blueprint.post("/chapters/<uuid:chapter_id>/duels")
@signed_in()
@blueprint.input(models.NewDuel)
@blueprint.output(models.Duel, status_code=201)
def create_duel(chapter_id: UUID, json_data: models.NewDuel) -> Any:
    """Challenge someone on a chapter's quiz, or play alone and share the link."""
    opponent = {}
    if json_data.opponent_id is not None:
        rival = people().by_id(json_data.opponent_id)
        if rival is None:
            raise Invalid(errors=invalid("/opponent_id", "unknown-person"))
        opponent = {"opponent_id": rival.id, "opponent_role": rival.role}
    made = _call(
        "create_duel",
        duel_id=request_id(request, caller().id),
        chapter_id=chapter_id,
        role=caller().role,
        mode=json_data.mode,
        **opponent,
    )
    return _shown([made])[0]


@blueprint.get("/me/duels")
@signed_in()
@blueprint.input(Page, location="query")
@blueprint.output(models.Duels)
def get_duels(query_data: Page) -> Any:
    """Your duels, newest first."""
    answer = _call("get_duels", **query_data.model_dump())
    return answer | {"items": _shown(answer["items"])}


@blueprint.get("/duels/<uuid:duel_id>")
@signed_in()
@blueprint.output(models.Duel)
def get_duel(duel_id: UUID) -> Any:
    """A duel, for its two players."""
    return _shown([_call("get_duel", duel_id=duel_id)])[0]


@blueprint.post("/duels/<uuid:duel_id>/decline")
@signed_in()
@blueprint.output(models.Duel)
def decline_duel(duel_id: UUID) -> Any:
    """Decline a duel that you have not begun; it is nobody's loss."""
    return _shown([_call("decline_duel", duel_id=duel_id)])[0]


@blueprint.post("/duels/<uuid:duel_id>/question")
@signed_in()
@blueprint.output(models.Question)
def serve_question(duel_id: UUID) -> Any:
    """Your next question, or the same again while it waits for your answer: its time runs on."""
    return _call("serve_question", duel_id=duel_id, time_zone=caller().time_zone)


@blueprint.post("/duels/<uuid:duel_id>/answer")
@signed_in()
@blueprint.input(models.Answer)
@blueprint.output(models.Verdict)
def answer_question(duel_id: UUID, json_data: models.Answer) -> Any:
    """Answer the question that was served last.

    A 409 `already-answered` says what became of the answer before: it is what a client needs that lost ours.
    """
    return _call("answer_question", duel_id=duel_id, time_zone=caller().time_zone, **json_data.model_dump())


@blueprint.get("/challenges/<token>")
@blueprint.output(models.Challenge)
@answers_also(304)
def get_challenge(token: str) -> Response:
    """A challenge that was shared: who challenges, on which chapter, and the score to beat."""
    shown = challenges.read(token, asked_language())
    response = shared_response(shown.body, shown.etag)
    response.headers["Content-Language"] = asked_language()
    response.vary.add("Accept-Language")
    return response


@blueprint.post("/challenges/<token>/accept")
@signed_in()
@blueprint.output(models.Duel, status_code=201)
@blueprint.doc(responses=models.AGAIN)
def accept_challenge(token: str) -> Any:
    """Accept a challenge, which needs no purchase; asking again gives the same duel."""
    accepted = _call("accept_challenge", token=challenges.checked(token))
    return _shown([accepted["duel"]])[0], 201 if accepted["created"] else 200


def _shown(duels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The duels with the names of their players, and where their challenges are shared."""
    known = people().by_ids(UUID(player["id"]) for duel in duels for player in duel["players"])

    def named(player: dict[str, Any]) -> dict[str, Any]:
        person = known.get(UUID(player["id"]))
        return player | {"display_name": person.public_name(asked_language()) if person else ""}

    public_url = settings().public_url
    return [
        duel
        | {
            "players": [named(player) for player in duel["players"]],
            "share_url": challenges.address(public_url, duel["token"]) if duel["token"] else None,
        }
        for duel in duels
    ]


def _after(items: list[dict[str, str]], cursor: str | None) -> int:
    if cursor is None:
        return 0
    ids = [item["id"] for item in items]
    if cursor not in ids:
        raise Invalid(errors=invalid("/cursor", "bad-cursor"))
    return ids.index(cursor) + 1


def _plain(name: str) -> str:
    """The name for comparisons: without case and accents."""
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in parts if not unicodedata.combining(character))
