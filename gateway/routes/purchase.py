"""Taking courses: checkout, Stripe's webhooks, orders, access and what someone holds; the admins' part of it."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from contracts.errors import BadRequest, FieldError, Invalid, Unavailable
from gateway import catalogue
from gateway.auth import Caller, caller, signed_in
from gateway.dependencies import people, settings, upstream
from gateway.document import answers_also, takes
from gateway.idempotency import request_id
from gateway.messages import say
from gateway.models import purchase as models
from gateway.problems import TooLarge, invalid
from gateway.schemas import MAXIMUM_JSON_BYTES, Empty, Page

SIGNATURE = "Stripe-Signature"

blueprint = APIBlueprint("purchase", __name__, url_prefix="/v1", tag="Purchase")


STRIPE_SECONDS = 2.4
"""How long purchase is waited for where it asks Stripe meanwhile."""


def _call(method: str, deadline: float | None = None, **arguments: Any) -> Any:
    return upstream().call("purchase", method, deadline, **arguments)


@blueprint.post("/courses/<course>/checkout")
@signed_in()
@blueprint.input(models.Checkout)
@blueprint.output(models.CheckoutOut, status_code=201)
@answers_also(308)
def create_checkout(course: str, json_data: models.Checkout) -> Any:
    """Take a course: a free one is yours at once, another is paid for at `checkout_url`."""
    _refuse_foreign(json_data)
    someone = caller()
    return _call(
        "create_checkout",
        STRIPE_SECONDS,
        user_id=someone.id,
        role=someone.role,
        course_id=catalogue.course_id(course, someone),
        email=people().email_of(someone.id),
        locale=someone.locale,
        waiver_text=say("purchase.waiver", someone.locale) if json_data.withdrawal_waiver else "",
        **json_data.model_dump(),
    )


@blueprint.post("/webhooks/stripe")
@takes("application/json", {"type": "object"})
@blueprint.output(models.Received)
@answers_also(400)
def receive_stripe_event() -> dict[str, bool]:
    """Where Stripe tells what became of payments; signed, and harmless when it comes twice."""
    if (request.content_length or 0) > MAXIMUM_JSON_BYTES:
        raise TooLarge()
    try:
        # the signature is of these very bytes
        payload = request.get_data().decode()
    except UnicodeDecodeError as error:
        raise BadRequest("bad-signature") from error
    _call("receive_stripe_event", payload=payload, signature=request.headers.get(SIGNATURE, ""))
    return {"received": True}


@blueprint.get("/courses/<course>/access")
@signed_in()
@blueprint.output(models.Access)
@answers_also(308)
def check_course_access(course: str) -> Any:
    """Whether and why you may see a course."""
    someone = caller()
    return catalogue.access(someone, catalogue.course_id(course, someone))


@blueprint.get("/me/enrollments")
@signed_in()
@blueprint.input(Page, location="query")
@blueprint.output(models.Enrollments)
def get_user_enrollments(query_data: Page) -> Any:
    """Your courses, newest first, archived ones included."""
    answer = _enrollments(caller(), query_data)
    known = catalogue.summaries([item["course_id"] for item in answer["items"]])
    # a course that was deleted a moment ago is no longer anybody's
    items = [item | {"course": known[item["course_id"]]} for item in answer["items"] if item["course_id"] in known]
    return answer | {"items": items}


@blueprint.get("/me/orders")
@signed_in()
@blueprint.input(Page, location="query")
@blueprint.output(models.Orders)
def get_orders(query_data: Page) -> Any:
    """Your orders, newest first."""
    return _call("get_orders", user_id=caller().id, **query_data.model_dump())


@blueprint.post("/me/orders/<uuid:order_id>/withdraw")
@signed_in()
@blueprint.output(models.RefundOut, status_code=202)
def withdraw_order(order_id: UUID) -> Any:
    """Withdraw from an order within 14 days, where you have not waived that, and have your money back."""
    return _call("withdraw_order", STRIPE_SECONDS, user_id=caller().id, order_id=order_id)


@blueprint.get("/admin/orders")
@signed_in("admin")
@blueprint.input(models.OrdersQuery, location="query")
@blueprint.output(models.ListedOrders)
def list_orders(query_data: models.OrdersQuery) -> Any:
    """All orders, newest first; `refund_due` finds those that were paid once too often."""
    answer = _call("list_orders", **query_data.model_dump())
    known = people().by_ids(UUID(item["user_id"]) for item in answer["items"])
    items = []
    for item in answer["items"]:
        buyer = known.get(UUID(item["user_id"]))
        items.append(item | {"user": {"id": item["user_id"], "display_name": buyer.display_name if buyer else ""}})
    return answer | {"items": items}


@blueprint.post("/admin/orders/<uuid:order_id>/refund")
@signed_in("admin")
@blueprint.input(models.RefundIn)
@blueprint.output(models.RefundOut, status_code=202)
def refund_order(order_id: UUID, json_data: models.RefundIn) -> Any:
    """Give back an order's payment, or a part of it."""
    asked = request_id(request, caller().id)
    return _call("refund_order", STRIPE_SECONDS, order_id=order_id, request_id=asked, amount=json_data.amount)


@blueprint.post("/admin/courses/<course>/grants")
@signed_in("admin")
@blueprint.input(models.NewGrant)
@blueprint.output(models.GrantOut, status_code=201)
@answers_also(308)
def grant_course(course: str, json_data: models.NewGrant) -> Any:
    """Give someone a course."""
    if people().by_id(json_data.user_id) is None:
        raise Invalid(errors=invalid("/user_id", "unknown-person"))
    someone = caller()
    course_id = catalogue.course_id(course, someone)
    asked = request_id(request, someone.id)
    return _call("grant_course", course_id=course_id, granted_by=someone.id, request_id=asked, **json_data.model_dump())


@blueprint.delete("/admin/courses/<course>/grants/<uuid:grant_id>")
@signed_in("admin")
@blueprint.output(Empty, status_code=204)
@answers_also(308)
def revoke_grant(course: str, grant_id: UUID) -> Response:
    """Take a gift back; what was bought stays."""
    _call("revoke_grant", course_id=catalogue.course_id(course, caller()), grant_id=grant_id)
    return Response(status=204)


def _enrollments(someone: Caller, page: Page) -> Any:
    """What someone holds, as purchase says; while it is silent, as progress has heard from it."""
    asked = {"user_id": someone.id, **page.model_dump()}
    try:
        return _call("get_user_enrollments", **asked)
    except Unavailable:
        return upstream().call("progress", "get_user_enrollments", **asked)


def _refuse_foreign(wanted: models.Checkout) -> None:
    """Raise `Invalid` for addresses that would lead away from the front end."""
    errors = tuple(
        FieldError(f"/{name}", "foreign-url")
        for name in ("success_url", "cancel_url")
        if (url := getattr(wanted, name)) is not None and not _is_ours(url)
    )
    if errors:
        raise Invalid(errors=errors)


def _is_ours(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return f"{parts.scheme}://{parts.netloc}" in settings().front_origins and url.isprintable() and " " not in url
