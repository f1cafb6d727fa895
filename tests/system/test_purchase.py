"""Given a course for sale, whoever pays is in, whoever is refunded is out, and the instructor sees what it earned."""

import hmac
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import httpx
import pytest

from chassis.local.reconciling import reconcile_payments
from tests.academy import AcademyUnderTest
from tests.sandbox import Sandbox
from tests.system.conftest import Course, Visitor, eventually

PRICE = {"amount": 4900, "currency": "EUR"}
WAIVED = {"withdrawal_waiver": True}


@pytest.fixture(scope="package")
def sandbox(academy: AcademyUnderTest) -> Sandbox:
    return academy.sandbox


@pytest.fixture(scope="module")
def sold(new_course: Callable[..., Course]) -> Course:
    """A course for sale, whose lessons cost nothing to try."""
    return new_course(lessons=2, price=PRICE)


def checkout(student: Visitor, course: Course, **more: Any) -> Any:
    return student.done("POST", f"/courses/{course.id}/checkout", WAIVED | more, 201)


def buy(sandbox: Sandbox, student: Visitor, course: Course, **more: Any) -> tuple[str, str]:
    """Order and pay; the order, and Stripe's name of the payment. Returns when the student is let in."""
    order = checkout(student, course, **more)
    session = sandbox.pay(order["session_id"])
    eventually(lambda: has_access(student, course))
    return order["order_id"], session["payment_intent"]


def has_access(student: Visitor, course: Course) -> bool:
    return bool(student.done("GET", f"/courses/{course.id}/access")["has_access"])


def may_read(student: Visitor, course: Course) -> int:
    return student.get(f"/lessons/{course.lessons[0]}").status_code


def order_of(student: Visitor, order_id: str) -> Any:
    return next(item for item in student.get("/me/orders?limit=100").json()["items"] if item["id"] == order_id)


def test_a_student_pays_on_the_page_and_is_in(
    sandbox: Sandbox, new_student: Callable[[], Visitor], sold: Course
) -> None:
    student = new_student()
    assert may_read(student, sold) == 403
    order = checkout(student, sold)

    with httpx.Client(follow_redirects=False) as browser:
        page = browser.get(order["checkout_url"])
        assert page.status_code == 200
        assert "49,00" in page.text.replace("\u202f", " ")
        assert "rétractation" in page.text
    sandbox.pay(order["session_id"])

    eventually(lambda: may_read(student, sold) == 200)
    assert student.done("POST", f"/lessons/{sold.lessons[0]}/complete")["first_time"]
    (mine,) = student.get("/me/enrollments").json()["items"]
    assert (mine["course"]["id"], mine["source"], mine["percent"]) == (sold.id, "purchase", 50)
    paid = order_of(student, order["order_id"])
    assert (paid["status"], paid["amount"], paid["withdrawal_waived"]) == ("paid", PRICE, True)
    eventually(lambda: order_of(student, order["order_id"])["receipt_url"], 20)
    refused = student.post(f"/me/orders/{order['order_id']}/withdraw")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/withdrawal-waived")
    again = student.post(f"/courses/{sold.id}/checkout", WAIVED)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-owned")


def test_a_refused_card_opens_nothing_and_the_same_page_can_be_paid_later(
    sandbox: Sandbox, new_student: Callable[[], Visitor], sold: Course
) -> None:
    student = new_student()
    order = checkout(student, sold)
    sandbox.decline(order["session_id"])
    sandbox.wait_until_told()
    assert not has_access(student, sold)

    assert checkout(student, sold) == order
    sandbox.pay(order["session_id"])

    eventually(lambda: has_access(student, sold))


def test_a_transfer_opens_the_course_when_it_arrives(
    sandbox: Sandbox, new_student: Callable[[], Visitor], sold: Course
) -> None:
    student = new_student()
    order = checkout(student, sold)
    sandbox.pay_later(order["session_id"])
    eventually(lambda: order_of(student, order["order_id"])["status"] == "processing")
    assert not has_access(student, sold)
    waiting = student.post(f"/courses/{sold.id}/checkout", WAIVED)
    assert (waiting.status_code, waiting.json()["type"]) == (409, "/problems/payment-under-way")

    sandbox.settle(order["session_id"], "succeed")

    eventually(lambda: has_access(student, sold))


def test_two_browsers_at_once_pay_once(sandbox: Sandbox, new_student: Callable[[], Visitor], sold: Course) -> None:
    student = new_student()
    with ThreadPoolExecutor(8) as pool:
        orders = list(pool.map(lambda _: checkout(student, sold), range(8)))

    assert len({order["session_id"] for order in orders}) == 1
    sandbox.pay(orders[0]["session_id"])
    eventually(lambda: has_access(student, sold))
    assert len(student.get("/me/orders").json()["items"]) == 1
    assert len(student.get("/me/enrollments").json()["items"]) == 1


