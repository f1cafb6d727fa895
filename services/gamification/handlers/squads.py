"""What happens to squads and their members.

The student's row is locked first, then the squad's: so nobody is in two squads, and no squad has a member too many.
Whoever takes a squad off the leaderboards keeps scores out of it meanwhile.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import IntegrityError

from chassis.database import UnitOfWork
from contracts.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from contracts.events.gamification import SquadCaptainChanged, SquadMemberRemoved
from services.gamification.domain import squads as rules
from services.gamification.domain.weeks import week_of
from services.gamification.leaderboards import keep_scores_out, relist
from services.gamification.squads_of_the_week import squad_was_listed_or_not
from services.gamification.students import lock
from services.gamification.tables import memberships, squads


def create_squad(unit_of_work: UnitOfWork, squad_id: UUID, user_id: UUID, name: str, motto: str, now: datetime) -> None:
    """Make a squad with the student as its captain and first member; once for a `squad_id`.

    Raises `Invalid`, or `Conflict`: "name-taken", "already-in-squad".
    """
    connection = unit_of_work.connection
    lock(connection, {user_id})
    if _exists(connection, squad_id):
        return
    _refuse_second_squad(connection, user_id)
    _make(connection, squad_id, name, motto, now, creator_id=user_id, captain_id=user_id, members=1, official=False)
    _enter(connection, user_id, squad_id, now)


def create_official_squad(
    unit_of_work: UnitOfWork, squad_id: UUID, user_id: UUID, role: str, name: str, motto: str, now: datetime
) -> None:
    """Make an official squad, which nobody has joined yet; once for a `squad_id`.

    Raises `Forbidden` for students, `Invalid`, or `Conflict`: "name-taken".
    """
    if role == "student":
        raise Forbidden()
    connection = unit_of_work.connection
    if not _exists(connection, squad_id):
        _make(connection, squad_id, name, motto, now, creator_id=user_id, captain_id=None, members=0, official=True)


def join_squad(unit_of_work: UnitOfWork, user_id: UUID, squad_id: UUID, now: datetime) -> None:
    """Let a student into a squad; whoever is in it already stays.

    Raises `NotFound`, or `Conflict`: "already-in-squad" (another), "squad-full", "removed-from-squad".
    """
    connection = unit_of_work.connection
    lock(connection, {user_id})
    current = _membership(connection, user_id)
    if current is not None and current.squad_id == squad_id:
        return
    squad = _open_squad(connection, squad_id)
    if squad.hidden:
        raise NotFound
    if current is not None:
        raise Conflict("already-in-squad")
    if _was_removed(connection, user_id, squad_id, now):
        raise Conflict("removed-from-squad")
    if rules.is_full(squad.members, official=squad.official):
        raise Conflict("squad-full")
    connection.execute(update(squads).where(squads.c.squad_id == squad_id).values(members=squads.c.members + 1))
    _enter(connection, user_id, squad_id, now)


def leave_squad(unit_of_work: UnitOfWork, user_id: UUID, academy_time_zone: str, now: datetime) -> None:
    """Let a student out of their squad, if they are in one; the oldest member succeeds a captain."""
    connection = unit_of_work.connection
    lock(connection, {user_id})
    membership = _membership(connection, user_id)
    if membership is not None:
        squad = _open_squad(connection, membership.squad_id)
        _take_out(unit_of_work, squad, membership, academy_time_zone, now, removed=False)


def kick_member(
    unit_of_work: UnitOfWork, captain_id: UUID, squad_id: UUID, user_id: UUID, academy_time_zone: str, now: datetime
) -> None:
    """Let a captain remove a member, who cannot come back for some days.

    Raises `NotFound`, `Forbidden` for whoever is not the captain, and `Invalid` unless another member is named.
    """
    connection = unit_of_work.connection
    lock(connection, {user_id})
    squad = _led_squad(connection, squad_id, captain_id)
    membership = _membership(connection, user_id)
    if user_id == captain_id:
        raise Invalid(errors=(FieldError("/user_id", "oneself"),))
    if membership is None or membership.squad_id != squad_id:
        raise Invalid(errors=(FieldError("/user_id", "no-member"),))
    _take_out(unit_of_work, squad, membership, academy_time_zone, now, removed=True)
    unit_of_work.tell(
        SquadMemberRemoved(membership_id=membership.membership_id, squad_id=squad_id, user_id=user_id, removed_at=now)
    )


def hand_over_captaincy(
    unit_of_work: UnitOfWork, captain_id: UUID, squad_id: UUID, user_id: UUID, now: datetime
) -> None:
    """Let a captain make another member the captain.

    Raises `NotFound`, `Forbidden` for whoever is not the captain, and `Invalid` unless a member is named.
    """
    connection = unit_of_work.connection
    lock(connection, {user_id})
    squad = _led_squad(connection, squad_id, captain_id)
    membership = _membership(connection, user_id)
    if membership is None or membership.squad_id != squad_id:
        raise Invalid(errors=(FieldError("/user_id", "no-member"),))
    if user_id != captain_id:
        _make_captain(unit_of_work, squad.squad_id, user_id, now)


def update_squad(
    unit_of_work: UnitOfWork, squad_id: UUID, user_id: UUID, role: str, name: str | None, motto: str | None
) -> None:
    """Rename a squad or give it another motto; its captain may, and of an official one its maker, while they are an
    instructor, and admins.

    Raises `NotFound`, `Forbidden`, `Invalid`, or `Conflict`: "name-taken".
    """
    connection = unit_of_work.connection
    squad = _open_squad(connection, squad_id)
    if squad.official:
        leads = role == "admin" or (role == "instructor" and user_id == squad.creator_id)
    else:
        leads = user_id == squad.captain_id
    if not leads:
        raise Forbidden
    tidy_name = squad.name if name is None else rules.tidy(name)
    tidy_motto = squad.motto if motto is None else rules.tidy(motto)
    _refuse_faults(tidy_name, tidy_motto)
    values = {"motto": tidy_motto}
    # what stays as it was may be like another's that is older than the rule
    if tidy_name != squad.name:
        values |= {"name": tidy_name, "name_key": rules.name_key(tidy_name)}
    try:
        connection.execute(update(squads).where(squads.c.squad_id == squad_id).values(values))
    except IntegrityError as error:
        raise Conflict("name-taken") from error


def hide_squad(unit_of_work: UnitOfWork, squad_id: UUID, *, hidden: bool) -> None:
    """Take a squad off every public page, or put it back: another may be a week's squad then. Raises `NotFound`."""
    connection = unit_of_work.connection
    changed = connection.execute(update(squads).where(squads.c.squad_id == squad_id).values(hidden=hidden))
    if changed.rowcount == 0:
        raise NotFound
    # behind the row, as where the last member leaves
    keep_scores_out(connection, squad_id)
    relist(connection, squad_id)
    squad_was_listed_or_not(connection, squad_id)


