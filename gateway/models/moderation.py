"""Moderation on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from gateway.schemas import In, Out, Page

Kind = Literal["student", "squad", "duel"]


class NewReport(In):
    """Something that should not be public: a student's name, a squad's name or motto, the name on a duel."""

    kind: Kind
    id: UUID
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Item(In):
    """Something that is to be hidden."""

    kind: Kind
    id: UUID


class ReportsQuery(Page):
    """Which reports are asked for."""

    state: Literal["open", "handled"] = "open"


class Reporter(Out):
    """Who reported; without a name once the account is erased."""

    id: UUID
    display_name: str


class Report(Out):
    """What one person reported, with the words as they were shown then."""

    reporter: Reporter
    reason: str
    shown: str
    created_at: datetime


class ReportedItem(Out):
    """Something that was reported, how often, and the latest of the reports; a duel's name is its challenger's."""

    kind: Literal["student", "squad"]
    id: UUID
    state: Literal["open", "handled"]
    hidden: bool
    count: int
    first_reported_at: datetime
    last_reported_at: datetime
    reports: list[Report]


class ReportedItems(Out):
    """A page of what was reported, the latest first."""

    items: list[ReportedItem]
    next_cursor: str | None


class HiddenItem(Out):
    """Something hidden from every public page; a duel's name is its challenger's."""

    kind: Literal["student", "squad"]
    id: UUID
    hidden_at: datetime
