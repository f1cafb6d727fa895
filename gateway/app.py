"""The Flask application: every route but the streams."""

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, cast

from apiflask import APIFlask
from flask import Response, request

from chassis.settings import Settings
from contracts.errors import NotFound, Unauthorized
from gateway import document, problems
from gateway.auth import client_address, optional_caller
from gateway.dependencies import EXTENSION, Dependencies, Parts
from gateway.idempotency import HEADER
from gateway.routes import blueprints
from gateway.schemas import JsonProvider
from gateway.wrapping import Wrapping
from gateway.wsgi import TOO_LARGE

MAXIMUM_BODY_BYTES = 9 * 1024 * 1024
"""An image of 8 MiB and what a form puts around it."""

OWN_RETRIES = frozenset({"accounts.refresh", "purchase.receive_stripe_event"})
"""Endpoints that tell a retry by themselves."""


class Gateway(APIFlask):
    """The app of one process; its parts are in `parts`."""

    json_provider_class = JsonProvider

    def __init__(self, settings: Settings, dependencies: Dependencies) -> None:
        super().__init__(
            __name__,
            title="TankaAcademy",
            version="1.0.0",
            spec_path="/v1/openapi.json",
            docs_path=None,
            json_errors=False,
            static_folder=cast(str, None),
        )
        self.url_map.merge_slashes = False
        self.parts = Parts(settings, dependencies)
        self.extensions[EXTENSION] = self.parts
        self._wrapping = Wrapping(settings)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: no view here is asynchronous, and finding that out costs each request."""
        return func

    def wsgi_app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request, wrapped in what every answer has."""
        return self._wrapping.answer(super().wsgi_app, environ, start_response)

    def full_dispatch_request(self) -> Response:
        """The answer to the present request; a POST with a key may have been answered before."""
        if request.method != "POST" or HEADER not in request.headers or request.endpoint in (None, *OWN_RETRIES):
            return super().full_dispatch_request()
        try:
            _refuse_unreadable()
            return self.parts.idempotency.answer(request, _scope(), super().full_dispatch_request)
        except Exception as error:
            return self.finalize_request(self.handle_user_exception(error), from_error_handler=True)


def create_app(settings: Settings, dependencies: Dependencies) -> Gateway:
    """The application, ready to answer."""
    app = Gateway(settings, dependencies)
    app.config.update(MAX_CONTENT_LENGTH=MAXIMUM_BODY_BYTES)
    problems.register(app)
    app.before_request(_refuse_unreadable)
    for blueprint in blueprints():
        app.register_blueprint(blueprint)
    document.register(app)
    return app


def _refuse_unreadable() -> None:
    if request.environ.get(TOO_LARGE):
        raise problems.TooLarge()
    path = request.path
    if not (path.isascii() and path.isprintable()) and any(unicodedata.category(c) in ("Cc", "Cs") for c in path):
        raise NotFound()


def _scope() -> str:
    try:
        someone = optional_caller()
    except Unauthorized:
        someone = None
    return f"address:{client_address()}" if someone is None else f"user:{someone.id}"
