"""Whether the gateway and the services behind it answer."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from chassis.database import is_database_away
from gateway.dependencies import parts, upstream
from gateway.schemas import Out, to_json

blueprint = APIBlueprint("operations", __name__, tag="Operations")


class Live(Out):
    """The process answers."""

    status: str


class Ready(Out):
    """Each service by name: answering or not."""

    status: str
    services: dict[str, bool]


_DEGRADED: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    503: {
        "description": "One of them does not",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ready"}}},
    }
}


@blueprint.get("/health/live")
@blueprint.output(Live)
def live() -> dict[str, str]:
    """Whether this process answers."""
    return {"status": "ok"}


@blueprint.get("/health/ready")
@blueprint.output(Ready)
@blueprint.doc(responses=_DEGRADED)
def ready() -> Response:
    """Whether each service answers; 503 while one does not."""
    answering = upstream().ready()
    # the gateway itself needs the accounts' database, others the service beside it
    services = {**answering, "accounts": answering.get("accounts", True) and _accounts_answer()}
    everything = all(services.values())
    body = Ready(status="ok" if everything else "degraded", services=services)
    return Response(to_json(body), status=200 if everything else 503, content_type="application/json")


def _accounts_answer() -> bool:
    try:
        parts().database.ping()
    except Exception as error:
        if not is_database_away(error):
            raise
        return False
    return True
