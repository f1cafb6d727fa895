"""Accounts: registration, log-in and its tokens, passwords, one's own account, the admins' list."""

import base64
import binascii
from datetime import datetime
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from chassis.context import current_trace, traced
from contracts.errors import Conflict, FieldError, Invalid, NotFound, Unauthorized
from gateway import handlers, queries, rates
from gateway.auth import caller, client_address, signed_in
from gateway.dependencies import Parts, parts
from gateway.domain.accounts import email_key
from gateway.handlers import Pair, Purpose, Registration
from gateway.idempotency import HEADER
from gateway.models import accounts as models
from gateway.queries import Account
from gateway.schemas import Empty

_VERIFY: Purpose = "verify-email"
_RESET: Purpose = "reset-password"

blueprint = APIBlueprint("accounts", __name__, url_prefix="/v1", tag="Accounts")
well_known = APIBlueprint("well_known", __name__, tag="Accounts")


@blueprint.post("/auth/register")
@blueprint.input(models.NewAccount)
@blueprint.output(models.SignedIn, status_code=201)
def register(json_data: models.NewAccount) -> dict[str, Any]:
    """Make an account, and log in; a mail asks to verify the address."""
    own = parts()
    own.rates.spend(rates.REGISTRATIONS, client_address())
    with own.database.single_statement() as unit_of_work:
        if queries.account_by_email(unit_of_work.connection, email_key(json_data.email)) is not None:
            raise Conflict("email-taken")
    registration = Registration(
        email=json_data.email,
        password_hash=own.passwords.hash(json_data.password),
        display_name=json_data.display_name,
        time_zone=json_data.time_zone or own.settings.academy_time_zone,
        locale=json_data.locale,
        birth_year=json_data.birth_year,
        ref=json_data.ref,
    )
    with own.database.unit_of_work() as unit_of_work:
        account = handlers.register(unit_of_work, registration, own.now())
        pair = handlers.open_session(unit_of_work, account, own.now(), own.tokens.issue)
    _mail_later(own, account.email, _VERIFY)
    return _signed_in(account, pair)


@blueprint.post("/auth/login")
@blueprint.input(models.Login)
@blueprint.output(models.SignedIn)
def login(json_data: models.Login) -> dict[str, Any]:
    """Log in."""
    own = parts()
    with own.database.single_statement() as unit_of_work:
        account = queries.account_by_email(unit_of_work.connection, email_key(json_data.email))
    if account is not None and account.status != "active":
        account = None
    if not _is_right_password(own, account, email_key(json_data.email), json_data.password) or account is None:
        raise Unauthorized("bad-credentials")
    stronger = own.passwords.hash(json_data.password) if own.passwords.is_weak(account.password_hash) else None
    with own.database.unit_of_work() as unit_of_work:
        if stronger is not None:
            account = handlers.rehash_password(unit_of_work, account, stronger)
        pair = handlers.open_session(unit_of_work, account, own.now(), own.tokens.issue)
    return _signed_in(account, pair)


@blueprint.post("/auth/refresh")
@blueprint.input(models.RefreshToken)
@blueprint.output(models.Tokens)
def refresh(json_data: models.RefreshToken) -> Pair:
    """Exchange a refresh token for a new pair; used again, it ends the log-in (a retry with the same key does not)."""
    own = parts()
    own.rates.spend(rates.REFRESHES, client_address())
    key = request.headers.get(HEADER) or None
    with own.database.unit_of_work() as unit_of_work:
        refreshed = handlers.refresh(unit_of_work, json_data.refresh_token, key, own.now(), own.tokens.issue)
    if refreshed.pair is None:
        raise Unauthorized("bad-refresh-token")
    return refreshed.pair


