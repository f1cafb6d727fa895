"""What is read from the accounts database."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import exists, func, select, tuple_
from sqlalchemy.engine import Connection

from contracts.events.accounts import Role
from gateway.tables import hidden_items, images, users


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is in the database, its password's hash included."""

    id: UUID
    email: str
    password_hash: str
    display_name: str
    role: Role
    status: Literal["active", "erased"]
    time_zone: str
    locale: Literal["fr", "en"]
    birth_year: int | None
    avatar_url: str | None
    bio: str
    email_verified: bool
    version: int
    created_at: datetime
    pseudonym_seed: UUID


COLUMNS = tuple(users.c[name] for name in Account.__slots__)


def account_of(row: Any) -> Account:
    """The account that a row of `COLUMNS` is."""
    return Account(*row)


def account_by_id(connection: Connection, user_id: UUID) -> Account | None:
    """The account with the id."""
    row = connection.execute(select(*COLUMNS).where(users.c.id == user_id)).one_or_none()
    return None if row is None else account_of(row)


def account_by_email(connection: Connection, email_key: str) -> Account | None:
    """The account with the address, in the form of `domain.accounts.email_key`."""
    row = connection.execute(select(*COLUMNS).where(users.c.email_key == email_key)).one_or_none()
    return None if row is None else account_of(row)


def accounts_by_ids(connection: Connection, ids: Iterable[UUID]) -> list[tuple[Account, bool]]:
    """Those of the accounts that there are, and of each whether an admin has hidden the name."""
    is_hidden = exists().where(hidden_items.c.kind == "student", hidden_items.c.item_id == users.c.id)
    statement = select(*COLUMNS, is_hidden).where(users.c.id.in_(list(ids)))
    return [(account_of(row[:-1]), row[-1]) for row in connection.execute(statement)]


def accounts_page(
    connection: Connection,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    text: str | None = None,
    role: str | None = None,
) -> list[Account]:
    """Up to `limit` accounts, newest first, from `after` on: the creation and id of the last one seen.

    `text` is looked for in addresses and names, in any case.
    """
    statement = select(*COLUMNS).where(users.c.status == "active")
    if after is not None:
        statement = statement.where(tuple_(users.c.created_at, users.c.id) < after)
    if role is not None:
        statement = statement.where(users.c.role == role)
    if text is not None:
        needle = text.casefold()
        statement = statement.where(
            users.c.email_key.contains(needle, autoescape=True)
            | func.lower(users.c.display_name).contains(needle, autoescape=True)
        )
    statement = statement.order_by(users.c.created_at.desc(), users.c.id.desc()).limit(limit)
    return [account_of(row) for row in connection.execute(statement)]


def image(connection: Connection, image_id: UUID) -> tuple[str, bytes] | None:
    """The media type and the bytes of an image."""
    row = connection.execute(select(images.c.media_type, images.c.content).where(images.c.id == image_id)).one_or_none()
    return None if row is None else (row.media_type, row.content)
