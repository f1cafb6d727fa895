"""Who is asking, and who may: the decorator of routes that need someone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar, cast
from uuid import UUID

from flask import g, request

from contracts.errors import Forbidden, Unauthorized
from contracts.events.accounts import Role
from gateway.dependencies import parts
from gateway.wrapping import USER_VARIABLE

P = ParamSpec("P")
R = TypeVar("R")

WHO_ATTRIBUTE = "tanka_who"


@dataclass(frozen=True, slots=True)
class Caller:
    """The person whose token the request carries, as the accounts know them now."""

    id: UUID
    session_id: UUID
    role: Role
    time_zone: str
    locale: Literal["fr", "en"]
    access_ends_at: float
    """Seconds since 1970."""


def optional_caller() -> Caller | None:
    """The person who asks, or nobody. Raises `Unauthorized` for a token that is not good."""
    if "caller" not in g:
        header = request.environ.get("HTTP_AUTHORIZATION")
        g.caller = None if header is None else _authenticate(header)
    return cast(Caller | None, g.caller)


def caller() -> Caller:
    """The person who asks. Raises `Unauthorized` when there is none."""
    found = optional_caller()
    if found is None:
        raise Unauthorized()
    return found


def signed_in(*roles: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only someone who is logged in call the view; with roles, only those (an admin always).

    Put it right below the route, so that it comes before the reading of any input.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            someone = caller()
            if roles and someone.role != "admin" and someone.role not in roles:
                raise Forbidden()
            return view(*args, **kwargs)

        cast(Any, guarded).__dict__[WHO_ATTRIBUTE] = roles or ("student",)
        return guarded

    return decorate


def client_address() -> str:
    """The address that the request comes from; behind `TRUSTED_PROXIES` of ours, what the outermost of them saw."""
    hops = parts().settings.trusted_proxies
    if hops:
        seen = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
        if len(seen) >= hops:
            return seen[-hops]
    return request.remote_addr or "unknown"


def _authenticate(header: str) -> Caller:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("bad-token")
    claims = parts().tokens.verify(token.strip())
    person = parts().people.by_id(claims.user_id)
    if person is None:
        raise Unauthorized("bad-token")
    request.environ[USER_VARIABLE] = str(person.id)
    return Caller(person.id, claims.session_id, person.role, person.time_zone, person.locale, claims.expires_at)
