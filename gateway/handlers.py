"""The use cases of the accounts. Passwords arrive here hashed; tokens leave here once and stay only as digests."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_nothing

from chassis.database import UnitOfWork
from contracts.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Unauthorized
from contracts.events import UserChanged, UserRegistered
from contracts.events.accounts import Role
from gateway.domain.accounts import email_key, is_plausible_birth_year, may_have_profile
from gateway.domain.sessions import ACCESS_LIFETIME, REFRESH_LIFETIME, Refresh, RefreshToken, judge
from gateway.names import refuse_blocked
from gateway.queries import COLUMNS, Account, account_of
from gateway.sealing import seal, unseal
from gateway.tables import images, mailed_tokens, refresh_tokens, sessions, stream_tickets, users

Purpose = Literal["verify-email", "reset-password"]

MAILED_LIFETIME: dict[Purpose, timedelta] = {"verify-email": timedelta(days=3), "reset-password": timedelta(hours=1)}

TICKET_LIFETIME = timedelta(seconds=30)

IssueAccess = Callable[[UUID, UUID, datetime], str]
"""Makes an access token of a person, a session and the present instant."""


class Pair(msgspec.Struct, frozen=True):
    """A log-in's tokens; `expires_in` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What someone said of themselves; `email` as typed, the password hashed."""

    email: str
    password_hash: str
    display_name: str
    role: Role = "student"
    time_zone: str = "UTC"
    locale: Literal["fr", "en"] = "fr"
    birth_year: int | None = None
    ref: str | None = None
    email_verified: bool = False


@dataclass(frozen=True)
class Admission:
    """Whose stream a ticket opens, and until when."""

    user_id: UUID
    access_ends_at: datetime


@dataclass(frozen=True)
class Refreshed:
    """What became of a refresh token; without a pair it was refused (and its family perhaps revoked: commit)."""

    pair: Pair | None


def digest(token: str) -> bytes:
    """How a token is stored."""
    return hashlib.sha256(token.encode()).digest()


def register(unit_of_work: UnitOfWork, registration: Registration, now: datetime) -> Account:
    """Make the account. Raises `Conflict` (email-taken) and `Invalid` (birth year, name)."""
    _check_birth_year(registration.birth_year, now)
    refuse_blocked("/display_name", registration.display_name, registration.role)
    row = unit_of_work.connection.execute(
        insert_or_nothing(users)
        .values(
            id=uuid4(),
            email_key=email_key(registration.email),
            status="active",
            avatar_url=None,
            bio="",
            version=1,
            created_at=now,
            **msgspec.structs.asdict(registration),
        )
        .on_conflict_do_nothing(index_elements=[users.c.email_key])
        .returning(*COLUMNS)
    ).one_or_none()
    if row is None:
        raise Conflict("email-taken")
    account = account_of(row)
    unit_of_work.tell(
        UserRegistered(user_id=account.id, role=account.role, registered_at=now, ref=registration.ref),
        sequence=account.version,
    )
    _tell(unit_of_work, account)
    return account


def open_session(unit_of_work: UnitOfWork, account: Account, now: datetime, issue: IssueAccess) -> Pair:
    """A new log-in. Raises `Unauthorized` when the account is no longer as it was when its password was checked."""
    statement = (
        select(users.c.id)
        .where(users.c.id == account.id, users.c.password_hash == account.password_hash, users.c.status == "active")
        .with_for_update(read=True)
    )
    if unit_of_work.connection.execute(statement).one_or_none() is None:
        raise Unauthorized("bad-credentials")
    session_id = uuid4()
    unit_of_work.connection.execute(insert(sessions).values(id=session_id, user_id=account.id, created_at=now))
    return _new_pair(unit_of_work, account.id, session_id, now, issue)


def refresh(
    unit_of_work: UnitOfWork, token: str, idempotency_key: str | None, now: datetime, issue: IssueAccess
) -> Refreshed:
    """Exchange a refresh token for a new pair; its use again revokes the whole family, a retry gets the same pair."""
    connection = unit_of_work.connection
    row = connection.execute(
        select(
            refresh_tokens.c.expires_at,
            refresh_tokens.c.used_at,
            refresh_tokens.c.retry_key,
            refresh_tokens.c.successor,
            sessions.c.id.label("session_id"),
            sessions.c.revoked_at,
            users.c.id.label("user_id"),
            users.c.status,
        )
        .join_from(refresh_tokens, sessions, sessions.c.id == refresh_tokens.c.session_id)
        .join(users, users.c.id == sessions.c.user_id)
        .where(refresh_tokens.c.digest == digest(token))
        .with_for_update(of=refresh_tokens)
    ).one_or_none()
    if row is None:
        return Refreshed(None)
    revoked_at = connection.execute(
        select(sessions.c.revoked_at).where(sessions.c.id == row.session_id).with_for_update()
    ).scalar_one()
    retry_key = None if idempotency_key is None else digest(idempotency_key)
    known = RefreshToken(row.expires_at, row.used_at, row.retry_key, revoked_at is not None or row.status != "active")
    match judge(known, now, retry_key):
        case Refresh.REFUSE:
            return Refreshed(None)
        case Refresh.REVOKE:
            _revoke(unit_of_work, now, sessions.c.id == row.session_id)
            return Refreshed(None)
        case Refresh.REPEAT:
            return Refreshed(msgspec.json.decode(unseal(token.encode(), row.successor), type=Pair))
        case Refresh.ROTATE:
            pair = _new_pair(unit_of_work, row.user_id, row.session_id, now, issue)
            connection.execute(
                update(refresh_tokens)
                .where(refresh_tokens.c.digest == digest(token))
                .values(used_at=now, retry_key=retry_key, successor=seal(token.encode(), msgspec.json.encode(pair)))
            )
            return Refreshed(pair)


