"""Accounts on the wire."""

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from apiflask.fields import UploadFile
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from contracts.events.accounts import Role
from gateway.schemas import In, Line, Out, Page, TimeZone, optional


def _address(email: str) -> str:
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise PydanticCustomError("email", "must be an e-mail address") from None
    return email


_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and signs of Unicode that show nothing."""


def _visible(name: str) -> str:
    if all(unicodedata.category(character)[0] in "ZC" or character in _BLANK for character in name):
        raise PydanticCustomError("required", "must be visible")
    return name


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and " " not in url
    except ValueError:
        good = False
    if not good:
        raise PydanticCustomError("url", "must be an http address")
    return url


Email = Annotated[
    Line, Field(min_length=3, max_length=254, json_schema_extra={"format": "email"}), AfterValidator(_address)
]
Password = Annotated[str, StringConstraints(strip_whitespace=False, min_length=8, max_length=200)]
GivenPassword = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, max_length=200)]
DisplayName = Annotated[Line, Field(min_length=1, max_length=80), AfterValidator(_visible)]
Token = Annotated[str, Field(min_length=1, max_length=200)]
Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", min_length=1, max_length=64)]
BirthYear = Annotated[int, Field(ge=1900, le=2100)]
Locale = Literal["fr", "en"]
WebAddress = Annotated[
    Line, Field(min_length=8, max_length=500, json_schema_extra={"format": "uri"}), AfterValidator(_web_address)
]


class NewAccount(In):
    """Someone who registers; `ref` is the link that brought them."""

    email: Email
    password: Password
    display_name: DisplayName
    time_zone: TimeZone = optional()
    locale: Locale = "fr"
    birth_year: BirthYear | None = None
    ref: Ref | None = None


class Login(In):
    """Someone who logs in."""

    email: Annotated[str, Field(min_length=1, max_length=254)]
    password: GivenPassword


class RefreshToken(In):
    """A refresh token."""

    refresh_token: Token


class NewPassword(In):
    """A change of password by its owner."""

    current_password: GivenPassword
    new_password: Password


class Forgotten(In):
    """Someone who cannot log in."""

    email: Annotated[str, Field(min_length=1, max_length=254)]


class Reset(In):
    """A new password, by the token that was mailed."""

    token: Token
    new_password: Password


class Verification(In):
    """The token that was mailed to prove an address."""

    token: Token


class MeChanges(In):
    """What people may change of themselves; `avatar_url` and `bio` only instructors."""

    display_name: DisplayName = optional()
    time_zone: TimeZone = optional()
    locale: Locale = optional()
    birth_year: BirthYear | None = optional()
    avatar_url: WebAddress | None = optional()
    bio: Annotated[str, Field(max_length=2000)] = optional()


class NewRole(In):
    """A role to be given."""

    role: Role


class UsersQuery(Page):
    """Which accounts are asked for; `q` is looked for in addresses and names."""

    q: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    role: Role | None = None


class ImageIn(In):
    """A picture: PNG, JPEG or WebP, at most 8 MiB."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    image: UploadFile


class User(Out):
    """An account as its owner and admins see it."""

    id: UUID
    email: str
    display_name: str
    role: Role
    time_zone: str
    locale: Locale


class Tokens(Out):
    """A log-in's tokens; `expires_in` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


class SignedIn(Tokens):
    """A log-in: who, and the tokens."""

    user: User


class Me(User):
    """One's own account."""

    email_verified: bool
    created_at: datetime
    birth_year: int | None
    avatar_url: str | None
    bio: str


class ListedUser(User):
    """An account in the admins' list."""

    status: Literal["active", "erased"]
    email_verified: bool
    created_at: datetime


class Users(Out):
    """A page of accounts."""

    items: list[ListedUser]
    next_cursor: str | None


class ImageOut(Out):
    """Where the picture is."""

    url: str


class KeySet(Out):
    """The public keys that verify access tokens (RFC 7517)."""

    keys: list[dict[str, Any]]
