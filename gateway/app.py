"""The Flask application: every route but the streams."""

from dataclasses import dataclass

from apiflask import APIFlask

from chassis.settings import Settings
from gateway import problems
from gateway.auth import Caller
from gateway.dependencies import EXTENSION, Dependencies
from gateway.routes import blueprints
from gateway.schemas import JsonProvider

MAXIMUM_BODY_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Parts:
    """What one process's app is made of."""

    settings: Settings
    dependencies: Dependencies

    def authenticate(self, header: str) -> Caller:
        """The person that an Authorization header stands for. Raises `Unauthorized`."""
        from contracts.errors import Unauthorized

        raise Unauthorized()


class Gateway(APIFlask):
    """APIFlask with our JSON."""

    json_provider_class = JsonProvider


def create_app(settings: Settings, dependencies: Dependencies) -> Gateway:
    """The application, ready to answer."""
    app = Gateway(
        __name__, title="TankaAcademy", version="1.0.0", spec_path="/v1/openapi.json", docs_path=None, json_errors=False,
        static_folder=None,
    )
    app.config.update(MAX_CONTENT_LENGTH=MAXIMUM_BODY_BYTES, AUTO_404_RESPONSE=False, AUTO_SERVERS=False)
    app.extensions[EXTENSION] = Parts(settings, dependencies)
    problems.register(app)
    for blueprint in blueprints():
        app.register_blueprint(blueprint)
    return app
