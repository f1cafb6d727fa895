"""Idempotency keys: a POST that is sent again is not done again."""

import threading
from collections.abc import Callable, Iterator

import pytest
from apiflask import APIBlueprint
from flask import Response, request
from sqlalchemy import select

from chassis.database import Database
from chassis.settings import Settings
from contracts.errors import Conflict, TooManyRequests, Unavailable
from gateway.app import Gateway, create_app
from gateway.auth import signed_in
from gateway.dependencies import Dependencies
from gateway.process import forget_the_past
from gateway.tables import idempotency_keys
from tests.services.accounts.conftest import PASSWORD, Clock, LetterBox, SilentServices, Someone, at_once


class Counted:
    """Routes that count how often they are carried out; they can be made to fail, and the next call to wait."""

    def __init__(self) -> None:
        self.done = 0
        self.error: Exception | None = None
        self.entered = threading.Event()
        self.held = False
        self.leave = threading.Event()

    def blueprint(self) -> APIBlueprint:
        """The routes."""
        blueprint = APIBlueprint("counted", __name__)
        blueprint.add_url_rule("/count", "own", signed_in()(lambda: self.count()), methods=["POST"])
        blueprint.add_url_rule("/count-public", "public", lambda: self.count(), methods=["POST"])
        blueprint.add_url_rule("/count/<name>", "named", lambda name: self.count(), methods=["POST"])
        blueprint.add_url_rule("/count", "read", lambda: self.count(), methods=["GET"])
        return blueprint

    def count(self) -> Response:
        """Do it once more."""
        request.get_data()
        held, self.held = self.held, False
        self.entered.set()
        if held:
            self.leave.wait(10)
        self.done += 1
        if self.error is not None:
            raise self.error
        response = Response(f"{self.done}", status=201, content_type="text/plain; charset=utf-8")
        response.headers["Location"] = f"/count/{self.done}"
        return response


@pytest.fixture
def counted() -> Counted:
    """The routes that count."""
    return Counted()


@pytest.fixture
def app(
    accounts_settings: Settings, database: Database, clock: Clock, letter_box: LetterBox, counted: Counted
) -> Iterator[Gateway]:
    """The gateway's app with the routes that count."""
    app = create_app(accounts_settings, Dependencies(database, SilentServices(), clock, letter_box))
    app.register_blueprint(counted.blueprint())
    yield app
    app.parts.close()


def test_the_first_answer_is_given_again(ber: Someone, counted: Counted) -> None:
    first = ber.post("/count", {"a": 1}, key="k")
    again = ber.post("/count", {"a": 1}, key="k")

    assert counted.done == 1
    assert (again.status_code, again.data, again.content_type) == (first.status_code, first.data, first.content_type)
    assert again.headers["Location"] == "/count/1"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]


def test_another_body_under_the_same_key_is_refused(ber: Someone, counted: Counted) -> None:
    ber.post("/count", {"a": 1}, key="k")

    answer = ber.post("/count", {"a": 2}, key="k")

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["type"] == "/problems/idempotency-key-reused"
    assert counted.done == 1


def test_a_key_is_ones_own_and_of_one_route(ber: Someone, someone: Callable[..., Someone], counted: Counted) -> None:
    awa = someone().register("awa@tanka.example")

    answers = [
        ber.post("/count", key="k"),
        awa.post("/count", key="k"),
        ber.post("/count/a", key="k"),
        ber.post("/count/b", key="k"),
        ber.post("/count", key="other"),
        ber.get("/count", headers={"Idempotency-Key": "k"}),
    ]

    assert [answer.text for answer in answers] == ["1", "2", "3", "4", "5", "6"]


def test_without_a_log_in_a_key_belongs_to_the_address(someone: Callable[..., Someone], counted: Counted) -> None:
    answers = [
        someone(address).post("/count-public", key="k").text for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")
    ]

    assert answers == ["1", "2", "1"]


def test_the_same_key_at_once_is_carried_out_once(ber: Someone, counted: Counted) -> None:
    answers = at_once(8, lambda _: ber.post("/count", {"a": 1}, key="k"))

    assert counted.done == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.text for answer in answers if answer.status_code == 201} == {"1"}


