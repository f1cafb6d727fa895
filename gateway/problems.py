"""Every refusal as an RFC 9457 problem document, in the language of the one who asks."""

from typing import Any

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import TooManyRequests as WerkzeugTooManyRequests
from werkzeug.routing import RoutingException

from chassis.database import is_database_away, is_database_slow
from chassis.telemetry import get_logger
from contracts.errors import (
    BadRequest,
    FieldError,
    InternalError,
    NotFound,
    ServiceError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from gateway.messages import asked_language, say

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2

_log = get_logger("gateway")
_encode = msgspec.json.Encoder().encode


class MethodNotAllowed(ServiceError):
    """The path is there, not for this method."""

    status = 405
    default_problem = "method-not-allowed"


class TooLarge(ServiceError):
    """More bytes than anyone needs to send here."""

    status = 413
    default_problem = "too-large"


class UnsupportedMediaType(ServiceError):
    """A body of another media type than the route takes."""

    status = 415
    default_problem = "unsupported-media-type"


_BY_STATUS: dict[int, type[ServiceError]] = {
    error.status: error
    for error in (BadRequest, MethodNotAllowed, NotFound, TooLarge, UnsupportedMediaType, TooManyRequests)
}


def problem_response(error: ServiceError) -> Response:
    """The problem document for a refusal, with the headers that its status asks for."""
    language = asked_language()
    slug = error.problem
    document: dict[str, Any] = {
        "type": f"/problems/{slug}",
        "title": say(
            f"problem.{slug}.title", language, error.members, otherwise=f"problem.{error.default_problem}.title"
        ),
        "status": error.status,
        "detail": say(
            f"problem.{slug}.detail", language, error.members, otherwise=f"problem.{error.default_problem}.detail"
        ),
    }
    if error.errors or error.status == 422:
        document["errors"] = [
            {
                "pointer": field.pointer,
                "detail": say(f"field.{field.code}", language, field.parameters, otherwise="field.invalid"),
            }
            for field in error.errors
        ]
    document.update((name, value) for name, value in error.members.items() if name not in (*document, "retry_after"))
    response = Response(_encode(document), status=error.status, content_type=CONTENT_TYPE)
    response.headers["Content-Language"] = language
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept-Language")
    if error.status == 401:
        given = "Authorization" in request.headers
        response.headers["WWW-Authenticate"] = (
            'Bearer realm="tanka", error="invalid_token"' if given else 'Bearer realm="tanka"'
        )
    if error.status in (429, 503):
        response.headers["Retry-After"] = str(error.members.get("retry_after", RETRY_AFTER_SECONDS))
    return response


def invalid(pointer: str, code: str, **parameters: Any) -> tuple[FieldError, ...]:
    """One refused field, as `errors` of a refusal."""
    return (FieldError(pointer, code, parameters),)


def register(app: Flask) -> None:
    """Let every error of the app become a problem document."""
    app.register_error_handler(ServiceError, _on_service_error)
    app.register_error_handler(HTTPException, _on_http_exception)
    app.register_error_handler(Exception, _on_exception)


def _on_service_error(error: ServiceError) -> Response:
    return problem_response(error)


def _on_http_exception(error: HTTPException) -> Any:
    if isinstance(error, RoutingException) or error.response is not None or error.code is None or error.code < 400:
        return error
    known = _BY_STATUS.get(error.code)
    if known is None:
        return _on_exception(error) if error.code >= 500 else problem_response(BadRequest())
    response = problem_response(known())
    if error.code == 405:
        response.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
    if isinstance(error, WerkzeugTooManyRequests) and error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _on_exception(error: Exception) -> Response:
    if is_database_away(error) or is_database_slow(error):
        _log.warning("the database does not answer", error=type(error).__name__)
        return problem_response(Unavailable())
    _log.error("fault", exc_info=error)
    return problem_response(InternalError())


def unauthorized() -> Unauthorized:
    """Nobody we know is asking."""
    return Unauthorized()
