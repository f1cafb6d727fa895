"""What people are told, as the notification service has it, with the names of people and badges."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from gateway.badges import badge_name
from gateway.messages import Language, say
from gateway.people import Person


class Names(Protocol):
    """What `gateway.people.People` knows of names."""

    def by_ids(self, ids: Iterable[UUID]) -> dict[UUID, Person]:
        """Those of the people that there are."""
        ...


def with_names(items: Sequence[Mapping[str, Any]], names: Names, language: Language) -> list[dict[str, Any]]:
    """The notifications with the public names of those whom they mention; who is nobody any more is "somebody".

    A badge is named in the title; the title of one that has no name yet stays as it is.
    """
    known = names.by_ids({UUID(person["id"]) for item in items for person in item["people"].values()})
    return [_with_names(item, known, language) for item in items]


def duel_for_stream(duel: Mapping[str, Any], names: Names, language: Language) -> dict[str, Any]:
    """A duel's state with its players' public names."""
    player_ids = [UUID(duel[role]) for role in ("challenger_id", "opponent_id") if duel[role] is not None]
    known = names.by_ids(player_ids)
    players = [
        {"id": player_id, "display_name": known[player_id].public_name(language) if player_id in known else ""}
        for player_id in player_ids
    ]
    return {**duel, "id": duel["duel_id"], "players": players}


def _with_names(item: Mapping[str, Any], known: Mapping[UUID, Person], language: Language) -> dict[str, Any]:
    shown = dict(item)
    for placeholder, person in item["people"].items():
        named = known.get(UUID(person["id"]))
        name = person["otherwise"] if named is None else named.public_name(language)
        for part in ("title", "body"):
            shown[part] = shown[part].replace(f"{{{placeholder}}}", name)
    # a notification service from before badges were named tells none
    if (code := item.get("badge")) and (badge := badge_name(code, language)):
        shown["title"] = say("notification.badge", language, {"badge": badge})
    return shown
