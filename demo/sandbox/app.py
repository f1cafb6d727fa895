"""The sandbox as one Flask application, and the settings it is made of."""

from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from demo.sandbox.api import answered, api
from demo.sandbox.control import control
from demo.sandbox.errors import StripeError
from demo.sandbox.interference import Interference
from demo.sandbox.pages import pages
from demo.sandbox.store import Store
from demo.sandbox.webhooks import Webhooks

FILE = "sandbox.sqlite"


@dataclass(frozen=True)
class SandboxSettings:
    """Where it keeps its state, and how the academy and it know one another. With no `webhook_url` webhooks wait."""

    state: Path
    base_url: str
    api_key: str
    webhook_secret: str
    webhook_url: str


def make_app(settings: SandboxSettings) -> Flask:
    """Return the application; its webhooks are on their way from now on."""
    app = Flask(__name__, static_folder=None)
    store = Store(settings.state / FILE)
    webhooks = Webhooks(store, settings.base_url, settings.webhook_url, settings.webhook_secret)
    interference = Interference()
    app.register_blueprint(api(store, settings.base_url, settings.api_key, interference))
    app.register_blueprint(control(store, settings.base_url, settings.api_key, interference))
    app.register_blueprint(pages(store, settings.base_url))

    @app.get("/health/ready")
    def ready() -> Response:
        return answered({"ready": True})

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> HTTPException | Response:
        """Stripe answers its errors in JSON, also where there is no such route."""
        if not request.path.startswith("/v1/"):
            return error
        said = StripeError(f"Unrecognized request URL ({request.method}: {request.path}).")
        return answered(said.body(), error.code or 404)

    @app.after_request
    def look_for_events(response: Response) -> Response:
        if request.method == "POST":
            webhooks.wake()
        return response

    webhooks.start()
    return app