def log_out(unit_of_work: UnitOfWork, user_id: UUID, token: str, now: datetime) -> None:
    """End the log-in that the refresh token belongs to, if it is this person's."""
    family = select(refresh_tokens.c.session_id).where(refresh_tokens.c.digest == digest(token))
    _revoke(unit_of_work, now, (sessions.c.id == family.scalar_subquery()) & (sessions.c.user_id == user_id))


def change_password(
    unit_of_work: UnitOfWork, account: Account, password_hash: str, session_id: UUID, now: datetime
) -> None:
    """Replace the password that was just checked, and end every other log-in. Raises `Conflict` when it has changed."""
    changed = unit_of_work.connection.execute(
        update(users)
        .where(users.c.id == account.id, users.c.password_hash == account.password_hash)
        .values(password_hash=password_hash)
    )
    if changed.rowcount == 0:
        raise Conflict()
    _revoke(unit_of_work, now, (sessions.c.user_id == account.id) & (sessions.c.id != session_id))
    _drop_mailed(unit_of_work, account.id, "reset-password")


def rehash_password(unit_of_work: UnitOfWork, account: Account, password_hash: str) -> Account:
    """Store the same password as a hash of today's strength; the account as it then is."""
    unit_of_work.connection.execute(
        update(users)
        .where(users.c.id == account.id, users.c.password_hash == account.password_hash)
        .values(password_hash=password_hash)
    )
    row = unit_of_work.connection.execute(select(*COLUMNS).where(users.c.id == account.id)).one()
    return account_of(row)


def mail_token(unit_of_work: UnitOfWork, user_id: UUID, purpose: Purpose, now: datetime) -> str:
    """A new token to be sent by mail; those sent before for the same purpose end."""
    _locked(unit_of_work, user_id)
    _drop_mailed(unit_of_work, user_id, purpose)
    token = secrets.token_urlsafe(32)
    unit_of_work.connection.execute(
        insert(mailed_tokens).values(
            digest=digest(token), user_id=user_id, purpose=purpose, expires_at=now + MAILED_LIFETIME[purpose]
        )
    )
    return token


def owner_of_mailed(unit_of_work: UnitOfWork, token: str, purpose: Purpose, now: datetime) -> UUID:
    """Whom the token was sent to. Raises `Invalid` when it is unknown, used or too old."""
    statement = select(mailed_tokens.c.user_id).where(
        mailed_tokens.c.digest == digest(token), mailed_tokens.c.purpose == purpose, mailed_tokens.c.expires_at > now
    )
    owner = unit_of_work.connection.execute(statement).scalar_one_or_none()
    if owner is None:
        raise Invalid(errors=(FieldError("/token", "mailed-token"),))
    return owner


def verify_email(unit_of_work: UnitOfWork, token: str, now: datetime) -> UUID:
    """Whose address the token proves. Raises `Invalid` for a token that is not good."""
    user_id = _take_mailed(unit_of_work, token, "verify-email", now)
    _change(unit_of_work, user_id, {"email_verified": True})
    return user_id


def reset_password(unit_of_work: UnitOfWork, token: str, password_hash: str, now: datetime) -> UUID:
    """Whose password is now the new one; every log-in ends, and the address is proven. Raises `Invalid`."""
    user_id = _take_mailed(unit_of_work, token, "reset-password", now)
    _change(unit_of_work, user_id, {"password_hash": password_hash, "email_verified": True})
    _revoke(unit_of_work, now, sessions.c.user_id == user_id)
    return user_id


def stream_ticket(unit_of_work: UnitOfWork, user_id: UUID, access_ends_at: datetime, now: datetime) -> str:
    """A new ticket that opens one stream of the person, which ends when the access does."""
    ticket = secrets.token_urlsafe(32)
    unit_of_work.connection.execute(
        insert(stream_tickets).values(
            digest=digest(ticket), user_id=user_id, access_ends_at=access_ends_at, expires_at=now + TICKET_LIFETIME
        )
    )
    return ticket


