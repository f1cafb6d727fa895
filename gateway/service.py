"""The accounts on the bus: a service beside the gateway, on the same database, for those who must write to people."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from chassis.clock import now
from chassis.service import Service, rpc
from gateway import queries
from gateway.badges import badge_name
from gateway.messages import LANGUAGES, Language
from gateway.people import Person, person_of


class Contact(msgspec.Struct, frozen=True):
    """How somebody is called and reached; `email` only once its owner has verified it.

    Others see the person under the `public_names`, one per language.
    """

    user_id: UUID
    display_name: str
    public_names: dict[Language, str]
    email: str | None
    locale: str
    time_zone: str


class Accounts(Service):
    """What other services may know of people and must not keep, and what is called by names here alone."""

    name = "accounts"

    @rpc
    def get_contacts(self, user_ids: Annotated[tuple[UUID, ...], Meta(max_length=100)]) -> dict[str, list[Contact]]:
        """Those of the people that there are, in any order; who was erased is nobody."""
        with self.database.single_statement() as unit_of_work:
            accounts = queries.accounts_by_ids(unit_of_work.connection, user_ids)
        active = [(account, is_hidden) for account, is_hidden in accounts if account.status == "active"]
        return {"items": [_contact(account, person_of(account, now(), is_hidden=hidden)) for account, hidden in active]}

    @rpc
    def get_badge_names(self, code: Annotated[str, Meta(max_length=100)]) -> dict[Language, str]:
        """What a badge is called in each language; of one that has no name yet, nothing."""
        return {language: name for language in LANGUAGES if (name := badge_name(code, language))}


def _contact(account: queries.Account, person: Person) -> Contact:
    return Contact(
        user_id=account.id,
        display_name=account.display_name,
        public_names={language: person.public_name(language) for language in LANGUAGES},
        email=account.email if account.email_verified else None,
        locale=account.locale,
        time_zone=account.time_zone,
    )