@blueprint.post("/auth/logout")
@signed_in()
@blueprint.input(models.RefreshToken)
@blueprint.output(Empty, status_code=204)
def logout(json_data: models.RefreshToken) -> Response:
    """End the log-in that the refresh token belongs to."""
    own = parts()
    with own.database.unit_of_work() as unit_of_work:
        handlers.log_out(unit_of_work, caller().id, json_data.refresh_token, own.now())
    return Response(status=204)


@blueprint.post("/auth/password")
@signed_in()
@blueprint.input(models.NewPassword)
@blueprint.output(Empty, status_code=204)
def change_password(json_data: models.NewPassword) -> Response:
    """Change one's password; every other log-in ends."""
    own = parts()
    account = _own_account(own)
    if not _is_right_password(own, account, email_key(account.email), json_data.current_password):
        raise Invalid(errors=(FieldError("/current_password", "wrong-password"),))
    password_hash = own.passwords.hash(json_data.new_password)
    with own.database.unit_of_work() as unit_of_work:
        handlers.change_password(unit_of_work, account, password_hash, caller().session_id, own.now())
    return Response(status=204)


@blueprint.post("/auth/password/forgot")
@blueprint.input(models.Forgotten)
@blueprint.output(Empty, status_code=202)
def forgot_password(json_data: models.Forgotten) -> Response:
    """Ask for a mail to choose a new password; the answer does not tell whether the address is known."""
    own = parts()
    own.rates.spend(rates.MAILS_ASKED_FOR, client_address())
    own.rates.spend(rates.MAILS_TO_ADDRESSEE, email_key(json_data.email))
    _mail_later(own, json_data.email, _RESET)
    return Response("{}", status=202, content_type="application/json")


@blueprint.post("/auth/password/reset")
@blueprint.input(models.Reset)
@blueprint.output(Empty, status_code=204)
def reset_password(json_data: models.Reset) -> Response:
    """Choose a new password by the mailed token; every log-in ends."""
    own = parts()
    own.rates.spend(rates.MAILED_TOKENS_TRIED, client_address())
    with own.database.single_statement() as unit_of_work:
        handlers.owner_of_mailed(unit_of_work, json_data.token, _RESET, own.now())
    password_hash = own.passwords.hash(json_data.new_password)
    with own.database.unit_of_work() as unit_of_work:
        user_id = handlers.reset_password(unit_of_work, json_data.token, password_hash, own.now())
    own.people.drop(user_id)
    return Response(status=204)


@blueprint.post("/auth/email/verify")
@blueprint.input(models.Verification)
@blueprint.output(Empty, status_code=204)
def verify_email(json_data: models.Verification) -> Response:
    """Prove an address by the mailed token."""
    own = parts()
    own.rates.spend(rates.MAILED_TOKENS_TRIED, client_address())
    with own.database.unit_of_work() as unit_of_work:
        user_id = handlers.verify_email(unit_of_work, json_data.token, own.now())
    own.people.drop(user_id)
    return Response(status=204)


@blueprint.post("/auth/email/resend")
@signed_in()
@blueprint.output(Empty, status_code=202)
def resend_verification() -> Response:
    """Ask for the mail that verifies one's address once more."""
    own = parts()
    account = _own_account(own)
    own.rates.spend(rates.MAILS_TO_ADDRESSEE, email_key(account.email))
    if not account.email_verified:
        _mail_later(own, account.email, _VERIFY)
    return Response("{}", status=202, content_type="application/json")


@blueprint.get("/me")
@signed_in()
@blueprint.output(models.Me)
def get_me() -> dict[str, Any]:
    """One's own account."""
    return _members(_own_account(parts()))


@blueprint.patch("/me")
@signed_in()
@blueprint.input(models.MeChanges)
@blueprint.output(models.Me)
def change_me(json_data: models.MeChanges) -> dict[str, Any]:
    """Change one's own account; the picture and the text about oneself are for instructors."""
    own = parts()
    changes = json_data.model_dump(include=json_data.model_fields_set)
    if not changes:
        return _members(_own_account(own))
    with own.database.unit_of_work() as unit_of_work:
        account = handlers.update_account(unit_of_work, caller().id, changes, own.now())
    own.people.drop(account.id)
    return _members(account)


