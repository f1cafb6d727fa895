"""Purchase is killed at the worst moments: there is one order, one charge, one refund and one right all the same."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from signal import SIGKILL
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from sqlalchemy.engine import make_url

from chassis.rpc_client import RpcClient
from contracts.events import EntitlementChanged, OrderPaid
from tests.academy import AcademyUnderTest
from tests.faults.conftest import PATIENCE, Learners, eventually_equal
from tests.seed import sow

PRICE = 4900
RELAY_LOCK = 7_402_118
CHECKOUT = {"withdrawal_waiver": True}


@pytest.fixture
def buyers(academy: AcademyUnderTest, rpc: RpcClient) -> Learners:
    """Students beside a course that is for sale."""
    return Learners(academy, sow(academy.settings, rpc, students=12, lessons=2, price=PRICE))


def ask(buyers: Learners, user_id: UUID, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {buyers.seed.tokens[user_id]}"}
    return httpx.request(method, f"{buyers.academy.base_url}/v1{path}", json=body, headers=headers, timeout=10)


def checkout(buyers: Learners, user_id: UUID) -> dict[str, Any]:
    """The answer to checking out, asked for again as long as it is "not now"."""
    until = time.monotonic() + PATIENCE
    while (
        answer := ask(buyers, user_id, "POST", f"/courses/{buyers.seed.course_id}/checkout", CHECKOUT)
    ).status_code != 201:
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < until
        time.sleep(0.05)
    found: dict[str, Any] = answer.json()
    return found


def has_access(buyers: Learners, user_id: UUID) -> bool | None:
    answer = ask(buyers, user_id, "GET", f"/courses/{buyers.seed.course_id}/access")
    return answer.json().get("has_access") if answer.status_code == 200 else None


def told(buyers: Learners, kind: str, user_id: UUID) -> int:
    """How many events of a kind purchase has told of this student, published or not yet."""
    events = "select type, data from outbox union all select type, data from event_log"
    statement = f"select count(*) as n from ({events}) e where type = :kind and data ->> 'user_id' = :user_id"
    return int(buyers.rows("purchase", statement, kind=kind, user_id=str(user_id))[0].n)


def orders_of(buyers: Learners, user_id: UUID) -> list[Any]:
    return buyers.rows("purchase", "select * from orders where user_id = :user_id", user_id=user_id)


@contextmanager
def nothing_is_published(academy: AcademyUnderTest) -> Iterator[None]:
    """Keep purchase's relay from publishing: commits stay in the outbox."""
    url = make_url(academy.database_url("purchase")).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [RELAY_LOCK])
        yield


def test_killed_between_stripes_answer_and_our_commit_the_student_gets_the_same_page_and_is_charged_once(
    academy: AcademyUnderTest, buyers: Learners
) -> None:
    user_id = next(iter(buyers.seed.tokens))
    before = academy.sandbox.counts()
    hold = academy.sandbox.hold("POST /v1/checkout/sessions")
    lost = threading.Thread(
        target=lambda: ask(buyers, user_id, "POST", f"/courses/{buyers.seed.course_id}/checkout", CHECKOUT)
    )
    lost.start()
    hold.wait_until_holding()
    academy.kill("purchase", SIGKILL)
    hold.release()
    lost.join()
    academy.wait_until_ready("purchase")

    order = checkout(buyers, user_id)
    assert checkout(buyers, user_id) == order
    academy.sandbox.pay(order["session_id"])

    eventually_equal(lambda: has_access(buyers, user_id), True)
    after = academy.sandbox.counts()
    assert after["checkout.session"] - before.get("checkout.session", 0) == 1
    assert after["charge"] - before.get("charge", 0) == 1
    assert [row.status for row in orders_of(buyers, user_id)] == ["paid"]
    assert (told(buyers, OrderPaid.type, user_id), told(buyers, EntitlementChanged.type, user_id)) == (1, 1)


