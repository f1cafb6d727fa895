"""What becomes of the game when accounts change."""

from collections.abc import Sequence
from datetime import datetime

from chassis.database import UnitOfWork
from contracts.envelope import Envelope
from contracts.events.accounts import UserChanged
from services.gamification.handlers.evenings import look_again
from services.gamification.handlers.squads import people_left
from services.gamification.people import keep_people
from services.gamification.squads_of_the_week import emails_were_verified
from services.gamification.students import lock, lock_known


def people_changed(
    unit_of_work: UnitOfWork, heard: Sequence[tuple[Envelope, UserChanged]], academy_time_zone: str, now: datetime
) -> None:
    """Keep the newest states of accounts, let the erased leave, and look again at what depends on them."""
    connection = unit_of_work.connection
    user_ids = {event.user_id for _, event in heard}
    erased = {event.user_id for _, event in heard if event.status == "erased"}
    if erased:
        # also of those whose first lesson, or squad, is being written
        lock(connection, user_ids)
    else:
        lock_known(connection, user_ids)
    keep_people(connection, heard)
    people_left(unit_of_work, erased, academy_time_zone, now)
    look_again(connection, user_ids, now)
    verified_at = [envelope.time for envelope, event in heard if event.email_verified]
    if verified_at:
        emails_were_verified(connection, min(verified_at), academy_time_zone, now)
