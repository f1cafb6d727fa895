"""Squads and leaderboards on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from gateway.schemas import In, Line, Out, Page

SquadName = Annotated[Line, Field(min_length=3, max_length=30)]
Motto = Annotated[Line, Field(max_length=140)]
Week = Annotated[str, Field(max_length=10)]


class NewSquad(In):
    """A squad to be made; an `official` one is made by instructors and admins, and joined by nobody at first."""

    name: SquadName
    motto: Motto = ""
    official: bool = False


class SquadChanges(In):
    """What its captain changes of a squad; what is not named stays."""

    name: SquadName = Field(default_factory=str)
    motto: Motto = Field(default_factory=str)


class MemberRef(In):
    """A member of the captain's squad."""

    user_id: UUID


class PersonOut(Out):
    """Someone as everybody may see them."""

    id: UUID
    display_name: str


class SquadOut(Out):
    """A squad; an official one has no captain."""

    id: UUID
    name: str
    motto: str
    members: int
    captain: PersonOut | None
    official: bool
    week_score: int
    total_score: int


class SquadsQuery(Page):
    """A list of squads, by name; `q` is a part of it."""

    q: Annotated[str, Field(min_length=1, max_length=30)] | None = None


class Squads(Out):
    """A page of squads."""

    items: list[SquadOut]
    next_cursor: str | None


class SquadMember(Out):
    """Someone in a squad."""

    id: UUID
    display_name: str
    joined_at: datetime
    captain: bool


class SquadMembers(Out):
    """A page of a squad's members, the oldest first."""

    items: list[SquadMember]
    next_cursor: str | None


class OfTheWeekQuery(In):
    """An ISO week such as `2026-W47`; by default the last that ended."""

    week: Week | None = None


class WinningSquad(Out):
    """The squad of a week; so many `members` earned its score."""

    id: UUID
    name: str
    score: int
    members: int


class SquadOfTheWeek(Out):
    """A week and its squad, if there is one (yet)."""

    week: str
    squad: WinningSquad | None


class LeaderboardQuery(Page):
    """An ISO week such as `2026-W47`, or `all` for all time; by default this week."""

    week: Week | None = None


class SquadLeaderboardQuery(LeaderboardQuery):
    """The same, of the squads that students make or of the official ones."""

    league: Literal["squads", "official"] = "squads"


class Place(Out):
    """A line of a leaderboard."""

    rank: int
    id: UUID
    name: str
    score: int


class Standing(Out):
    """Where you stand, or your squad; without a rank who has no XP in that time or is not listed."""

    rank: int | None
    score: int


class Leaderboard(Out):
    """A page of a leaderboard, best first; `me` only for who is logged in."""

    items: list[Place]
    next_cursor: str | None
    me: Standing | None
