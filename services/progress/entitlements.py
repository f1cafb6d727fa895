"""The copy of purchase's entitlements: what is heard from its events, or asked of it before a refusal."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from chassis.database import Database
from chassis.rpc_client import Caller
from contracts.events.purchase import EntitlementChanged
from services.progress.completion import enroll
from services.progress.tables import entitlements

ANSWER_SECONDS = 1.0


class _Heard(msgspec.Struct, frozen=True):
    sequence: int
    entitlement: EntitlementChanged


class _CourseAccess(msgspec.Struct, frozen=True):
    entitlements: tuple[_Heard, ...]


class Entitlements:
    """Brings the copy up to purchase's current state. Never used inside a unit of work: it calls another service."""

    def __init__(self, database: Database, rpc: Caller) -> None:
        self._database = database
        self._rpc = rpc

    def refresh(self, user_id: UUID, course_id: UUID) -> None:
        """Ask purchase for someone's rights to a course. Raises `Unavailable` when it is silent."""
        answer: Any = self._rpc.call(
            "purchase", "check_course_access", deadline=ANSWER_SECONDS, user_id=user_id, course_id=course_id
        )
        known = msgspec.convert(answer, _CourseAccess).entitlements
        if known:
            with self._database.unit_of_work() as unit_of_work:
                keep_entitlements(unit_of_work.connection, [(one.entitlement, one.sequence) for one in known])


def keep_entitlements(connection: Connection, heard: Iterable[tuple[EntitlementChanged, int]]) -> None:
    """Copy the newest state heard of each right, rows locked by their ids; a live one makes the enrollment.

    An older state than the copy's changes nothing; one that ended stays as a tombstone.
    """
    newest: dict[UUID, tuple[EntitlementChanged, int]] = {}
    for entitlement, sequence in heard:
        known = newest.get(entitlement.entitlement_id)
        if known is None or known[1] < sequence:
            newest[entitlement.entitlement_id] = (entitlement, sequence)
    if not newest:
        return
    statement = insert(entitlements).values(
        [
            {
                "entitlement_id": entitlement.entitlement_id,
                "user_id": entitlement.user_id,
                "course_id": entitlement.course_id,
                "source": entitlement.source,
                "live": entitlement.live,
                "sequence": sequence,
                "granted_at": entitlement.granted_at,
            }
            for _, (entitlement, sequence) in sorted(newest.items())
        ]
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["entitlement_id"],
            set_={"live": statement.excluded.live, "sequence": statement.excluded.sequence},
            where=entitlements.c.sequence < statement.excluded.sequence,
        )
    )
    enroll(connection, [(one.user_id, one.course_id, one.granted_at) for one, _ in newest.values() if one.live])
