"""Given students and courses, taking, paying, holding and giving reach purchase as they should."""

from uuid import uuid4

import pytest
from flask import request

from gateway.app import Gateway
from gateway.idempotency import request_id
from gateway.messages import say
from tests.unit.gateway_routes.conftest import ADMIN, BER, FakeAcademy, Visitor
from tests.unit.gateway_routes.test_catalogue import tell_changed


def test_a_free_course_is_there_at_once(academy: FakeAcademy, student: Visitor) -> None:
    answer = student.ask("POST", "/courses/web/checkout", json={})
    assert answer.status_code == 201
    assert answer.get_json() == {"order_id": None, "session_id": None, "checkout_url": None}


def test_what_is_owned_cannot_be_taken_again(academy: FakeAcademy, holder: Visitor) -> None:
    answer = holder.ask("POST", f"/courses/{academy.course_id}/checkout", json={"withdrawal_waiver": True})
    assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/already-owned")


def test_a_paid_course_wants_the_waiver_and_then_leads_to_the_payment_page(
    academy: FakeAcademy, student: Visitor
) -> None:
    academy.price = 4900
    refused = student.ask("POST", "/courses/web/checkout", json={})
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.get_json()["errors"]] == ["/withdrawal_waiver"]
    answer = student.ask("POST", "/courses/web/checkout", json={"withdrawal_waiver": True, "ref": "video-42"})
    assert answer.status_code == 201
    assert answer.get_json() == {
        "order_id": str(academy.order_id),
        "session_id": "cs_1",
        "checkout_url": "https://pay.example/cs_1",
    }
    assert academy.arguments == {
        "user_id": BER.id,
        "role": "student",
        "course_id": academy.course_id,
        "email": "student@tanka.example",
        "locale": "fr",
        "success_url": None,
        "cancel_url": None,
        "withdrawal_waiver": True,
        "waiver_text": say("purchase.waiver", "fr"),
        "ref": "video-42",
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://front.example.evil.example/",
        "https://front.example@evil.example/",
        "https://front.example\\@evil.example/",
        "https://evil.example\\@front.example/",
        "https://front.example:444/",
        "https://user:word@front.example/",
        "https:front.example/",
        "https:///front.example/",
        "http://front.example/",
        "//front.example/",
        "javascript:alert(1)",
        "https://[",
        "/merci",
    ],
)
def test_no_address_leads_away_from_the_front_end(url: str, academy: FakeAcademy, student: Visitor) -> None:
    answer = student.ask("POST", "/courses/web/checkout", json={"success_url": url})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/success_url"]
    assert not academy.asked


def test_addresses_of_the_front_end_are_taken(student: Visitor) -> None:
    urls = {"success_url": "https://front.example/merci?x=1", "cancel_url": "https://front.example"}
    assert student.ask("POST", "/courses/web/checkout", json=urls).status_code == 201


@pytest.mark.parametrize("status", ["published", "archived"])
def test_my_courses_carry_the_course_also_when_it_is_archived(
    status: str, academy: FakeAcademy, holder: Visitor, student: Visitor
) -> None:
    academy.status = status
    (item,) = holder.get("/me/enrollments").get_json()["items"]
    assert item["course"]["title"] == academy.title
    assert item["course"]["instructor"]["display_name"] == "Arsène"
    assert "course_id" not in item
    assert "description" not in item["course"]
    assert student.get("/me/enrollments").get_json() == {"items": [], "next_cursor": None}


def titles(visitor: Visitor) -> list[str]:
    return [item["course"]["title"] for item in visitor.get("/me/enrollments").get_json()["items"]]


def test_my_courses_are_asked_for_at_once_without_those_that_are_known(academy: FakeAcademy, holder: Visitor) -> None:
    academy.others = {uuid4(): f"Cours {number}" for number in range(99)}
    holder.get(f"/courses/{academy.course_id}")
    academy.asked.clear()
    for _ in range(3):
        assert titles(holder) == [academy.title, *academy.others.values()]
    assert academy.asked == {"get_user_enrollments": 3, "get_courses": 1}


def test_my_courses_are_shown_from_memory_while_catalog_is_silent(academy: FakeAcademy, holder: Visitor) -> None:
    holder.get(f"/courses/{academy.course_id}")
    academy.silent = {"catalog"}
    assert titles(holder) == [academy.title]
    academy.others = {uuid4(): "Jamais vu"}
    assert holder.get("/me/enrollments").status_code == 503


def test_a_course_that_is_gone_leaves_the_others_of_mine(academy: FakeAcademy, holder: Visitor) -> None:
    academy.others = {uuid4(): "Reste"}
    academy.status = "deleted"
    assert titles(holder) == ["Reste"]


def test_my_courses_show_a_change_at_once(app: Gateway, academy: FakeAcademy, holder: Visitor) -> None:
    academy.others = {uuid4(): "Reste"}
    assert titles(holder) == [academy.title, "Reste"]
    academy.title = "Neuf"
    tell_changed(app, academy)
    assert titles(holder) == ["Neuf", "Reste"]


def test_while_purchase_is_silent_my_courses_come_from_progress(academy: FakeAcademy, holder: Visitor) -> None:
    academy.silent = {"purchase"}
    assert titles(holder) == [academy.title]
    academy.silent = {"purchase", "progress"}
    assert holder.get("/me/enrollments").status_code == 503