def people_left(unit_of_work: UnitOfWork, user_ids: Collection[UUID], academy_time_zone: str, now: datetime) -> None:
    """Take people whose accounts were erased, and whose rows are locked, out of squads and off the leaderboards."""
    connection = unit_of_work.connection
    left = select(memberships).where(memberships.c.user_id.in_(user_ids), memberships.c.left_at.is_(None))
    # squad by squad in one order, as everybody locks them
    for membership in connection.execute(left.order_by(memberships.c.squad_id, memberships.c.user_id)).all():
        squad = _open_squad(connection, membership.squad_id)
        _take_out(unit_of_work, squad, membership, academy_time_zone, now, removed=False)
    for user_id in sorted(user_ids):
        relist(connection, user_id)


def _make(
    connection: Connection,
    squad_id: UUID,
    name: str,
    motto: str,
    now: datetime,
    *,
    creator_id: UUID,
    captain_id: UUID | None,
    members: int,
    official: bool,
) -> None:
    tidy_name, tidy_motto = rules.tidy(name), rules.tidy(motto)
    _refuse_faults(tidy_name, tidy_motto)
    statement = upsert(squads).values(
        squad_id=squad_id,
        name=tidy_name,
        name_key=rules.name_key(tidy_name),
        motto=tidy_motto,
        official=official,
        creator_id=creator_id,
        captain_id=captain_id,
        members=members,
        created_at=now,
    )
    free = statement.on_conflict_do_nothing(index_elements=["name_key"], index_where=squads.c.closed_at.is_(None))
    if connection.execute(free.returning(squads.c.squad_id)).first() is None:
        raise Conflict("name-taken")


