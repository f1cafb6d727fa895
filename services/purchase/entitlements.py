"""Granting and ending rights to courses; every change is told in its transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import UnitOfWork
from contracts.events.purchase import EntitlementChanged, Source
from services.purchase.tables import entitlements


def grant(
    unit_of_work: UnitOfWork,
    user_id: UUID,
    course_id: UUID,
    source: Source,
    granted_at: datetime,
    *,
    entitlement_id: UUID | None = None,
    **details: Any,
) -> UUID | None:
    """Give someone a new right, and return its id; None when they have a live one from this source already."""
    row = unit_of_work.connection.execute(
        insert(entitlements)
        .values(
            entitlement_id=entitlement_id or uuid4(),
            sequence=1,
            user_id=user_id,
            course_id=course_id,
            source=source,
            granted_at=granted_at,
            live=True,
            **details,
        )
        .on_conflict_do_nothing()
        .returning(entitlements)
    ).first()
    if row is None:
        return None
    _tell(unit_of_work, row)
    granted: UUID = row.entitlement_id
    return granted


def end(unit_of_work: UnitOfWork, at: datetime, *which: ColumnElement[bool]) -> bool:
    """End those of the live rights; whether there was any."""
    return _change(unit_of_work, entitlements.c.live, *which, live=False, ended_at=at)


def revive(unit_of_work: UnitOfWork, *which: ColumnElement[bool]) -> bool:
    """Let those of the ended rights live again; whether there was any."""
    return _change(unit_of_work, ~entitlements.c.live, *which, live=True, ended_at=None)


def _change(unit_of_work: UnitOfWork, *which: ColumnElement[bool], **values: Any) -> bool:
    rows = unit_of_work.connection.execute(
        update(entitlements)
        .where(*which)
        .values(sequence=entitlements.c.sequence + 1, **values)
        .returning(entitlements)
    ).all()
    for row in rows:
        _tell(unit_of_work, row)
    return bool(rows)


def changed(row: Row[Any]) -> EntitlementChanged:
    """The whole state of a right, as it is told."""
    return EntitlementChanged(
        entitlement_id=row.entitlement_id,
        user_id=row.user_id,
        course_id=row.course_id,
        source=row.source,
        live=row.live,
        granted_at=row.granted_at,
        ended_at=row.ended_at,
    )


def _tell(unit_of_work: UnitOfWork, row: Row[Any]) -> None:
    unit_of_work.tell(changed(row), sequence=row.sequence)
