"""The game on the wire."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from gateway.schemas import In, Out


class Level(Out):
    """A level and the XP between which it lies."""

    number: int
    xp_from: int
    xp_to: int


class Streak(Out):
    """Consecutive days of learning; until `alive_until` today may still be done."""

    current: int
    longest: int
    today_done: bool
    alive_until: datetime | None
    freezes: int
    freezes_max: int


class SquadStanding(Out):
    """Someone's squad and how it stands this week."""

    id: UUID
    name: str
    week_score: int
    rank: int | None


class Badge(Out):
    """A badge on a profile."""

    code: str
    name: str
    count: int
    earned_at: datetime


class Game(Out):
    """Where someone stands in the game."""

    xp: int
    level: Level
    points: int
    streak: Streak
    squad: SquadStanding | None
    badges: list[Badge]
    leaderboard_opt_out: bool


class GameChanges(In):
    """What people may decide about their part in the game: to be seen by others, or not."""

    leaderboard_opt_out: bool


class Student(Out):
    """What everybody may see of a student, who may appear under a pseudonym."""

    id: UUID
    display_name: str
    level: Level
    badges: list[Badge]
    squad: SquadStanding | None


class LedgerRow(Out):
    """XP and points that someone earned or spent, and what for."""

    at: datetime
    kind: Literal["lesson", "course", "duel_won", "duel_lost", "purchase"]
    xp: int
    points: int
    source: UUID


class Ledger(Out):
    """A page of someone's ledger, the newest first."""

    items: list[LedgerRow]
    next_cursor: str | None


class ShopItem(Out):
    """A thing for sale; at `max` owned no more are sold."""

    code: str
    name: str
    price_points: int
    owned: int
    max: int


class Shop(Out):
    """What points buy."""

    items: list[ShopItem]


class NewPurchase(In):
    """What to buy."""

    item: str = Field(max_length=40)


class Purchase(Out):
    """A thing that was bought, how many of it one has now, and the points left."""

    item: str
    owned: int
    points: int
