"""Making an account."""

from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import select, text

from chassis.database import Database
from gateway.tables import users
from tests.services.accounts.conftest import PASSWORD, LetterBox, Someone, at_once

BODY = {"email": "Awa@Tanka.example", "password": PASSWORD, "display_name": "Awa"}

Make = Callable[..., Someone]


def test_who_registers_is_logged_in_at_once(someone: Make) -> None:
    answer = someone().post(
        "/v1/auth/register", {**BODY, "time_zone": "Europe/Paris", "locale": "en", "birth_year": 2010, "ref": "yt-42"}
    )

    assert answer.status_code == 201
    assert answer.json is not None
    assert answer.json["expires_in"] == 900
    assert answer.json["user"] == {
        "id": answer.json["user"]["id"],
        "email": "Awa@Tanka.example",
        "display_name": "Awa",
        "role": "student",
        "time_zone": "Europe/Paris",
        "locale": "en",
    }
    me = someone().get("/v1/me", headers={"Authorization": f"Bearer {answer.json['access_token']}"})
    assert me.json is not None
    assert me.json["email_verified"] is False
    assert me.json["created_at"] == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize("email", ["awa@tanka.example", "AWA@TANKA.EXAMPLE", " Awa@Tanka.example "])
def test_an_address_is_taken_in_any_case(someone: Make, email: str) -> None:
    someone().post("/v1/auth/register", BODY)

    answer = someone().post("/v1/auth/register", {**BODY, "email": email})

    assert answer.status_code == 409
    assert answer.json is not None
    assert answer.json["type"] == "/problems/email-taken"


def test_an_address_is_taken_however_its_accents_are_composed(someone: Make) -> None:
    someone().post("/v1/auth/register", {**BODY, "email": "zoe\u0301@tanka.example"})

    assert someone().post("/v1/auth/register", {**BODY, "email": "zo\u00e9@tanka.example"}).status_code == 409


def test_two_registrations_of_one_address_at_once_make_one_account(someone: Make, database: Database) -> None:
    answers = at_once(6, lambda _: someone().post("/v1/auth/register", BODY))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 5}
    with database.single_statement() as unit_of_work:
        assert len(unit_of_work.connection.execute(select(users.c.id)).all()) == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"email": "no address"}, "/email"),
        ({"email": "a@b@c.example"}, "/email"),
        ({"email": 5}, "/email"),
        ({"email": "x" * 250 + "@a.example"}, "/email"),
        ({"password": "1234567"}, "/password"),
        ({"password": None}, "/password"),
        ({"display_name": "  "}, "/display_name"),
        ({"display_name": "\u200b"}, "/display_name"),
        ({"display_name": "a\nb"}, "/display_name"),
        ({"display_name": "a\u202eb"}, "/display_name"),
        ({"display_name": "\u3164 \u2800"}, "/display_name"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "localtime"}, "/time_zone"),
        ({"time_zone": "Factory"}, "/time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone"),
        ({"locale": "de"}, "/locale"),
        ({"birth_year": 1700}, "/birth_year"),
        ({"birth_year": 2026}, "/birth_year"),
        ({"birth_year": "2010"}, "/birth_year"),
        ({"birth_year": 2010.5}, "/birth_year"),
        ({"ref": "<script>"}, "/ref"),
        ({"role": "admin"}, "/role"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(
    someone: Make, database: Database, changes: dict[str, object], pointer: str
) -> None:
    answer = someone().post("/v1/auth/register", {**BODY, **changes})

    assert answer.status_code == 422
    assert answer.json is not None
    assert pointer in [error["pointer"] for error in answer.json["errors"]]
    with database.single_statement() as unit_of_work:
        assert unit_of_work.connection.execute(select(users.c.id)).all() == []


def test_an_empty_body_names_every_field_that_is_required(someone: Make) -> None:
    answer = someone().post("/v1/auth/register")

    assert answer.status_code == 422
    assert answer.json is not None
    assert {error["pointer"] for error in answer.json["errors"]} == {"/email", "/password", "/display_name"}


def test_a_password_keeps_its_spaces_and_is_stored_as_argon2id_only(someone: Make, database: Database) -> None:
    someone().post("/v1/auth/register", {**BODY, "password": "  tanka azerty "})

    assert someone().post("/v1/auth/login", {"email": BODY["email"], "password": "tanka azerty"}).status_code == 401
    assert someone().post("/v1/auth/login", {"email": BODY["email"], "password": "  tanka azerty "}).status_code == 200
    with database.single_statement() as unit_of_work:
        stored = unit_of_work.connection.execute(select(users.c.password_hash)).scalar_one()
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_the_account_and_its_events_are_one(someone: Make, database: Database) -> None:
    awa = someone().register("awa@tanka.example", ref="yt-42", time_zone="Africa/Dakar")

    with database.single_statement() as unit_of_work:
        rows = unit_of_work.connection.execute(
            text("select type, partition_key, sequence, data, correlation_id from outbox order by position")
        ).all()
    assert [(row.type, row.partition_key, row.sequence) for row in rows] == [
        ("accounts.user_registered.v1", awa.user["id"], 1),
        ("accounts.user_changed.v1", awa.user["id"], 1),
    ]
    assert rows[0].data["ref"] == "yt-42"
    assert rows[1].data == {
        "user_id": awa.user["id"],
        "role": "student",
        "status": "active",
        "time_zone": "Africa/Dakar",
        "locale": "fr",
        "email_verified": False,
    }
    assert rows[0].correlation_id is not None
    assert "awa" not in str(rows).lower().replace(awa.user["id"], "")


def test_the_mailed_token_verifies_the_address_once(someone: Make, letter_box: LetterBox) -> None:
    awa = someone().register("awa@tanka.example")
    (token,) = letter_box.wait_for("verify-email")

    first = someone().post("/v1/auth/email/verify", {"token": token})
    second = someone().post("/v1/auth/email/verify", {"token": token})

    assert (first.status_code, second.status_code) == (204, 422)
    me = awa.get("/v1/me").json
    assert me is not None
    assert me["email_verified"] is True
    assert letter_box.mails[0][0] == "awa@tanka.example"
