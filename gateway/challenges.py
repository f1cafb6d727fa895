"""A shared challenge as everybody may see it: read from the game, with the challenger's public name."""

import re
from typing import Any
from uuid import UUID

from contracts.errors import NotFound
from gateway.dependencies import people, upstream
from gateway.messages import Language

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch


def read(token: str, language: Language) -> dict[str, Any]:
    """The challenge, with its challenger's public name in that language.

    Raises `NotFound` when there is none, or nobody any more who challenges.
    """
    found = upstream().call("gamification", "get_challenge", token=checked(token))
    challenger = people().by_id(UUID(found.pop("challenger_id")))
    if challenger is None:
        raise NotFound
    return found | {"challenger": challenger.public_card(language)}


def checked(token: str) -> str:
    """The token, if it can be one. Raises `NotFound`."""
    if not _TOKEN(token):
        raise NotFound
    return token


def address(base_url: str, token: str) -> str:
    """Where a challenge is: the page to be shared under our own address, and playing it under the front end's."""
    return f"{base_url.rstrip('/')}/challenges/{token}"
