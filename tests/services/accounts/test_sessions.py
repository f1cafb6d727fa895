"""Logging in and out, and the rotation of refresh tokens."""

from collections import Counter
from collections.abc import Callable

from sqlalchemy import select, update

from chassis.database import Database
from gateway.tables import refresh_tokens, users
from tests.services.accounts.conftest import PASSWORD, Clock, Someone, at_once

Make = Callable[..., Someone]


def test_logging_in_takes_the_address_in_any_case(ber: Someone, someone: Make) -> None:
    assert someone().log_in("BER@tanka.EXAMPLE").user == ber.user


def test_a_wrong_password_and_an_unknown_address_are_answered_the_same(ber: Someone, someone: Make) -> None:
    wrong = someone().post("/v1/auth/login", {"email": "ber@tanka.example", "password": "wrong-wrong"})
    unknown = someone().post("/v1/auth/login", {"email": "nobody@tanka.example", "password": PASSWORD})

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json == unknown.json
    assert wrong.json is not None
    assert wrong.json["type"] == "/problems/bad-credentials"
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_refresh_token_gives_a_new_pair_that_works(ber: Someone, someone: Make) -> None:
    pair = ber.renew().json

    assert pair is not None
    assert pair["expires_in"] == 900
    assert pair["refresh_token"] != ber.refresh
    assert someone().get("/v1/me", headers={"Authorization": f"Bearer {pair['access_token']}"}).status_code == 200
    assert ber.renew(pair["refresh_token"]).status_code == 200


def test_a_refresh_token_used_again_ends_the_whole_family(ber: Someone, someone: Make) -> None:
    elsewhere = someone().log_in()
    pair = ber.renew().json
    assert pair is not None

    reused = ber.renew()

    assert reused.status_code == 401
    assert reused.json is not None
    assert reused.json["type"] == "/problems/bad-refresh-token"
    assert ber.renew(pair["refresh_token"]).status_code == 401
    assert elsewhere.renew().status_code == 200


def test_the_same_key_within_a_minute_is_a_retry_and_gets_the_same_pair(ber: Someone, clock: Clock) -> None:
    first = ber.renew(key="phone-1")
    clock.pass_by(seconds=60)
    ber.address = "198.51.100.9"

    again = ber.renew(key="phone-1")

    assert again.status_code == 200
    assert again.json == first.json
    assert first.json is not None
    assert ber.renew(first.json["refresh_token"]).status_code == 200


def test_the_same_key_after_a_minute_is_a_reuse(ber: Someone, clock: Clock) -> None:
    first = ber.renew(key="phone-1").json
    assert first is not None
    clock.pass_by(seconds=61)

    assert ber.renew(key="phone-1").status_code == 401
    assert ber.renew(first["refresh_token"]).status_code == 401


def test_another_key_within_a_minute_is_a_reuse(ber: Someone) -> None:
    first = ber.renew(key="phone-1").json
    assert first is not None

    assert ber.renew(key="phone-2").status_code == 401
    assert ber.renew(first["refresh_token"]).status_code == 401


def test_two_refreshes_at_once_without_a_key_are_a_theft(ber: Someone) -> None:
    answers = at_once(4, lambda _: ber.renew())

    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 3}
    (good,) = (answer for answer in answers if answer.status_code == 200)
    assert good.json is not None
    assert ber.renew(good.json["refresh_token"]).status_code == 401


def test_two_refreshes_at_once_with_one_key_get_one_pair(ber: Someone) -> None:
    answers = at_once(4, lambda _: ber.renew(key="phone-1"))

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json is not None
    assert ber.renew(answers[0].json["refresh_token"]).status_code == 200


def test_a_refresh_token_expires_after_thirty_days(ber: Someone, clock: Clock) -> None:
    clock.pass_by(days=30)

    assert ber.renew().status_code == 401


def test_tokens_are_stored_as_digests_only(ber: Someone, database: Database) -> None:
    pair = ber.renew(key="phone-1").json
    assert pair is not None

    with database.single_statement() as unit_of_work:
        stored = repr(unit_of_work.connection.execute(select(refresh_tokens)).all())

    assert ber.refresh not in stored
    assert pair["refresh_token"] not in stored
    assert pair["access_token"] not in stored


def test_logging_out_ends_that_log_in_only(ber: Someone, someone: Make) -> None:
    elsewhere = someone().log_in()

    assert ber.post("/v1/auth/logout", {"refresh_token": ber.refresh}).status_code == 204

    assert ber.renew().status_code == 401
    assert elsewhere.renew().status_code == 200


def test_nobody_logs_somebody_else_out(ber: Someone, someone: Make) -> None:
    awa = someone().register("awa@tanka.example")

    assert awa.post("/v1/auth/logout", {"refresh_token": ber.refresh}).status_code == 204

    assert ber.renew().status_code == 200


def test_logging_out_needs_someone(someone: Make, ber: Someone) -> None:
    assert someone().post("/v1/auth/logout", {"refresh_token": ber.refresh}).status_code == 401


def test_who_was_erased_is_nobody_at_once(ber: Someone, someone: Make, database: Database) -> None:
    from uuid import UUID

    assert ber.get("/v1/me").status_code == 200
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(update(users).values(status="erased"))
    ber._app.parts.people.drop(UUID(ber.user["id"]))

    assert ber.get("/v1/me").status_code == 401
    assert ber.renew().status_code == 401
    login = someone().post("/v1/auth/login", {"email": "ber@tanka.example", "password": PASSWORD})
    assert login.status_code == 401


def test_an_old_hash_is_made_stronger_when_its_owner_logs_in(ber: Someone, someone: Make, database: Database) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(update(users).values(password_hash=weak))

    someone().log_in()

    with database.single_statement() as unit_of_work:
        assert "m=19456" in unit_of_work.connection.execute(select(users.c.password_hash)).scalar_one()
    someone().log_in()
