"""The squads of the weeks that have ended: each the one that a recount of the ledger finds, whatever arrived when.

A week's choice is made again in the transaction of whatever may change it: XP that arrives late, a squad that is
hidden or shown, an e-mail that was verified before we heard of it, a rebuild. Those who earned for the squad get the
badge from a timer, and of each week one choice is told: a badge or a message that someone has is never taken back.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection, Row

from chassis.database import UnitOfWork
from contracts.events.gamification import SquadOfTheWeekChosen
from services.gamification.accounting import Entry
from services.gamification.badges import Fact, award
from services.gamification.domain.squads import CHOICE_DELAY, VERIFIED_MIN
from services.gamification.domain.weeks import begin_of, end_of, week_before, week_of
from services.gamification.students import lock

_CHOICE_LOCK = 7_402_302

# one step of the index a week, however many squads there are
_WEEKS_TO_CHOOSE = text(
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
_CHOOSE = text("insert into squads_of_the_week (week, squad_id, chosen_at) values (:week, :squad_id, :chosen_at)")
_CORRECT = text(
    "update squads_of_the_week set squad_id = :squad_id where week = :week and squad_id is distinct from :squad_id"
)
_CHOSEN = text(
    "select week, awarded_squad_id from squads_of_the_week where week = any(cast(:weeks as text[])) order by week"
)
_CHOSEN_SINCE = text("select week from squads_of_the_week where week >= :week")
_CHOSEN_WITH = text(
    "select week from squads_of_the_week join standings on period = week "
    "where board = 'squads' and holder_id = :squad_id"
)
_TO_AWARD = text(
    "select week, squad_id, awarded_squad_id, score from squads_of_the_week "
    "join standings on holder_id = squad_id and board = 'squads' and period = week "
    "where squad_id is distinct from awarded_squad_id and (cast(:week as text) is null or week = :week) "
    "order by week limit 1"
)
_EARNERS = text(
    "select distinct user_id from ledger "
    "where squad_id = :squad_id and xp > 0 and at >= :begin and at < :end order by user_id"
)
_AWARDED = text("update squads_of_the_week set awarded_squad_id = squad_id where week = :week")


def weeks_to_choose(connection: Connection, time_zone: str, now: datetime) -> list[str]:
    """The weeks that ended some minutes ago or earlier, in which squads earned, and whose squad was not yet chosen."""
    last_week = week_before(week_of(now - CHOICE_DELAY, time_zone))
    return list(connection.scalars(_WEEKS_TO_CHOOSE, {"last_week": last_week}))


def choose(connection: Connection, time_zone: str, now: datetime) -> None:
    """Choose the squads of all weeks that want one, as `weeks_to_choose` says."""
    _one_at_a_time(connection)
    for week in weeks_to_choose(connection, time_zone, now):
        connection.execute(_CHOOSE, {"week": week, "squad_id": _winner(connection, week, time_zone), "chosen_at": now})


def choose_again(connection: Connection, weeks: Iterable[str], time_zone: str) -> Sequence[Row[Any]]:
    """See that the squads chosen for these weeks are those that a recount finds; the weeks that have been chosen, each
    with the squad whose members have the badge.
    """
    _one_at_a_time(connection)
    chosen = connection.execute(_CHOSEN, {"weeks": sorted(weeks)}).all()
    for row in chosen:
        connection.execute(_CORRECT, {"week": row.week, "squad_id": _winner(connection, row.week, time_zone)})
    return chosen


def xp_arrived(unit_of_work: UnitOfWork, earned: Sequence[Entry], time_zone: str, now: datetime) -> None:
    """Choose again for past weeks of these entries, which the standings have; whoever earned for a squad whose members
    have a week's badge gets it too. The students are locked.
    """
    this_week = week_of(now, time_zone)
    late = [(week_of(entry.at, time_zone), entry) for entry in earned if entry.team and entry.team.league == "squads"]
    late = [(week, entry) for week, entry in late if week < this_week]
    if not late:
        return
    chosen = choose_again(unit_of_work.connection, {week for week, _ in late}, time_zone)
    awarded = {(row.week, row.awarded_squad_id) for row in chosen}
    award(
        unit_of_work,
        [
            Fact(entry.user_id, "squad_of_the_week", week, end_of(week, time_zone), entry.cause)
            for week, entry in late
            if entry.team and (week, entry.team.squad_id) in awarded
        ],
    )


def squad_was_listed_or_not(connection: Connection, squad_id: UUID, time_zone: str) -> None:
    """Choose again for the weeks in which the squad, which has just been hidden or shown, earned."""
    _one_at_a_time(connection)
    choose_again(connection, connection.scalars(_CHOSEN_WITH, {"squad_id": squad_id}).all(), time_zone)


def emails_were_verified(connection: Connection, first_at: datetime, time_zone: str, now: datetime) -> None:
    """Choose again for the weeks that ended after `first_at`: an e-mail was verified then, as we have just heard."""
    since = week_of(first_at, time_zone)
    if since < week_of(now, time_zone):
        _one_at_a_time(connection)
        choose_again(connection, connection.scalars(_CHOSEN_SINCE, {"week": since}).all(), time_zone)


def award_next(unit_of_work: UnitOfWork, time_zone: str, now: datetime) -> bool:
    """Give the badge to those who earned for the squad of a week, if there is one whose members have none; whether
    there was one. It is told unless another of this week was.

    Where something of it changes at this very moment, nothing is done: the next call will find it.
    """
    connection = unit_of_work.connection
    likely = connection.execute(_TO_AWARD, {"week": None}).one_or_none()
    if likely is None:
        return False
    # students are locked before anything else, here as everywhere
    members = _earners(connection, likely, time_zone)
    lock(connection, set(members))
    _one_at_a_time(connection)
    chosen = connection.execute(_TO_AWARD, {"week": likely.week}).one_or_none()
    if chosen is None or _earners(connection, chosen, time_zone) != members:
        return False
    won_at = end_of(chosen.week, time_zone)
    award(unit_of_work, [Fact(user_id, "squad_of_the_week", chosen.week, won_at) for user_id in members])
    connection.execute(_AWARDED, {"week": chosen.week})
    if chosen.awarded_squad_id is None:
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


def _one_at_a_time(connection: Connection) -> None:
    """Wait for other choices: each must see what the others have added."""
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _CHOICE_LOCK})


def _winner(connection: Connection, week: str, time_zone: str) -> UUID | None:
    winner: UUID | None = connection.scalar(_WINNER, {**_span(week, time_zone), "verified_min": VERIFIED_MIN})
    return winner


def _earners(connection: Connection, chosen: Row[Any], time_zone: str) -> list[UUID]:
    return list(connection.scalars(_EARNERS, {"squad_id": chosen.squad_id, **_span(chosen.week, time_zone)}))


def _span(week: str, time_zone: str) -> dict[str, object]:
    return {"week": week, "begin": begin_of(week, time_zone), "end": end_of(week, time_zone)}
