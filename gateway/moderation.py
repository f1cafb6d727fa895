"""Reports, and what admins decide on them. A decision, to hide or to show, settles all that is open about the item."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.cursors import read_cursor, write_cursor
from chassis.database import UnitOfWork
from contracts.errors import NotFound
from contracts.events.base import Instant
from gateway.handlers import retell_account
from gateway.tables import hidden_items, reports

Kind = Literal["student", "squad"]
State = Literal["open", "handled"]

REPORTS_SHOWN = 20
"""Of one item, the latest."""


@dataclass(frozen=True)
class Item:
    """What can be reported and hidden: a student's display name, or a squad's name and motto."""

    kind: Kind
    id: UUID


@dataclass(frozen=True)
class Report:
    """What someone reported; `shown` is what was to be read then."""

    reporter_id: UUID
    reason: str
    shown: str
    created_at: datetime


@dataclass(frozen=True)
class Reported:
    """An item with the latest reports about it, and how many there are."""

    item: Item
    is_hidden: bool
    count: int
    first_at: datetime
    last_at: datetime
    latest: tuple[Report, ...]


def report(unit_of_work: UnitOfWork, item: Item, given: Report) -> None:
    """Keep the report, unless the same person's about the same item is still open."""
    unit_of_work.connection.execute(
        insert(reports)
        .values(
            id=uuid4(),
            kind=item.kind,
            item_id=item.id,
            reporter_id=given.reporter_id,
            reason=given.reason,
            shown=given.shown,
            created_at=given.created_at,
        )
        .on_conflict_do_nothing(
            index_elements=[reports.c.kind, reports.c.item_id, reports.c.reporter_id],
            index_where=reports.c.handled_at.is_(None),
        )
    )


def hide(unit_of_work: UnitOfWork, item: Item, admin_id: UUID, now: datetime) -> datetime:
    """Note that the item is hidden; since when it is.

    A student's name thereby leaves every public page. Raises `NotFound` where there is no such student.
    """
    if item.kind == "student" and retell_account(unit_of_work, item.id).role != "student":
        raise NotFound
    unit_of_work.connection.execute(
        insert(hidden_items)
        .values(kind=item.kind, item_id=item.id, hidden_by=admin_id, hidden_at=now)
        .on_conflict_do_nothing()
    )
    _settle(unit_of_work, item, now)
    return unit_of_work.connection.execute(select(hidden_items.c.hidden_at).where(_is_hidden(item))).scalar_one()


def show(unit_of_work: UnitOfWork, item: Item, now: datetime) -> None:
    """Note that the item may be seen, whether it was hidden, only reported, or is gone by now."""
    if item.kind == "student":
        with suppress(NotFound):
            retell_account(unit_of_work, item.id)
    unit_of_work.connection.execute(delete(hidden_items).where(_is_hidden(item)))
    _settle(unit_of_work, item, now)


def _is_hidden(item: Item) -> ColumnElement[bool]:
    return and_(hidden_items.c.kind == item.kind, hidden_items.c.item_id == item.id)


def _settle(unit_of_work: UnitOfWork, item: Item, now: datetime) -> None:
    unit_of_work.connection.execute(
        update(reports)
        .where(reports.c.kind == item.kind, reports.c.item_id == item.id, reports.c.handled_at.is_(None))
        .values(handled_at=now)
    )


_PAGE = text(
    "with items as ("
    "select kind, item_id, count(*) as total, min(created_at) as first_at, max(created_at) as last_at from reports "
    "where (handled_at is null) = :is_open group by kind, item_id "
    "having cast(:at as timestamptz) is null "
    "or (min(created_at), kind, item_id) < (cast(:at as timestamptz), cast(:kind as text), cast(:item_id as uuid)) "
    "order by first_at desc, kind desc, item_id desc limit :limit"
    ") select items.*, report.*, exists (select from hidden_items "
    "where hidden_items.kind = items.kind and hidden_items.item_id = items.item_id) as is_hidden "
    "from items cross join lateral (select reporter_id, reason, shown, created_at from reports "
    "where reports.kind = items.kind and reports.item_id = items.item_id and (handled_at is null) = :is_open "
    "order by created_at desc, id limit :shown) as report "
    "order by first_at desc, kind desc, item_id desc, created_at desc"
)


def reported_page(
    connection: Connection, state: State, limit: int, cursor: str | None
) -> tuple[list[Reported], str | None]:
    """What was reported, by the first report in this state, the latest first; and the cursor of the next page.

    Raises `Invalid` when the cursor is none of ours.
    """
    after = (None, None, None) if cursor is None else read_cursor(cursor, tuple[Instant, Kind, UUID])
    position = dict(zip(("at", "kind", "item_id"), after, strict=True))
    found = []
    rows = connection.execute(
        _PAGE, {**position, "is_open": state == "open", "limit": limit + 1, "shown": REPORTS_SHOWN}
    )
    for (kind, item_id), of_item in groupby(rows, lambda row: (row.kind, row.item_id)):
        latest = list(of_item)
        first = latest[0]
        told = tuple(Report(row.reporter_id, row.reason, row.shown, row.created_at) for row in latest)
        found.append(Reported(Item(kind, item_id), first.is_hidden, first.total, first.first_at, first.last_at, told))
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], write_cursor((last.first_at, last.item.kind, last.item.id))
