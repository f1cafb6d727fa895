"""Duels on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from gateway.schemas import In, Out, Page

_PAGE: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}
_PROBLEM: dict[str, Any] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

HTML: dict[int | str, Any] = {
    200: {"description": "The page", "content": _PAGE},
    404: {
        "description": "A page that says that there is no such challenge; a problem for what no link can be",
        "content": _PAGE | _PROBLEM,
    },
    503: {"description": "A page that says to come back in a moment", "content": _PAGE | _PROBLEM},
}
"""Answers that people read in a browser."""

PNG: dict[int | str, Any] = {
    200: {"description": "The picture", "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
}

AGAIN: dict[int | str, Any] = {
    200: {
        "description": "The same duel again",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Duel"}}},
    }
}


class OpponentsQuery(Page):
    """Whom to look for: `q` is a part of a name, in any case and with or without accents."""

    q: Annotated[str, Field(min_length=1, max_length=80)] | None = None


class Opponent(Out):
    """Someone who may be challenged."""

    id: UUID
    display_name: str


class Opponents(Out):
    """A page of those who may be challenged."""

    items: list[Opponent]
    next_cursor: str | None


class NewDuel(In):
    """A duel to be made: live against someone, or to be shared as a link."""

    mode: Literal["live", "link"]
    opponent_id: UUID | None = None


class Player(Out):
    """A player; the score is null until the run is over, and to the rival until both are."""

    id: UUID
    display_name: str
    score: int | None = Field(ge=0, le=1000)


class Duel(Out):
    """A duel as one of its players sees it; `points_held` is the stake that each has laid down meanwhile."""

    id: UUID
    chapter_id: UUID
    chapter_title: str | None
    course_id: UUID
    mode: Literal["live", "link"]
    state: Literal["open", "playing", "finished", "void"]
    void_reason: Literal["declined", "expired"] | None
    players: list[Player]
    winner_id: UUID | None
    points_moved: int
    points_held: int
    questions: int
    time_limit_seconds: int
    created_at: datetime
    expires_at: datetime
    share_url: str | None


class Duels(Out):
    """A page of someone's duels, the newest first."""

    items: list[Duel]
    next_cursor: str | None


class Question(Out):
    """A question, to be answered by `deadline`; the clock is the academy's."""

    index: int
    total: int
    text: str
    choices: list[str]
    deadline: datetime
    remaining_ms: int


class Answer(In):
    """An answer to the question that was served last; both count from 0."""

    index: int = Field(ge=0, le=1000)
    choice: int = Field(ge=0, le=1000)


class Verdict(Out):
    """What became of an answer; `score` is the run's so far, over all questions."""

    correct: bool
    right_choice: int
    points: int
    score: int


class Challenger(Out):
    """Who challenges everybody."""

    id: UUID
    display_name: str


class ChallengedCourse(Out):
    """The course of a challenge."""

    id: UUID
    slug: str
    title: str


class ChallengedChapter(Out):
    """The chapter of a challenge."""

    id: UUID
    title: str


class Challenge(Out):
    """A challenge as everybody may see it; it does not expire while its chapter is published."""

    challenger: Challenger
    course: ChallengedCourse
    chapter: ChallengedChapter
    score: int
    questions: int
    time_limit_seconds: int
    expires_at: datetime | None
