"""Events of the accounts (in the gateway). They carry no name, e-mail or other text of a person."""

from typing import ClassVar, Literal
from uuid import UUID

from contracts.events.base import Event, Instant

Role = Literal["student", "instructor", "admin"]


class UserRegistered(Event, frozen=True):
    """Someone made an account; `ref` is the link on a video that brought them, if any."""

    type: ClassVar[str] = "accounts.user_registered.v1"
    user_id: UUID
    role: Role
    registered_at: Instant
    ref: str | None = None

    def partition_key(self) -> str:
        return str(self.user_id)


class UserChanged(Event, frozen=True):
    """The whole state of an account that others may know; a copy ignores an older `sequence`."""

    type: ClassVar[str] = "accounts.user_changed.v1"
    user_id: UUID
    role: Role
    status: Literal["active", "erased"]
    time_zone: str
    locale: Literal["fr", "en"]
    email_verified: bool

    def partition_key(self) -> str:
        return str(self.user_id)