def take_stream_ticket(unit_of_work: UnitOfWork, ticket: str, now: datetime) -> Admission:
    """What the ticket opens; it is gone then. Raises `Unauthorized` when it is unknown, used or too old."""
    taken = delete(stream_tickets).where(stream_tickets.c.digest == digest(ticket), stream_tickets.c.expires_at > now)
    row = unit_of_work.connection.execute(
        taken.returning(stream_tickets.c.user_id, stream_tickets.c.access_ends_at)
    ).one_or_none()
    if row is None:
        raise Unauthorized("bad-ticket")
    return Admission(row.user_id, row.access_ends_at)


def update_account(unit_of_work: UnitOfWork, user_id: UUID, changes: dict[str, Any], now: datetime) -> Account:
    """The account with what its owner changed.

    Raises `Invalid` (birth year, name) and `Forbidden` (profile of a student).
    """
    _check_birth_year(changes.get("birth_year"), now)
    account = _locked(unit_of_work, user_id)
    # what stays as it was is not chosen now
    if changes.get("display_name", account.display_name) != account.display_name:
        refuse_blocked("/display_name", changes["display_name"], account.role)
    if not may_have_profile(account.role) and {"avatar_url", "bio"} & changes.keys():
        raise Forbidden()
    return _change(unit_of_work, user_id, changes)


def set_role(unit_of_work: UnitOfWork, user_id: UUID, role: Role) -> Account:
    """The account in its new role. Raises `NotFound`, and `Conflict` (last-admin) to leave nobody in charge."""
    admins = select(users.c.id).where(users.c.role == "admin", users.c.status == "active").order_by(users.c.id)
    in_charge = set(unit_of_work.connection.execute(admins.with_for_update()).scalars())
    account = _locked(unit_of_work, user_id)
    if account.role == role:
        return account
    if in_charge == {user_id}:
        raise Conflict("last-admin")
    return _change(unit_of_work, user_id, {"role": role})


def retell_account(unit_of_work: UnitOfWork, user_id: UUID) -> Account:
    """Let all who keep the account in memory forget it: what is shown of it has changed. Raises `NotFound`."""
    _locked(unit_of_work, user_id)
    return _change(unit_of_work, user_id, {})


def keep_image(unit_of_work: UnitOfWork, owner_id: UUID, media_type: str, content: bytes, now: datetime) -> UUID:
    """The id under which the image is kept."""
    image_id = uuid4()
    unit_of_work.connection.execute(
        insert(images).values(id=image_id, owner_id=owner_id, media_type=media_type, content=content, created_at=now)
    )
    return image_id


def _new_pair(unit_of_work: UnitOfWork, user_id: UUID, session_id: UUID, now: datetime, issue: IssueAccess) -> Pair:
    token = secrets.token_urlsafe(32)
    unit_of_work.connection.execute(
        insert(refresh_tokens).values(digest=digest(token), session_id=session_id, expires_at=now + REFRESH_LIFETIME)
    )
    return Pair(issue(user_id, session_id, now), token, int(ACCESS_LIFETIME.total_seconds()))


def _revoke(unit_of_work: UnitOfWork, now: datetime, which: Any) -> None:
    unit_of_work.connection.execute(
        update(sessions).where(which, sessions.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def _drop_mailed(unit_of_work: UnitOfWork, user_id: UUID, purpose: Purpose) -> None:
    unit_of_work.connection.execute(
        delete(mailed_tokens).where(mailed_tokens.c.user_id == user_id, mailed_tokens.c.purpose == purpose)
    )


def _take_mailed(unit_of_work: UnitOfWork, token: str, purpose: Purpose, now: datetime) -> UUID:
    owner = _locked(unit_of_work, owner_of_mailed(unit_of_work, token, purpose, now)).id
    owner_of_mailed(unit_of_work, token, purpose, now)
    _drop_mailed(unit_of_work, owner, purpose)
    return owner


def _locked(unit_of_work: UnitOfWork, user_id: UUID) -> Account:
    row = unit_of_work.connection.execute(
        select(*COLUMNS).where(users.c.id == user_id, users.c.status == "active").with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound()
    return account_of(row)


def _change(unit_of_work: UnitOfWork, user_id: UUID, changes: dict[str, Any]) -> Account:
    row = unit_of_work.connection.execute(
        update(users).where(users.c.id == user_id).values(version=users.c.version + 1, **changes).returning(*COLUMNS)
    ).one()
    account = account_of(row)
    _tell(unit_of_work, account)
    return account


def _tell(unit_of_work: UnitOfWork, account: Account) -> None:
    unit_of_work.tell(
        UserChanged(
            user_id=account.id,
            role=account.role,
            status=account.status,
            time_zone=account.time_zone,
            locale=account.locale,
            email_verified=account.email_verified,
        ),
        sequence=account.version,
    )


def _check_birth_year(year: int | None, now: datetime) -> None:
    if year is not None and not is_plausible_birth_year(year, now):
        raise Invalid(errors=(FieldError("/birth_year", "birth-year"),))