def _refuse_faults(name: str, motto: str) -> None:
    faults = (("/name", rules.name_fault(name)), ("/motto", rules.motto_fault(motto)))
    errors = tuple(FieldError(pointer, fault) for pointer, fault in faults if fault)
    if errors:
        raise Invalid(errors=errors)


def _enter(connection: Connection, user_id: UUID, squad_id: UUID, now: datetime) -> None:
    # where the clocks of two processes differ, one membership must still end before the next begins
    last_left = select(func.max(memberships.c.left_at)).where(memberships.c.user_id == user_id).scalar_subquery()
    connection.execute(
        insert(memberships).values(
            membership_id=uuid4(), user_id=user_id, squad_id=squad_id, joined_at=func.greatest(literal(now), last_left)
        )
    )


def _take_out(
    unit_of_work: UnitOfWork,
    squad: Row[Any],
    membership: Row[Any],
    academy_time_zone: str,
    now: datetime,
    *,
    removed: bool,
) -> None:
    connection = unit_of_work.connection
    connection.execute(
        update(memberships)
        .where(memberships.c.membership_id == membership.membership_id)
        .values(left_at=max(now, membership.joined_at), removed=removed)
    )
    values: dict[str, Any] = {"members": squads.c.members - 1}
    next_captain = squad.captain_id
    if squad.captain_id == membership.user_id:
        next_captain = rules.successor(_members(connection, squad.squad_id))
        values["captain_id"] = next_captain
    closes = next_captain is None and not squad.official
    if closes:
        keep_scores_out(connection, squad.squad_id)
        values |= {"closed_at": now, "closed_in": week_of(now, academy_time_zone)}
    connection.execute(update(squads).where(squads.c.squad_id == squad.squad_id).values(values))
    if closes:
        relist(connection, squad.squad_id)
    elif next_captain != squad.captain_id:
        unit_of_work.tell(SquadCaptainChanged(squad_id=squad.squad_id, captain_id=next_captain, changed_at=now))


def _make_captain(unit_of_work: UnitOfWork, squad_id: UUID, user_id: UUID, now: datetime) -> None:
    unit_of_work.connection.execute(update(squads).where(squads.c.squad_id == squad_id).values(captain_id=user_id))
    unit_of_work.tell(SquadCaptainChanged(squad_id=squad_id, captain_id=user_id, changed_at=now))


def _exists(connection: Connection, squad_id: UUID) -> bool:
    return connection.execute(select(squads.c.squad_id).where(squads.c.squad_id == squad_id)).first() is not None


def _open_squad(connection: Connection, squad_id: UUID) -> Row[Any]:
    statement = select(squads).where(squads.c.squad_id == squad_id, squads.c.closed_at.is_(None))
    # whoever adds to the ledger refers to the squad, and need not wait
    squad = connection.execute(statement.with_for_update(key_share=True)).one_or_none()
    if squad is None:
        raise NotFound
    return squad


def _led_squad(connection: Connection, squad_id: UUID, captain_id: UUID) -> Row[Any]:
    squad = _open_squad(connection, squad_id)
    if squad.captain_id != captain_id:
        raise Forbidden
    return squad


def _membership(connection: Connection, user_id: UUID) -> Row[Any] | None:
    statement = select(memberships).where(memberships.c.user_id == user_id, memberships.c.left_at.is_(None))
    return connection.execute(statement).one_or_none()


def _members(connection: Connection, squad_id: UUID) -> list[rules.Member]:
    statement = select(memberships.c.user_id, memberships.c.joined_at).where(
        memberships.c.squad_id == squad_id, memberships.c.left_at.is_(None)
    )
    return [rules.Member(row.user_id, row.joined_at) for row in connection.execute(statement)]


def _refuse_second_squad(connection: Connection, user_id: UUID) -> None:
    if _membership(connection, user_id) is not None:
        raise Conflict("already-in-squad")


def _was_removed(connection: Connection, user_id: UUID, squad_id: UUID, now: datetime) -> bool:
    statement = select(memberships.c.membership_id).where(
        memberships.c.user_id == user_id,
        memberships.c.squad_id == squad_id,
        memberships.c.removed,
        memberships.c.left_at > now - rules.RETURN_DELAY,
    )
    return connection.execute(statement).first() is not None
