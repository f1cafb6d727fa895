"""What every answer gets, whatever view or error made it: request id, log line, metrics, security headers, CORS."""

import re
from collections.abc import Callable, Iterable
from random import Random
from time import perf_counter
from typing import Any

from prometheus_client import Histogram

from chassis.context import Trace, traced
from chassis.settings import Settings
from chassis.telemetry import BUCKETS, get_logger

REQUESTS = Histogram("http_request_seconds", "Requests answered", ["method", "route", "status"], buckets=BUCKETS)

Header = tuple[str, str]
Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

USER_VARIABLE = "tanka.user_id"
"""Where in the environment the view's caller is noted, for the log."""

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}").fullmatch
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PREFLIGHT_SECONDS = "7200"

# an id of a request is no secret: the system's randomness, a call of its own each time, is only asked once
_random = Random()

_log = get_logger("access")


class Wrapping:
    """Wraps a WSGI app for one academy's settings."""

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(settings.front_origins)
        self._security: list[Header] = [
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
        ]
        if settings.public_url.startswith("https://"):
            self._security.append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))

    def answer(self, app: WsgiApp, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The app's answer, with everything that every answer has."""
        given = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _SANE_REQUEST_ID(given) else f"{_random.getrandbits(128):032x}"
        began = perf_counter()
        with traced(Trace(request_id=request_id, correlation_id=request_id)):
            status, route = "500", ""

            def start(line: str, headers: list[Header], exc_info: Any = None) -> Any:
                nonlocal status, route
                status, route = line[:3], _route(environ)
                self._complete(environ, headers, request_id)
                return start_response(line, headers, exc_info)

            if self._is_preflight(environ):
                start("204 No Content", self._permissions(environ))
                body: Iterable[bytes] = ()
            else:
                body = app(environ, start)
            self._record(environ, status, route, perf_counter() - began)
        return body

    def _complete(self, environ: Environ, headers: list[Header], request_id: str) -> None:
        names = {name.lower() for name, _ in headers}
        headers.append(("X-Request-Id", request_id))
        headers.extend(self._security)
        if "content-security-policy" not in names:
            headers.append(("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"))
        if "cache-control" not in names:
            headers.append(("Cache-Control", "no-store"))
        headers.append(("Vary", "Origin"))
        origin = environ.get("HTTP_ORIGIN")
        if origin in self._origins:
            headers.append(("Access-Control-Allow-Origin", origin))
            headers.append(("Access-Control-Expose-Headers", "ETag, Location, Retry-After, X-Request-Id"))

    def _is_preflight(self, environ: Environ) -> bool:
        return environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ

    def _permissions(self, environ: Environ) -> list[Header]:
        if environ.get("HTTP_ORIGIN") not in self._origins:
            return []
        return [
            ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE"),
            (
                "Access-Control-Allow-Headers",
                "Accept, Accept-Language, Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, "
                "X-Request-Id",
            ),
            ("Access-Control-Max-Age", _PREFLIGHT_SECONDS),
        ]

    def _record(self, environ: Environ, status: str, route: str, seconds: float) -> None:
        method = environ["REQUEST_METHOD"]
        REQUESTS.labels(method if method in _METHODS else "other", route, status).observe(seconds)
        _log.info(
            "answered",
            method=method,
            path=environ.get("PATH_INFO", ""),
            route=route,
            status=int(status),
            milliseconds=round(seconds * 1000, 2),
            user_id=environ.get(USER_VARIABLE),
        )


def _route(environ: Environ) -> str:
    """The template of the route that answers; only to be had while Flask is at it."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return "" if rule is None else str(rule.rule)
