"""Notifications: the inbox, its settings, and the live stream that `gateway.streams` goes on with."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from contracts.errors import Unauthorized, Unavailable
from gateway import handlers, notifications, rates
from gateway.auth import caller, signed_in
from gateway.dependencies import parts, people, upstream
from gateway.document import TICKET, answers_also, is_opened_by
from gateway.domain.positions import read_position
from gateway.models import notifications as models
from gateway.schemas import Empty
from gateway.streams import EVENT_STREAM, STREAM_VARIABLE, Opening
from gateway.wrapping import USER_VARIABLE

RETRY_WHEN_FULL = 5

_STREAM: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {"description": "Server-Sent Events", "content": {EVENT_STREAM: {"schema": {"type": "string"}}}}
}

blueprint = APIBlueprint("notifications", __name__, url_prefix="/v1", tag="Notifications")


@blueprint.get("/me/notifications")
@signed_in()
@blueprint.input(models.InboxQuery, location="query")
@blueprint.output(models.Inbox)
def get_notifications(query_data: models.InboxQuery) -> Any:
    """What you were told, newest first."""
    someone = caller()
    answer = upstream().call(
        "notification", "get_notifications", user_id=someone.id, locale=someone.locale, **query_data.model_dump()
    )
    return answer | {"items": notifications.with_names(answer["items"], people(), someone.locale)}


@blueprint.post("/me/notifications/<uuid:notification_id>/read")
@signed_in()
@blueprint.output(Empty, status_code=204)
def read_notification(notification_id: UUID) -> Response:
    """Mark a notification as read."""
    upstream().call("notification", "read_notification", user_id=caller().id, notification_id=notification_id)
    return Response(status=204)


@blueprint.post("/me/notifications/read-all")
@signed_in()
@blueprint.output(Empty, status_code=204)
def read_all_notifications() -> Response:
    """Mark everything as read."""
    upstream().call("notification", "read_all_notifications", user_id=caller().id)
    return Response(status=204)


@blueprint.get("/me/notification-settings")
@signed_in()
@blueprint.output(models.Settings)
def get_notification_settings() -> Any:
    """By which ways each kind of notification reaches you."""
    return upstream().call("notification", "get_settings", user_id=caller().id)


@blueprint.patch("/me/notification-settings")
@signed_in()
@blueprint.input(models.SettingsIn)
@blueprint.output(models.Settings)
def change_notification_settings(json_data: models.SettingsIn) -> Any:
    """Change by which ways some kinds reach you; the others stay."""
    changes = json_data.model_dump(exclude_unset=True)
    return upstream().call("notification", "change_settings", user_id=caller().id, changes=changes)


@blueprint.post("/me/stream-ticket")
@signed_in()
@blueprint.output(models.StreamTicket, status_code=201)
def create_stream_ticket() -> dict[str, Any]:
    """Get what opens one stream where no header can be sent."""
    own, someone = parts(), caller()
    own.rates.spend(rates.STREAM_TICKETS, str(someone.id))
    access_ends_at = datetime.fromtimestamp(someone.access_ends_at, UTC)
    with own.database.unit_of_work() as unit_of_work:
        ticket = handlers.stream_ticket(unit_of_work, someone.id, access_ends_at, own.now())
    return {"ticket": ticket, "expires_in": int(handlers.TICKET_LIFETIME.total_seconds())}


@blueprint.get("/me/stream")
@blueprint.input(models.StreamQuery, location="query")
@blueprint.doc(responses=_STREAM)
@is_opened_by(TICKET)
@answers_also(503)
def get_stream(query_data: models.StreamQuery) -> Response:
    """What happens to you, as Server-Sent Events: `notification`, `game` (as /v1/me/game says) and `duel`.

    A stream ends with the access of the token that opened it; `Last-Event-ID` (or `last_event_id` in the query)
    goes on where another one ended.
    """
    own = parts()
    if own.streams.is_full:
        raise Unavailable("busy", members={"retry_after": RETRY_WHEN_FULL})
    admission = _admission(query_data.ticket)
    request.environ[STREAM_VARIABLE] = Opening(
        user_id=admission.user_id,
        ends_at=admission.access_ends_at.timestamp(),
        position=read_position(request.headers.get("Last-Event-ID") or query_data.last_event_id),
    )
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return Response(content_type=EVENT_STREAM, headers=headers)


def _admission(ticket: str | None) -> handlers.Admission:
    if ticket is None or "Authorization" in request.headers:
        someone = caller()
        return handlers.Admission(someone.id, datetime.fromtimestamp(someone.access_ends_at, UTC))
    own = parts()
    with own.database.unit_of_work() as unit_of_work:
        admission = handlers.take_stream_ticket(unit_of_work, ticket, own.now())
    if own.people.by_id(admission.user_id) is None:
        raise Unauthorized("bad-ticket")
    request.environ[USER_VARIABLE] = str(admission.user_id)
    return admission