def test_while_the_first_is_running_the_second_is_told_so(ber: Someone, counted: Counted) -> None:
    counted.held = True
    first = threading.Thread(target=lambda: ber.post("/count", key="k"))
    first.start()
    assert counted.entered.wait(10)

    second = ber.post("/count", key="k")
    counted.leave.set()
    first.join()

    assert second.status_code == 409
    assert second.json is not None
    assert second.json["type"] == "/problems/request-in-progress"
    assert ber.post("/count", key="k").status_code == 201
    assert counted.done == 1


def test_a_process_that_died_does_not_hold_its_key(ber: Someone, counted: Counted, clock: Clock) -> None:
    counted.held = True
    dead = threading.Thread(target=lambda: ber.post("/count", key="k"))
    dead.start()
    assert counted.entered.wait(10)
    clock.pass_by(seconds=30)

    second = ber.post("/count", key="k")
    counted.leave.set()
    dead.join()

    assert (second.status_code, second.text) == (201, "1")
    assert ber.post("/count", key="k").text == "1"
    assert counted.done == 2


def test_after_a_day_a_key_is_new(ber: Someone, counted: Counted, clock: Clock) -> None:
    ber.post("/count-public", key="k")
    clock.pass_by(hours=24)
    ber.log_in()

    assert ber.post("/count-public", key="k").text == "2"


@pytest.mark.parametrize("error", [Unavailable(), TooManyRequests(members={"retry_after": 1}), RuntimeError("a fault")])
def test_what_says_later_is_not_kept(ber: Someone, counted: Counted, error: Exception) -> None:
    counted.error = error
    assert ber.post("/count", key="k").status_code in (429, 500, 503)
    counted.error = None

    assert ber.post("/count", key="k").status_code == 201


def test_a_refusal_is_kept_as_any_answer(ber: Someone, counted: Counted) -> None:
    counted.error = Conflict()
    first = ber.post("/count", key="k")
    counted.error = None

    again = ber.post("/count", key="k")

    assert (first.status_code, again.status_code) == (409, 409)
    assert again.json == first.json


def test_a_token_that_is_not_good_keeps_nothing(ber: Someone, counted: Counted) -> None:
    good = ber.access
    ber.access = "x"
    assert ber.post("/count", key="k").status_code == 401

    ber.access = good
    assert ber.post("/count", key="k").status_code == 201


@pytest.mark.parametrize("key", ["", "é", "x" * 201, "a\tb"])
def test_a_key_that_is_none_is_refused(ber: Someone, counted: Counted, key: str) -> None:
    answer = ber.post("/count", headers={"Idempotency-Key": key.encode("utf-8").decode("latin-1")})

    assert answer.status_code == 422
    assert counted.done == 0


def test_a_registration_sent_again_logs_in_the_same_account(
    someone: Callable[..., Someone], database: Database
) -> None:
    body = {"email": "awa@tanka.example", "password": PASSWORD, "display_name": "Awa"}

    first = someone().post("/v1/auth/register", body, key="phone-1")
    again = someone().post("/v1/auth/register", body, key="phone-1")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json == again.json
    assert first.json is not None
    with database.single_statement() as unit_of_work:
        kept = repr(unit_of_work.connection.execute(select(idempotency_keys)).all())
    assert first.json["access_token"] not in kept
    assert "awa" not in kept.lower()


def test_a_form_sent_again_may_have_another_boundary(ber: Someone, counted: Counted) -> None:
    def send(boundary: str, value: str) -> int:
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n{value}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nfile\r\n--{boundary}--\r\n'
        )
        return ber.post(
            "/count", key="k", data=body, content_type=f"multipart/form-data; boundary={boundary}"
        ).status_code

    assert [send("one", "1"), send("two", "1"), send("three", "2")] == [201, 201, 422]
    assert counted.done == 1


def test_what_has_ended_is_forgotten(ber: Someone, database: Database, counted: Counted, clock: Clock) -> None:
    clock.pass_by(days=-2)
    ber.log_in()
    ber.post("/count", key="old")
    with database.single_statement() as unit_of_work:
        assert len(unit_of_work.connection.execute(select(idempotency_keys)).all()) == 1

    forget_the_past(database, clock.at.replace(day=24))

    with database.single_statement() as unit_of_work:
        assert unit_of_work.connection.execute(select(idempotency_keys)).all() == []
