"""Who is asking, and who may: the decorator of routes that need someone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar, cast
from uuid import UUID

from flask import current_app, g, request

from contracts.errors import Forbidden, Unauthorized
from contracts.events.accounts import Role
from gateway.dependencies import EXTENSION

P = ParamSpec("P")
R = TypeVar("R")

WHO_ATTRIBUTE = "tanka_who"


@dataclass(frozen=True)
class Caller:
    """The person whose token the request carries, as the accounts know them now."""

    id: UUID
    role: Role
    time_zone: str
    locale: Literal["fr", "en"]


def optional_caller() -> Caller | None:
    """The person who asks, or nobody. Raises `Unauthorized` for a token that is not good."""
    if "caller" not in g:
        header = request.headers.get("Authorization")
        g.caller = None if header is None else current_app.extensions[EXTENSION].authenticate(header)
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