@blueprint.get("/admin/users")
@signed_in("admin")
@blueprint.input(models.UsersQuery, location="query")
@blueprint.output(models.Users)
def list_users(query_data: models.UsersQuery) -> dict[str, Any]:
    """The accounts, newest first."""
    with parts().database.single_statement() as unit_of_work:
        found = queries.accounts_page(
            unit_of_work.connection,
            limit=query_data.limit + 1,
            after=None if query_data.cursor is None else _read_cursor(query_data.cursor),
            text=query_data.q,
            role=query_data.role,
        )
    items = found[: query_data.limit]
    return {
        "items": [_members(account) for account in items],
        "next_cursor": _cursor(items[-1]) if len(found) > query_data.limit else None,
    }


@blueprint.post("/admin/users/<uuid:user_id>/role")
@signed_in("admin")
@blueprint.input(models.NewRole)
@blueprint.output(models.User)
def set_role(user_id: UUID, json_data: models.NewRole) -> dict[str, Any]:
    """Give someone a role."""
    own = parts()
    with own.database.unit_of_work() as unit_of_work:
        account = handlers.set_role(unit_of_work, user_id, json_data.role)
    own.people.drop(account.id)
    return _members(account)


@well_known.get("/.well-known/jwks.json")
@well_known.output(models.KeySet)
def key_set() -> tuple[dict[str, Any], int, dict[str, str]]:
    """The public keys that verify access tokens."""
    return parts().tokens.keys.published(), 200, {"Cache-Control": "public, max-age=300"}


def _own_account(own: Parts) -> Account:
    with own.database.single_statement() as unit_of_work:
        account = queries.account_by_id(unit_of_work.connection, caller().id)
    if account is None:
        raise NotFound()
    return account


def _is_right_password(own: Parts, account: Account | None, who: str, password: str) -> bool:
    """Whether it is, counting failures: they are counted before the look, so that many at once gain nothing."""
    spent = ((rates.FAILED_LOGINS_OF_ADDRESS, client_address()), (rates.FAILED_LOGINS_OF_ACCOUNT, who))
    for limit, by_whom in spent:
        own.rates.spend(limit, by_whom)
    failed = False
    try:
        failed = not own.passwords.check(None if account is None else account.password_hash, password)
    finally:
        if not failed:
            for limit, by_whom in spent:
                own.rates.give_back(limit, by_whom)
    return not failed


def _mail_later(own: Parts, address: str, purpose: Purpose) -> None:
    """Look the address up, make a token and mail it, all behind the answer; nothing happens when nobody has it."""
    trace = current_trace()

    def work() -> None:
        with traced(trace):
            with own.database.unit_of_work() as unit_of_work:
                account = queries.account_by_email(unit_of_work.connection, email_key(address))
                if account is None or account.status != "active":
                    return
                token = handlers.mail_token(unit_of_work, account.id, purpose, own.now())
            own.post_room.send(purpose, account.email, account.locale, account.display_name, token)

    own.post_room.later(work)


def _signed_in(account: Account, pair: Pair) -> dict[str, Any]:
    return {
        "user": _members(account),
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "expires_in": pair.expires_in,
    }


def _members(account: Account) -> dict[str, Any]:
    return {name: getattr(account, name) for name in Account.__slots__}


def _cursor(account: Account) -> str:
    text = f"{account.created_at.isoformat()} {account.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        created_at, user_id = text.split(" ")
        at = datetime.fromisoformat(created_at)
        if at.tzinfo is None:
            raise ValueError(cursor)
        return at, UUID(user_id)
    except (ValueError, binascii.Error) as error:
        raise Invalid(errors=(FieldError("/cursor", "bad-cursor"),)) from error
