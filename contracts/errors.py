"""The answers a service gives on purpose when it cannot do what was asked.

They cross the bus as data and become problem documents (RFC 9457) at the gateway, which also finds the words: a
service names the problem and the fields by stable codes, never by sentences.
"""

from typing import Any, ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One field that was refused: a JSON pointer into the request (`/title`), a code of the catalogue, its values."""

    pointer: str
    code: str
    parameters: dict[str, Any] = {}


class ServiceError(Exception):
    """An answer on purpose. `problem` is the slug of the problem's type; `members` go into the problem document."""

    status: ClassVar[int]
    default_problem: ClassVar[str]

    def __init__(
        self, problem: str | None = None, *, errors: tuple[FieldError, ...] = (), members: dict[str, Any] | None = None
    ) -> None:
        self.problem = problem or self.default_problem
        self.errors = errors
        self.members = members or {}
        super().__init__(self.problem)


class BadRequest(ServiceError):
    """The request cannot be read, or is not from whom it says."""

    status = 400
    default_problem = "bad-request"


class Unauthorized(ServiceError):
    """Nobody we know is asking."""

    status = 401
    default_problem = "unauthorized"


class Forbidden(ServiceError):
    """Known to exist, but not for the one who asks."""

    status = 403
    default_problem = "forbidden"


class NotFound(ServiceError):
    """Not there, or not to be known by the one who asks."""

    status = 404
    default_problem = "not-found"


class Conflict(ServiceError):
    """In conflict with the present state."""

    status = 409
    default_problem = "conflict"


class Invalid(ServiceError):
    """Fields that cannot be accepted; `errors` names each."""

    status = 422
    default_problem = "invalid-fields"


class TooManyRequests(ServiceError):
    """Asked too often; `members["retry_after"]` is in seconds."""

    status = 429
    default_problem = "too-many-requests"


class Unavailable(ServiceError):
    """A service that is needed did not answer in time."""

    status = 503
    default_problem = "unavailable"


class InternalError(ServiceError):
    """A fault of ours; the details are in the service's log under the request's id."""

    status = 500
    default_problem = "internal-error"


class ErrorBody(msgspec.Struct, frozen=True):
    """A `ServiceError` as it crosses the bus."""

    status: int
    problem: str
    errors: tuple[FieldError, ...] = ()
    members: dict[str, Any] = {}


_BY_STATUS: dict[int, type[ServiceError]] = {
    error.status: error
    for error in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        Conflict,
        Invalid,
        TooManyRequests,
        Unavailable,
        InternalError,
    )
}


def to_body(error: ServiceError) -> ErrorBody:
    """The error as data."""
    return ErrorBody(status=error.status, problem=error.problem, errors=error.errors, members=error.members)


def from_body(body: ErrorBody) -> ServiceError:
    """The error that the data stands for; an unknown status is an `InternalError`."""
    return _BY_STATUS.get(body.status, InternalError)(body.problem, errors=body.errors, members=body.members)
