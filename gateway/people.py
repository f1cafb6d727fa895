"""The people as a gateway process knows them: kept in memory, dropped when `accounts.user_changed` is heard."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from cachetools import TTLCache

from chassis.database import Database
from contracts.envelope import Envelope
from contracts.events import UserChanged
from contracts.events.accounts import Role
from contracts.events.base import Event
from gateway import queries
from gateway.domain.names import is_shown_by_name
from gateway.messages import Language
from gateway.names import pseudonym

KEPT_SECONDS = 60.0
"""The longest that a change may go unseen, should its event never come."""

_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Person:
    """What the gateway needs to know about someone who asks, and may show of them."""

    id: UUID
    role: Role
    time_zone: str
    locale: Literal["fr", "en"]
    display_name: str
    avatar_url: str | None
    bio: str
    pseudonym_seed: UUID
    is_shown_by_name: bool

    def card(self) -> dict[str, Any]:
        """What everybody may see, as members of an answer."""
        return {
            "id": str(self.id),
            "display_name": self.display_name,
            "avatar_url": self.avatar_url,
            "bio": self.bio,
        }

    def public_name(self, language: Language) -> str:
        """The name under which the game shows the person to others: a pseudonym for the young and the hidden."""
        return self.display_name if self.is_shown_by_name else pseudonym(self.pseudonym_seed, language)

    def public_card(self, language: Language) -> dict[str, Any]:
        """The person as the game shows them to others, as members of an answer."""
        return {"id": str(self.id), "display_name": self.public_name(language)}


class People:
    """Accounts in memory. Someone who was erased is nobody.

    While `is_hearing` says that events do not arrive, everybody is read anew: a change must count at once.
    """

    def __init__(
        self, database: Database, now: Callable[[], datetime], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._now = now
        self._kept: TTLCache[UUID, Person] = TTLCache(_KEPT, KEPT_SECONDS, timer=clock)
        self._lock = threading.Lock()
        self._drops = 0
        self.is_hearing: Callable[[], bool] = lambda: True

    def by_id(self, user_id: UUID) -> Person | None:
        """The person, or nobody."""
        return self.by_ids([user_id]).get(user_id)

    def by_ids(self, ids: Iterable[UUID]) -> dict[UUID, Person]:
        """Those of the people that there are, with at most one statement for all that are not in memory."""
        wanted = set(ids)
        hearing = self.is_hearing()
        with self._lock:
            kept = ((user_id, self._kept.get(user_id)) for user_id in wanted) if hearing else ()
            found = {user_id: person for user_id, person in kept if person is not None}
            drops = self._drops
        missing = wanted - found.keys()
        if not missing:
            return found
        with self._database.single_statement() as unit_of_work:
            accounts = queries.accounts_by_ids(unit_of_work.connection, missing)
        now = self._now()
        loaded = {
            account.id: person_of(account, now, is_hidden=is_hidden)
            for account, is_hidden in accounts
            if account.status == "active"
        }
        with self._lock:
            if self._drops == drops:
                self._kept.update(loaded)
        return found | loaded

    def email_of(self, user_id: UUID) -> str | None:
        """The person's address, or nothing of nobody; read each time, so that it lies in no memory."""
        with self._database.single_statement() as unit_of_work:
            account = queries.account_by_id(unit_of_work.connection, user_id)
        return account.email if account is not None and account.status == "active" else None

    def drop(self, user_id: UUID) -> None:
        """Forget the person: the account has changed."""
        with self._lock:
            self._drops += 1
            self._kept.pop(user_id, None)

    def on_event(self, _envelope: Envelope, event: Event) -> None:
        """Forget whom the event is about."""
        if isinstance(event, UserChanged):
            self.drop(event.user_id)

    def drop_all(self) -> None:
        """Forget everybody: events may have been missed."""
        with self._lock:
            self._drops += 1
            self._kept.clear()


def person_of(account: queries.Account, now: datetime, *, is_hidden: bool) -> Person:
    """What the gateway needs to know of an account; `is_hidden` says that an admin has hidden its name."""
    return Person(
        account.id,
        account.role,
        account.time_zone,
        account.locale,
        account.display_name,
        account.avatar_url,
        account.bio,
        account.pseudonym_seed,
        # who teaches or runs the academy stands by their name
        account.role != "student" or is_shown_by_name(account.birth_year, now, is_hidden=is_hidden),
    )
