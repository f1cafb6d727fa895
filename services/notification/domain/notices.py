"""Which happening makes which notification, for whom, and until when it is of any use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from services.notification.domain import kinds


@dataclass(frozen=True)
class Notice:
    """What somebody is to be told. `key` tells it from all others of its kind: what was told is not told again.

    `message` names the words, `parameters` are numbers, people's ids and badges' codes for them, `link` is a path in
    the front end.
    """

    user_id: UUID
    kind: str
    key: str
    message: str
    link: str
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    useless_after: datetime | None = None

    def is_useless(self, now: datetime) -> bool:
        """Whether it comes too late."""
        return self.useless_after is not None and self.useless_after <= now


@dataclass(frozen=True)
class Duel:
    """A duel in its newest state; without an opponent nobody has taken its link yet."""

    duel_id: UUID
    mode: Literal["live", "link"]
    state: Literal["open", "playing", "finished", "void"]
    challenger_id: UUID
    opponent_id: UUID | None
    expires_at: datetime
    winner_id: UUID | None = None
    points_moved: int = 0
    void_reason: Literal["declined", "expired"] | None = None


def of_duel(duel: Duel) -> list[Notice]:
    """A live challenge for the rival, an end for both players, a refusal for the challenger.

    Who has played alone, to share the challenge as a link, knows that already, and need not know who took it up without
    playing: that may be anybody, and many.
    """
    match duel.state, duel.void_reason:
        # of one that is begun at once, only that may be heard
        case "open" | "playing", _ if duel.mode == "live" and duel.opponent_id is not None:
            return [_of_duel(duel, duel.opponent_id, kinds.DUEL_CHALLENGED, useless_after=duel.expires_at)]
        case "finished", _ if duel.opponent_id is not None:
            return [
                _of_duel(duel, player, kinds.DUEL_FINISHED, _result(duel, player), _stake(duel))
                for player in _players(duel)
            ]
        case "void", "declined":
            return [_of_duel(duel, duel.challenger_id, kinds.DUEL_DECLINED)]
        case "void", "expired" if duel.mode == "link" and duel.opponent_id is not None:
            return [_of_duel(duel, duel.opponent_id, kinds.DUEL_EXPIRED, "")]
        case "void", "expired":
            ended = "" if duel.opponent_id else "alone"
            return [_of_duel(duel, player, kinds.DUEL_EXPIRED, ended) for player in _players(duel)]
        case _:
            return []


def of_endangered_streak(user_id: UUID, local_date: date, days: int, dies_at: datetime) -> Notice:
    """A streak goes out at `dies_at`; after that there is nothing to warn of."""
    return Notice(
        user_id,
        kinds.STREAK_ENDANGERED,
        local_date.isoformat(),
        kinds.STREAK_ENDANGERED,
        "/",
        {"days": days},
        useless_after=dies_at,
    )


def of_frozen_streak(user_id: UUID, local_date: date, days: int, freezes: int) -> Notice:
    """A freeze was used."""
    parameters = {"days": days, "freezes": freezes}
    return Notice(user_id, kinds.STREAK_FROZEN, local_date.isoformat(), kinds.STREAK_FROZEN, "/", parameters)


def of_unlocked_course(user_id: UUID, course_id: UUID, days: int) -> Notice:
    """A streak opened a bonus course."""
    link = f"/courses/{course_id}"
    return Notice(user_id, kinds.STREAK_UNLOCKED, str(course_id), kinds.STREAK_UNLOCKED, link, {"days": days})


def of_squad_of_the_week(week: str, squad_id: UUID, score: int, member_ids: Sequence[UUID]) -> list[Notice]:
    """A squad won its week: each who earned for it is told."""
    link, parameters = f"/squads/{squad_id}", {"score": score}
    return [
        Notice(member, kinds.SQUAD_OF_THE_WEEK, week, kinds.SQUAD_OF_THE_WEEK, link, parameters)
        for member in member_ids
    ]


def of_removed_member(user_id: UUID, membership_id: UUID) -> Notice:
    """A captain removed somebody."""
    return Notice(user_id, kinds.SQUAD_REMOVED, str(membership_id), kinds.SQUAD_REMOVED, "/squads")


def of_new_captain(captain_id: UUID, squad_id: UUID, changed_at: datetime) -> Notice:
    """Somebody leads a squad now; they may do so again later."""
    key = f"{squad_id} {changed_at.isoformat()}"
    return Notice(captain_id, kinds.SQUAD_CAPTAIN, key, kinds.SQUAD_CAPTAIN, f"/squads/{squad_id}")


def of_badge(user_id: UUID, code: str, reason: str) -> Notice:
    """Somebody earned a badge, for this reason once."""
    return Notice(user_id, kinds.BADGE_AWARDED, f"{code} {reason}", kinds.BADGE_AWARDED, "/me", {"badge": code})


def of_level(user_id: UUID, level: int) -> Notice:
    """Somebody reached a level."""
    return Notice(user_id, kinds.SYSTEM, f"level {level}", "level_reached", "/", {"level": level})


def _of_duel(
    duel: Duel,
    player: UUID,
    kind: str,
    variant: str = "",
    numbers: Mapping[str, int] | None = None,
    useless_after: datetime | None = None,
) -> Notice:
    rival = duel.opponent_id if player == duel.challenger_id else duel.challenger_id
    message = f"{kind}.{variant}" if variant else kind
    parameters: dict[str, int | str] = dict(numbers or {})
    if rival is not None:
        parameters["rival"] = str(rival)
    return Notice(player, kind, str(duel.duel_id), message, f"/duels/{duel.duel_id}", parameters, useless_after)


def _players(duel: Duel) -> list[UUID]:
    return [duel.challenger_id, *([duel.opponent_id] if duel.opponent_id else [])]


def _result(duel: Duel, player: UUID) -> str:
    if duel.winner_id is None:
        return "draw"
    result = "won" if duel.winner_id == player else "lost"
    return result if duel.points_moved else f"{result}.honour"


def _stake(duel: Duel) -> dict[str, int]:
    return {"points": duel.points_moved} if duel.points_moved else {}