def test_an_admin_refunds_a_part_and_then_all_and_only_then_the_student_is_out(
    sandbox: Sandbox, new_student: Callable[[], Visitor], admin: Visitor, new_course: Callable[..., Course]
) -> None:
    student, other = new_student(), new_student()
    course = new_course(lessons=2, price=PRICE)
    order_id, _ = buy(sandbox, student, course)
    buy(sandbox, other, course)
    student.done("POST", f"/lessons/{course.lessons[0]}/complete")

    admin.done("POST", f"/admin/orders/{order_id}/refund", {"amount": 1000}, 202)
    eventually(lambda: order_of(student, order_id)["status"] == "partially_refunded")
    assert may_read(student, course) == 200
    admin.done("POST", f"/admin/orders/{order_id}/refund", {}, 202)

    eventually(lambda: may_read(student, course) == 403)
    assert order_of(student, order_id)["status"] == "refunded"
    assert student.post(f"/lessons/{course.lessons[1]}/complete").status_code == 403
    assert student.get("/me/enrollments").json()["items"] == []
    assert may_read(other, course) == 200
    buy(sandbox, student, course)
    assert student.get(f"/courses/{course.id}/progress").json()["percent"] == 50


def test_a_dispute_closes_the_course_until_it_is_won(
    sandbox: Sandbox, new_student: Callable[[], Visitor], sold: Course
) -> None:
    student = new_student()
    order_id, payment = buy(sandbox, student, sold)
    dispute = sandbox.dispute(payment)["id"]
    eventually(lambda: not has_access(student, sold))
    assert order_of(student, order_id)["status"] == "disputed"

    sandbox.close_dispute(dispute, "won")

    eventually(lambda: has_access(student, sold))


def test_a_gift_opens_a_course_and_ends_by_itself_alone(
    sandbox: Sandbox, new_student: Callable[[], Visitor], admin: Visitor, sold: Course
) -> None:
    student = new_student()
    gift = {"user_id": student.account["id"], "reason": "Gagnante du concours d’été"}
    grant = admin.done("POST", f"/admin/courses/{sold.id}/grants", gift, 201)
    eventually(lambda: student.done("GET", f"/courses/{sold.id}/access") == {"has_access": True, "reason": "gift"})
    assert admin.post(f"/admin/courses/{sold.id}/grants", gift).status_code == 409
    unknown = admin.post(f"/admin/courses/{sold.id}/grants", gift | {"user_id": sold.id})
    assert [error["pointer"] for error in unknown.json()["errors"]] == ["/user_id"]

    admin.done("DELETE", f"/admin/courses/{sold.id}/grants/{grant['id']}", status=204)

    eventually(lambda: not has_access(student, sold))


def test_what_webhooks_never_told_is_found_and_repaired(
    academy: AcademyUnderTest, sandbox: Sandbox, new_student: Callable[[], Visitor], sold: Course
) -> None:
    paid, refunded = new_student(), new_student()
    order_id, payment = buy(sandbox, refunded, sold)
    missed = checkout(paid, sold)
    sandbox.wait_until_told()
    sandbox.turn_webhooks("off")
    try:
        sandbox.pay(missed["session_id"])
        sandbox.refund(payment)
    finally:
        sandbox.turn_webhooks("on")
    assert not has_access(paid, sold)

    reconcile_payments(academy.settings, days=1)

    eventually(lambda: has_access(paid, sold) and not has_access(refunded, sold))
    assert order_of(refunded, order_id)["status"] == "refunded"
    for event in sandbox.events()[:4]:
        sandbox.send_again(event["id"])
    sandbox.wait_until_told()
    assert has_access(paid, sold)
    assert not has_access(refunded, sold)


