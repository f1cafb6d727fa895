"""The squads of the weeks that have ended: each the one that a recount of the ledger finds, whatever arrived when.

Whatever may change a week's choice makes it doubtful in its own transaction: XP that arrives late, a squad that is
hidden or shown, an e-mail that was verified before we heard of it, a rebuild. A timer chooses anew. Those who earned
for the squad get the badge, and of each week one choice is told: a badge or a message that someone has is never taken
back.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection, Row

from chassis.database import Database, UnitOfWork
from contracts.events.gamification import SquadOfTheWeekChosen
from services.gamification.accounting import Entry
from services.gamification.badges import Fact, award
from services.gamification.domain.squads import CHOICE_DELAY, VERIFIED_MIN
from services.gamification.domain.weeks import begin_of, end_of, week_before, week_of
from services.gamification.students import lock

_CHOICE_LOCK = 7_402_302

# one step of the index a week, however many squads there are
_NEW_WEEKS = text(
    "with recursive weeks (week) as ("
    "select min(period) from standings where board = 'squads' and listed and period <= :last_week "
    "union all "
    "select (select min(period) from standings "
    "where board = 'squads' and listed and period > weeks.week and period <= :last_week) "
    "from weeks where weeks.week is not null) "
    "select week from weeks where week is not null "
    "and not exists (select from squads_of_the_week as chosen where chosen.week = weeks.week) order by week"
)
_WINNER = text(
    "select holder_id from standings "
    "where board = 'squads' and period = :week and listed and :verified_min <= ("
    "select count(distinct ledger.user_id) from ledger join people using (user_id) "
    "where ledger.squad_id = holder_id and ledger.xp > 0 and ledger.at >= :begin and ledger.at < :end "
    "and people.email_verified_at < :end) "
    "order by score desc, reached_at, holder_id limit 1"
)
_CHOOSE = text(
    "insert into squads_of_the_week (week, squad_id, chosen_at) values (:week, :squad_id, :chosen_at) "
    "on conflict (week) do update set squad_id = excluded.squad_id, doubtful = false"
)
_DOUBTFUL = text("select week from squads_of_the_week where doubtful order by week")
# locked in one order, as many may doubt several weeks at once
_DOUBT_SOME = (
    "update squads_of_the_week set doubtful = true where week in ("
    "select week from squads_of_the_week as chosen where not doubtful and {condition} order by week for no key update)"
)
_DOUBT = text(_DOUBT_SOME.format(condition="week = any(cast(:weeks as text[]))"))
_DOUBT_SINCE = text(_DOUBT_SOME.format(condition="week >= :week"))
_DOUBT_WITH = text(
    _DOUBT_SOME.format(
        condition="exists (select from standings "
        "where holder_id = :squad_id and board = 'squads' and period = chosen.week)"
    )
)
_AWARDED_IN = text(
    "select week, awarded_squad_id from squads_of_the_week "
    "where week = any(cast(:weeks as text[])) and awarded_squad_id is not null"
)
_TO_AWARD = text(
    "select week, squad_id, awarded_squad_id, score from squads_of_the_week "
    "join standings on holder_id = squad_id and board = 'squads' and period = week "
    "where not doubtful and squad_id is distinct from awarded_squad_id "
    "and (cast(:week as text) is null or week = :week) "
    "order by week limit 1"
)
_EARNERS = text(
    "select distinct user_id from ledger "
    "where squad_id = :squad_id and xp > 0 and at >= :begin and at < :end order by user_id"
)
_AWARDED = text("update squads_of_the_week set awarded_squad_id = squad_id where week = :week")


def look(database: Database, time_zone: str, is_caught_up: Callable[[], bool], now: datetime) -> None:
    """Award and tell what was chosen, then choose for weeks that have ended, and where something has changed.

    What was never chosen is chosen once all of learning `is_caught_up`: it will be told, and after a breakdown what was
    learned in time must have arrived. Other processes may do so at the same time.
    """
    more = True
    while more:
        with database.unit_of_work() as unit_of_work:
            more = _award_next(unit_of_work, time_zone, now)
    with database.snapshot() as connection:
        weeks = list(connection.scalars(_DOUBTFUL))
        new_weeks = _new_weeks(connection, time_zone, now)
    if new_weeks and is_caught_up():
        weeks += new_weeks
    for week in weeks:
        with database.unit_of_work() as unit_of_work:
            _choose(unit_of_work.connection, week, time_zone, now)


def xp_arrived(unit_of_work: UnitOfWork, earned: Sequence[Entry], time_zone: str, now: datetime) -> None:
    """Doubt the choices of past weeks of these entries, which the standings have; whoever earned for a squad whose
    members have a week's badge gets it too. The students are locked.
    """
    this_week = week_of(now, time_zone)
    late = [
        (week_of(entry.at, time_zone), entry.team.squad_id, entry)
        for entry in earned
        if entry.team and entry.team.league == "squads"
    ]
    weeks = sorted({week for week, _, _ in late if week < this_week})
    if not weeks:
        return
    connection = unit_of_work.connection
    doubt(connection, weeks)
    awarded = {(row.week, row.awarded_squad_id) for row in connection.execute(_AWARDED_IN, {"weeks": weeks})}
    award(
        unit_of_work,
        [
            Fact(entry.user_id, "squad_of_the_week", week, end_of(week, time_zone), entry.cause)
            for week, squad_id, entry in late
            if (week, squad_id) in awarded
        ],
    )


def doubt(connection: Connection, weeks: Sequence[str]) -> None:
    """Let the squads of these weeks, as far as they were chosen, be chosen anew."""
    _keep_choices_out(connection)
    connection.execute(_DOUBT, {"weeks": list(weeks)})


def squad_was_listed_or_not(connection: Connection, squad_id: UUID) -> None:
    """Doubt the weeks in which the squad, which has just been hidden or shown, earned."""
    _keep_choices_out(connection)
    connection.execute(_DOUBT_WITH, {"squad_id": squad_id})


def emails_were_verified(connection: Connection, first_at: datetime, time_zone: str, now: datetime) -> None:
    """Doubt the weeks that ended after `first_at`: an e-mail was verified then, as we have just heard."""
    since = week_of(first_at, time_zone)
    if since < week_of(now, time_zone):
        _keep_choices_out(connection)
        connection.execute(_DOUBT_SINCE, {"week": since})


def _new_weeks(connection: Connection, time_zone: str, now: datetime) -> list[str]:
    """The weeks that ended some minutes ago or earlier, in which squads earned, and whose squad was never chosen."""
    last_week = week_before(week_of(now - CHOICE_DELAY, time_zone))
    return list(connection.scalars(_NEW_WEEKS, {"last_week": last_week}))


def _choose(connection: Connection, week: str, time_zone: str, now: datetime) -> None:
    """Choose a week's squad, or none where none may win."""
    _keep_changes_out(connection)
    # where hardly anybody has a verified e-mail, all squads are looked through
    connection.execute(text("set local statement_timeout = 0"))
    connection.execute(_CHOOSE, {"week": week, "squad_id": _winner(connection, week, time_zone), "chosen_at": now})


