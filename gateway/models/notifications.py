"""Notifications and what streams tell, on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, RootModel

from gateway.schemas import In, Out, Page, optional


def _flag(value: Any) -> Any:
    return True if value == "" else value


class InboxQuery(Page):
    """Which notifications are asked for; `?unread` alone says yes."""

    unread: Annotated[bool, BeforeValidator(_flag)] = False


class Notification(Out):
    """Something that someone was told, in their language; `link` leads into the front end."""

    id: UUID
    kind: str
    title: str
    body: str
    link: str
    created_at: datetime
    read_at: datetime | None


class Inbox(Out):
    """A page of someone's notifications, newest first, and how many of all are unread."""

    items: list[Notification]
    next_cursor: str | None
    unread: int


class ChannelsIn(In):
    """By which ways a kind shall reach someone; what is left out stays."""

    in_app: bool = optional()
    email: bool = optional()


class SettingsIn(RootModel[dict[Annotated[str, Field(max_length=64)], ChannelsIn]]):
    """The kinds that someone changes."""

    model_config = ConfigDict(frozen=True)


class Channels(Out):
    """By which ways a kind reaches someone."""

    in_app: bool
    email: bool


class Settings(RootModel[dict[str, Channels]]):
    """By which ways each kind reaches someone."""


class StreamTicket(Out):
    """What opens one stream within `expires_in` seconds."""

    ticket: str
    expires_in: int


class StreamQuery(In):
    """How a stream is opened by who can send no headers; a `Last-Event-ID` in the headers goes first."""

    ticket: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    last_event_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class Player(Out):
    """Who plays in a duel."""

    id: UUID
    display_name: str


class LiveDuel(Out):
    """What a stream tells of a duel: who plays, and how it stands, never a score."""

    id: UUID
    chapter_id: UUID
    course_id: UUID
    mode: Literal["live", "link"]
    state: Literal["open", "playing", "finished", "void"]
    players: list[Player]
    winner_id: UUID | None
    points_moved: int
    void_reason: Literal["declined", "expired"] | None
    expires_at: datetime