def test_killed_between_stripes_refund_and_our_commit_the_money_goes_back_once(
    academy: AcademyUnderTest, buyers: Learners, rpc: RpcClient
) -> None:
    user_id = next(iter(buyers.seed.tokens))
    order = checkout(buyers, user_id)
    academy.sandbox.pay(order["session_id"])
    eventually_equal(lambda: has_access(buyers, user_id), True)
    before = academy.sandbox.counts().get("refund", 0)
    hold = academy.sandbox.hold("POST /v1/refunds")
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(
            rpc.call, "purchase", "refund_order", 5.0, order_id=order["order_id"], request_id=str(uuid4())
        )
        hold.wait_until_holding()
        academy.kill("purchase", SIGKILL)
        hold.release()
        lost.exception()
    academy.wait_until_ready("purchase")

    unanswered = "select count(*) as n from refund_requests where refund_id is null"
    eventually_equal(lambda: buyers.rows("purchase", unanswered)[0].n, 0)
    eventually_equal(lambda: has_access(buyers, user_id), False)
    assert academy.sandbox.counts()["refund"] - before == 1
    assert [(row.status, row.refunded) for row in orders_of(buyers, user_id)] == [("refunded", PRICE)]


def test_killed_between_commit_and_publishing_the_right_is_told_once(
    academy: AcademyUnderTest, buyers: Learners
) -> None:
    user_id = next(iter(buyers.seed.tokens))
    order = checkout(buyers, user_id)
    with nothing_is_published(academy):
        academy.sandbox.pay(order["session_id"])
        eventually_equal(lambda: [row.status for row in orders_of(buyers, user_id)], ["paid"])
        academy.kill("purchase", SIGKILL)
    academy.wait_until_ready("purchase")

    rights = "select live from entitlements where user_id = :user_id"
    eventually_equal(lambda: [row.live for row in buyers.rows("progress", rights, user_id=user_id)], [True])
    assert (told(buyers, OrderPaid.type, user_id), told(buyers, EntitlementChanged.type, user_id)) == (1, 1)


def test_killed_again_and_again_while_students_pay_everyone_is_in_once(
    academy: AcademyUnderTest, buyers: Learners
) -> None:
    def buy(user_id: UUID) -> None:
        academy.sandbox.pay(checkout(buyers, user_id)["session_id"])

    with ThreadPoolExecutor(4) as pool:
        bought = [pool.submit(buy, user_id) for user_id in buyers.seed.tokens]
        for _ in range(3):
            academy.wait_until_ready("purchase")
            academy.kill("purchase", SIGKILL)
        for one in bought:
            one.result()

    everyone = dict.fromkeys(buyers.seed.tokens, True)
    eventually_equal(lambda: {user_id: has_access(buyers, user_id) for user_id in everyone}, everyone)
    for user_id in everyone:
        assert [row.status for row in orders_of(buyers, user_id)] == ["paid"]
        assert (told(buyers, OrderPaid.type, user_id), told(buyers, EntitlementChanged.type, user_id)) == (1, 1)


def test_while_purchase_is_down_owners_learn_and_what_is_paid_meanwhile_opens_with_its_return(
    academy: AcademyUnderTest, buyers: Learners
) -> None:
    owner, payer, *_ = buyers.seed.tokens
    academy.sandbox.pay(checkout(buyers, owner)["session_id"])
    eventually_equal(lambda: has_access(buyers, owner), True)
    order = checkout(buyers, payer)
    academy.hold("purchase")
    try:
        academy.sandbox.pay(order["session_id"])
        lesson = buyers.seed.lesson_ids[0]
        assert ask(buyers, owner, "POST", f"/lessons/{lesson}/complete").json()["first_time"]
        assert ask(buyers, owner, "GET", f"/lessons/{lesson}").status_code == 200
        began = time.monotonic()
        refused = ask(buyers, payer, "GET", f"/lessons/{lesson}")
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/unavailable")
        assert time.monotonic() - began < 3
    finally:
        academy.release("purchase")

    eventually_equal(lambda: has_access(buyers, payer), True)