def _award_next(unit_of_work: UnitOfWork, time_zone: str, now: datetime) -> bool:
    """Give the badge to those who earned for the squad of a week, if there is one whose members have none; whether
    there was one. It is told unless another of this week was, or the next week has ended too.

    Where something of it changes at this very moment, nothing is done: the next call will find it.
    """
    connection = unit_of_work.connection
    likely = connection.execute(_TO_AWARD, {"week": None}).one_or_none()
    if likely is None:
        return False
    # students are locked before anything else, here as everywhere
    members = _earners(connection, likely, time_zone)
    lock(connection, set(members))
    _keep_changes_out(connection)
    chosen = connection.execute(_TO_AWARD, {"week": likely.week}).one_or_none()
    if chosen is None or _earners(connection, chosen, time_zone) != members:
        return False
    won_at = end_of(chosen.week, time_zone)
    award(unit_of_work, [Fact(user_id, "squad_of_the_week", chosen.week, won_at) for user_id in members])
    connection.execute(_AWARDED, {"week": chosen.week})
    if chosen.awarded_squad_id is None and chosen.week == week_before(week_of(now, time_zone)):
        unit_of_work.tell(
            SquadOfTheWeekChosen(
                week=chosen.week,
                squad_id=chosen.squad_id,
                score=chosen.score,
                member_ids=tuple(members),
                chosen_at=now,
            )
        )
    return True


def _keep_changes_out(connection: Connection) -> None:
    """Wait for those who change what a choice depends on, and let others wait until this transaction has ended."""
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _CHOICE_LOCK})


def _keep_choices_out(connection: Connection) -> None:
    """Wait for a choice under way, and let others wait until what has changed can be seen."""
    connection.execute(text("select pg_advisory_xact_lock_shared(:lock)"), {"lock": _CHOICE_LOCK})


def _winner(connection: Connection, week: str, time_zone: str) -> UUID | None:
    winner: UUID | None = connection.scalar(_WINNER, {**_span(week, time_zone), "verified_min": VERIFIED_MIN})
    return winner


def _earners(connection: Connection, chosen: Row[Any], time_zone: str) -> list[UUID]:
    return list(connection.scalars(_EARNERS, {"squad_id": chosen.squad_id, **_span(chosen.week, time_zone)}))


def _span(week: str, time_zone: str) -> dict[str, object]:
    return {"week": week, "begin": begin_of(week, time_zone), "end": end_of(week, time_zone)}