@pytest.mark.parametrize("body", ['{"id": "evt"}', '{ "id" :\n"evt",  "é": "\\u00e9" }\n', "", "not json", "\ufeff{}"])
def test_a_webhook_reaches_purchase_to_the_letter(body: str, academy: FakeAcademy, anonymous: Visitor) -> None:
    answer = anonymous.ask(
        "POST", "/webhooks/stripe", data=body.encode(), headers={"Stripe-Signature": "good", "Idempotency-Key": "one"}
    )

    assert (answer.status_code, answer.get_json()) == (200, {"received": True})
    assert academy.arguments == {"payload": body, "signature": "good"}


@pytest.mark.parametrize("headers", [{}, {"Stripe-Signature": "bad"}])
def test_a_webhook_that_is_not_signed_well_is_a_bad_request(headers: dict[str, str], anonymous: Visitor) -> None:
    answer = anonymous.ask("POST", "/webhooks/stripe", data=b"{}", headers=headers)

    assert (answer.status_code, answer.get_json()["type"]) == (400, "/problems/bad-signature")


def test_a_webhook_that_is_no_text_or_too_long_goes_nowhere(academy: FakeAcademy, anonymous: Visitor) -> None:
    good = {"Stripe-Signature": "good"}
    assert anonymous.ask("POST", "/webhooks/stripe", data=b"\xff\xfe", headers=good).status_code == 400
    assert anonymous.ask("POST", "/webhooks/stripe", data=b" " * 1_100_000, headers=good).status_code == 413
    assert not academy.asked


def test_while_purchase_is_silent_stripe_is_told_to_send_it_again(academy: FakeAcademy, anonymous: Visitor) -> None:
    academy.silent = {"purchase"}
    answer = anonymous.ask("POST", "/webhooks/stripe", data=b"{}", headers={"Stripe-Signature": "good"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_my_orders_are_mine(student: Visitor, holder: Visitor) -> None:
    (order,) = student.get("/me/orders").get_json()["items"]
    assert (order["status"], order["amount"], order["withdrawal_waived"]) == (
        "paid",
        {"amount": 4900, "currency": "EUR"},
        True,
    )
    assert order.keys().isdisjoint({"user_id", "user", "refund_due", "ref"})
    assert holder.get("/me/orders").get_json() == {"items": [], "next_cursor": None}


def test_withdrawing_once_waived_is_a_conflict(academy: FakeAcademy, student: Visitor) -> None:
    answer = student.ask("POST", f"/me/orders/{academy.order_id}/withdraw")

    assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/withdrawal-waived")
    assert academy.arguments == {"user_id": BER.id, "order_id": academy.order_id}


def test_admins_see_who_bought_also_when_the_account_is_gone(academy: FakeAcademy, admin: Visitor) -> None:
    answer = admin.get("/admin/orders?refund_due=true&status=paid&limit=5")

    assert [item["user"]["display_name"] for item in answer.get_json()["items"]] == ["Ber", ""]
    assert academy.arguments == {"status": "paid", "refund_due": True, "user_id": None, "limit": 5, "cursor": None}
    assert admin.get("/admin/orders?status=lost").status_code == 422


@pytest.mark.parametrize(("body", "amount"), [({}, 4900), ({"amount": 1000}, 1000), (None, 4900)])
def test_an_admin_refunds_all_or_a_part(body: object, amount: int, academy: FakeAcademy, admin: Visitor) -> None:
    answer = admin.ask("POST", f"/admin/orders/{academy.order_id}/refund", json=body)

    assert answer.status_code == 202
    assert answer.get_json() == {"order_id": str(academy.order_id), "amount": {"amount": amount, "currency": "EUR"}}


def test_a_refund_that_is_asked_for_again_under_its_key_is_the_same_request(app: Gateway, academy: FakeAcademy) -> None:
    path, asked = f"/v1/admin/orders/{academy.order_id}/refund", []
    for key in ("one", "one", "two", None, None):
        headers = {} if key is None else {"Idempotency-Key": key}
        with app.test_request_context(path, headers=headers):
            asked.append(request_id(request, ADMIN.id))

    assert asked[0] == asked[1]
    assert len(set(asked)) == 4


@pytest.mark.parametrize("amount", [0, -1, 1.5, "1000", True, 10**30])
def test_an_amount_that_cannot_be_given_back_is_refused(amount: object, academy: FakeAcademy, admin: Visitor) -> None:
    answer = admin.ask("POST", f"/admin/orders/{academy.order_id}/refund", json={"amount": amount})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/amount"]
    assert not academy.asked


def test_an_admin_gives_a_course_and_takes_it_back(academy: FakeAcademy, admin: Visitor) -> None:
    given = admin.ask("POST", "/admin/courses/web/grants", json={"user_id": str(BER.id), "reason": "Concours"})
    assert (given.status_code, given.get_json()["user_id"]) == (201, str(BER.id))
    assert academy.arguments["granted_by"] == ADMIN.id

    taken = admin.ask("DELETE", f"/admin/courses/{academy.course_id}/grants/{uuid4()}")
    assert (taken.status_code, taken.data) == (204, b"")


def test_nothing_is_given_to_nobody(academy: FakeAcademy, admin: Visitor) -> None:
    answer = admin.ask("POST", "/admin/courses/web/grants", json={"user_id": str(uuid4()), "reason": "Concours"})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/user_id"]


@pytest.mark.parametrize("path", ["/admin/orders", "/admin/orders/{order}/refund", "/admin/courses/web/grants"])
def test_only_admins_refund_and_give(path: str, academy: FakeAcademy, author: Visitor, student: Visitor) -> None:
    path = path.format(order=academy.order_id)
    method = "GET" if path == "/admin/orders" else "POST"
    for somebody in (author, student):
        assert somebody.ask(method, path, json={} if method == "POST" else None).status_code == 403