def test_nobody_but_stripe_can_say_that_something_was_paid(
    academy: AcademyUnderTest, client: httpx.Client, new_student: Callable[[], Visitor], sold: Course
) -> None:
    student = new_student()
    order = checkout(student, sold)
    session = {
        "id": order["session_id"],
        "payment_status": "paid",
        "amount_total": 4900,
        "currency": "eur",
        "payment_intent": "pi_forged",
        "metadata": {"order_id": order["order_id"]},
    }
    event = {"id": "evt_forged", "type": "checkout.session.completed", "created": 1, "livemode": False}
    body = json.dumps(event | {"data": {"object": session}})

    def post(secret: str, at: float, content: str = body) -> int:
        stamp = int(at)
        signature = hmac.new(secret.encode(), f"{stamp}.{content}".encode(), sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={stamp},v1={signature}", "Content-Type": "application/json"}
        return client.post("/v1/webhooks/stripe", content=content.encode(), headers=headers).status_code

    secret = academy.settings.stripe_webhook_secret
    assert post("whsec_guessed", time.time()) == 400
    assert post(secret, time.time() - 600) == 400
    assert client.post("/v1/webhooks/stripe", content=body.encode()).status_code == 400
    unknown = body.replace(order["order_id"], sold.id)
    assert post(secret, time.time(), unknown) == 400
    assert post(secret, time.time(), body.replace("4900", "1")) == 200
    assert not has_access(student, sold)
    assert order_of(student, order["order_id"])["status"] == "open"


def test_an_instructor_sees_what_was_earned_and_by_which_link(
    sandbox: Sandbox,
    client: httpx.Client,
    new_student: Callable[[], Visitor],
    new_instructor: Callable[[], Visitor],
    admin: Visitor,
    category: str,
) -> None:
    author = new_instructor()
    made = author.done("POST", "/courses", {"title": "À vendre", "category": category, "price": PRICE}, 201)
    chapter = author.done("POST", f"/courses/{made['id']}/chapters", {"title": "Un"}, 201)
    lesson = author.done("POST", f"/chapters/{chapter['id']}/lessons", {"title": "Leçon", "kind": "text"}, 201)
    author.done("POST", f"/courses/{made['id']}/publish")
    course = Course(made["id"], made["slug"], [chapter["id"]], [lesson["id"]])
    link = author.done("POST", "/instructors/me/refs", {"target": f"/courses/{course.slug}"}, 201)
    assert link["url"].endswith(f"/courses/{course.slug}?ref={link['ref']}")
    first, second = new_student(), new_student()
    buy(sandbox, first, course, ref=link["ref"])
    order_id, _ = buy(sandbox, second, course)
    first.done("POST", f"/lessons/{lesson['id']}/complete")
    admin.done("POST", f"/admin/orders/{order_id}/refund", {"amount": 900}, 202)

    def settled() -> Any:
        stats = author.get("/instructors/me/stats").json()
        return stats if stats["revenue"]["net"]["amount"] == 8900 and stats["courses"][0]["completion_rate"] else None

    stats = eventually(settled, 20)
    money = {name: stats["revenue"][name]["amount"] for name in ("gross", "refunds", "net")}
    assert money == {"gross": 9800, "refunds": 900, "net": 8900}
    assert (stats["students"], stats["sales"]) == (2, 2)
    (figures,) = stats["courses"]
    assert (figures["course_id"], figures["rank"], figures["completion_rate"]) == (course.id, 1, 0.5)
    today = stats["daily"][-1]
    assert (today["sales"], today["net"]["amount"], today["new_students"], today["lessons_completed"]) == (
        2,
        8900,
        2,
        1,
    )
    brought = next(item for item in stats["refs"] if item["ref"] == link["ref"])
    assert (brought["sales"], brought["net"]["amount"]) == (1, 4900)
    performance = author.get(f"/courses/{course.slug}/performance").json()
    assert (performance["sales"], performance["rank"]) == (2, 1)
    assert performance["median_days_to_complete"] == 0
    assert performance["funnel"] == [{"lesson_id": lesson["id"], "title": "Leçon", "completed": 1, "drop_off": 0.5}]
    table = author.get("/instructors/me/stats", headers={"Accept": "text/csv"})
    assert table.text.splitlines()[-1].endswith(",2,89.00,EUR,2,1")


def test_another_instructor_and_a_student_see_no_numbers(
    sandbox: Sandbox, sold: Course, other_instructor: Visitor, new_student: Callable[[], Visitor]
) -> None:
    holder = new_student()
    buy(sandbox, holder, sold)
    for somebody in (other_instructor, holder):
        assert somebody.get(f"/courses/{sold.id}/performance").status_code == 403
    assert holder.get("/instructors/me/stats").status_code == 403
    others = other_instructor.get("/instructors/me/stats").json()
    assert sold.id not in {item["course_id"] for item in others["courses"]}


def test_while_purchase_is_silent_owners_learn_on_and_see_their_courses(
    academy: AcademyUnderTest, sandbox: Sandbox, new_student: Callable[[], Visitor], sold: Course
) -> None:
    owner, stranger = new_student(), new_student()
    buy(sandbox, owner, sold)
    with academy.silenced("purchase"):
        assert may_read(owner, sold) == 200
        assert owner.done("POST", f"/lessons/{sold.lessons[0]}/complete")["first_time"]
        assert has_access(owner, sold)
        (mine,) = owner.get("/me/enrollments").json()["items"]
        assert (mine["course"]["id"], mine["percent"]) == (sold.id, 50)
        began = time.monotonic()
        refused = stranger.get(f"/lessons/{sold.lessons[0]}")
        assert (refused.status_code, time.monotonic() - began < 3) == (503, True)
        assert "Retry-After" in refused.headers
        assert stranger.post(f"/courses/{sold.id}/checkout", WAIVED).status_code == 503
        assert stranger.get(f"/courses/{sold.id}").status_code == 200
    academy.wait_until_ready("purchase")
    eventually(lambda: may_read(stranger, sold) == 403)
