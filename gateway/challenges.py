"""A shared challenge as everybody may see it: read from the game, with the challenger's public name."""

import re
from uuid import UUID

from contracts.errors import NotFound
from gateway.cache import Page, course_tag, page, person_tag
from gateway.dependencies import pages, people, upstream
from gateway.messages import Language
from gateway.models.duels import Challenge
from gateway.schemas import to_json
from gateway.upstream import remaining

FRESH_SECONDS = 5.0
"""The gateway may hear of a changed course before the game does, and no event tells when that has heard of it too."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch


def read(token: str, language: Language) -> Page:
    """The challenge as JSON, with its challenger's public name in that language; kept, since a shared link may spread.

    Raises `NotFound` when there is none, or nobody any more who challenges.
    """
    key = ("challenge", checked(token), language)
    return pages().read(key, lambda: _load(token, language), remaining, fresh=FRESH_SECONDS)


def _load(token: str, language: Language) -> Page:
    found = upstream().call("gamification", "get_challenge", token=token)
    challenger = people().by_id(UUID(found.pop("challenger_id")))
    if challenger is None:
        raise NotFound
    body = to_json(Challenge.model_validate(found | {"challenger": challenger.public_card(language)}))
    return page(body, (course_tag(found["course"]["id"]), person_tag(challenger.id)))


def checked(token: str) -> str:
    """The token, if it can be one. Raises `NotFound`."""
    if not _TOKEN(token):
        raise NotFound
    return token


def address(base_url: str, token: str) -> str:
    """Where a challenge is: the page to be shared under our own address, and playing it under the front end's."""
    return f"{base_url.rstrip('/')}/challenges/{token}"
