"""The kinds of notifications, and by which ways each reaches people unless they wish otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Channels:
    """Whether a kind lies in the inbox (and on streams), and whether it comes by mail."""

    in_app: bool
    email: bool


DUEL_CHALLENGED = "duel_challenged"
DUEL_FINISHED = "duel_finished"
DUEL_DECLINED = "duel_declined"
DUEL_EXPIRED = "duel_expired"
STREAK_ENDANGERED = "streak_endangered"
STREAK_FROZEN = "streak_frozen"
STREAK_UNLOCKED = "streak_unlocked"
SQUAD_OF_THE_WEEK = "squad_of_the_week"
SQUAD_REMOVED = "squad_removed"
SQUAD_CAPTAIN = "squad_captain"
BADGE_AWARDED = "badge_awarded"
SYSTEM = "system"

KINDS = (
    DUEL_CHALLENGED,
    DUEL_FINISHED,
    DUEL_DECLINED,
    DUEL_EXPIRED,
    STREAK_ENDANGERED,
    STREAK_FROZEN,
    STREAK_UNLOCKED,
    SQUAD_OF_THE_WEEK,
    SQUAD_REMOVED,
    SQUAD_CAPTAIN,
    BADGE_AWARDED,
    SYSTEM,
)
_MAILED = frozenset({DUEL_CHALLENGED, STREAK_ENDANGERED, SQUAD_OF_THE_WEEK})

DEFAULTS: Mapping[str, Channels] = {kind: Channels(in_app=True, email=kind in _MAILED) for kind in KINDS}
"""Mails only for what somebody waits for, what is lost by morning, and what comes once a week."""
