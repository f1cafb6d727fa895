"""Changing, forgetting and resetting a password."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from chassis.database import Database
from chassis.settings import Settings
from contracts.errors import Unavailable
from gateway.mail import LogMailer, NoMailer, PostRoom, SmtpMailer, mailer_for
from gateway.passwords import Passwords
from gateway.tables import mailed_tokens
from tests.services.accounts.conftest import PASSWORD, Clock, LetterBox, Someone, at_once
from tests.smtp import post_office

NEW = "autre-mot-de-passe"

Make = Callable[..., Someone]


def _log_in(someone: Make, password: str) -> int:
    return someone().post("/v1/auth/login", {"email": "ber@tanka.example", "password": password}).status_code


def _change(who: Someone, current: str = PASSWORD) -> int:
    return who.post("/v1/auth/password", {"current_password": current, "new_password": NEW}).status_code


def test_a_change_ends_every_other_log_in_and_not_this_one(ber: Someone, someone: Make) -> None:
    elsewhere = someone().log_in()

    assert _change(ber) == 204

    assert elsewhere.renew().status_code == 401
    assert ber.renew().status_code == 200
    assert (_log_in(someone, PASSWORD), _log_in(someone, NEW)) == (401, 200)


def test_the_current_password_must_be_right(ber: Someone, someone: Make) -> None:
    answer = ber.post("/v1/auth/password", {"current_password": "not-it-at-all", "new_password": NEW})

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"][0]["pointer"] == "/current_password"
    assert _log_in(someone, PASSWORD) == 200


def test_two_changes_at_once_leave_one_password(ber: Someone, someone: Make) -> None:
    def change(index: int) -> int:
        return ber.post(
            "/v1/auth/password", {"current_password": PASSWORD, "new_password": f"nouveau-{index}-long"}
        ).status_code

    answers = at_once(3, change)

    assert answers.count(204) == 1
    assert set(answers) <= {204, 409, 422}
    assert _log_in(someone, f"nouveau-{answers.index(204)}-long") == 200


def test_a_forgotten_password_is_reset_by_mail_once(ber: Someone, someone: Make, letter_box: LetterBox) -> None:
    assert someone().post("/v1/auth/password/forgot", {"email": "BER@tanka.example"}).status_code == 202
    (token,) = letter_box.wait_for("reset-password")

    first = someone().post("/v1/auth/password/reset", {"token": token, "new_password": NEW})
    second = someone().post("/v1/auth/password/reset", {"token": token, "new_password": "encore-un-autre"})

    assert (first.status_code, second.status_code) == (204, 422)
    assert (_log_in(someone, PASSWORD), _log_in(someone, NEW)) == (401, 200)
    assert ber.renew().status_code == 401
    me = someone().log_in(password=NEW).get("/v1/me").json
    assert me is not None
    assert me["email_verified"] is True


def test_an_unknown_address_is_answered_the_same_and_gets_no_mail(
    ber: Someone, someone: Make, letter_box: LetterBox
) -> None:
    known = someone().post("/v1/auth/password/forgot", {"email": "ber@tanka.example"})
    unknown = someone().post("/v1/auth/password/forgot", {"email": "nobody@tanka.example"})
    letter_box.wait_for("reset-password")

    assert (known.status_code, known.data) == (unknown.status_code, unknown.data) == (202, b"{}")
    assert {to for to, _, _ in letter_box.mails} == {"ber@tanka.example"}


def test_a_reset_token_ends_after_an_hour(ber: Someone, someone: Make, letter_box: LetterBox, clock: Clock) -> None:
    someone().post("/v1/auth/password/forgot", {"email": "ber@tanka.example"})
    (token,) = letter_box.wait_for("reset-password")
    clock.pass_by(hours=1)

    assert someone().post("/v1/auth/password/reset", {"token": token, "new_password": NEW}).status_code == 422


def test_only_the_last_mail_counts(ber: Someone, someone: Make, letter_box: LetterBox) -> None:
    for count in (1, 2):
        someone().post("/v1/auth/password/forgot", {"email": "ber@tanka.example"})
        tokens = letter_box.wait_for("reset-password", count)

    answers = [
        someone().post("/v1/auth/password/reset", {"token": token, "new_password": NEW}).status_code for token in tokens
    ]

    assert answers == [422, 204]


def test_a_token_is_good_for_its_purpose_only(ber: Someone, someone: Make, letter_box: LetterBox) -> None:
    (token,) = letter_box.wait_for("verify-email")

    assert someone().post("/v1/auth/password/reset", {"token": token, "new_password": NEW}).status_code == 422


def test_a_changed_password_ends_the_mailed_link(ber: Someone, someone: Make, letter_box: LetterBox) -> None:
    someone().post("/v1/auth/password/forgot", {"email": "ber@tanka.example"})
    (token,) = letter_box.wait_for("reset-password")
    _change(ber)

    answer = someone().post("/v1/auth/password/reset", {"token": token, "new_password": "celui-du-voleur"})

    assert answer.status_code == 422


def test_one_reset_token_used_by_many_at_once_sets_one_password(
    ber: Someone, someone: Make, letter_box: LetterBox
) -> None:
    someone().post("/v1/auth/password/forgot", {"email": "ber@tanka.example"})
    (token,) = letter_box.wait_for("reset-password")

    def reset(index: int) -> int:
        body = {"token": token, "new_password": f"nouveau-{index}-long"}
        return someone().post("/v1/auth/password/reset", body).status_code

    answers = at_once(4, reset)

    assert sorted(answers) == [204, 422, 422, 422]
    assert _log_in(someone, f"nouveau-{answers.index(204)}-long") == 200


def test_mailed_tokens_are_stored_as_digests(ber: Someone, letter_box: LetterBox, database: Database) -> None:
    (token,) = letter_box.wait_for("verify-email")

    with database.single_statement() as unit_of_work:
        rows = unit_of_work.connection.execute(select(mailed_tokens)).all()

    assert len(rows) == 1
    assert token not in repr(rows)


def test_the_verification_is_mailed_again_on_demand(ber: Someone, letter_box: LetterBox) -> None:
    letter_box.wait_for("verify-email")

    assert ber.post("/v1/auth/email/resend").status_code == 202
    first, second = letter_box.wait_for("verify-email", 2)

    assert ber.post("/v1/auth/email/verify", {"token": first}).status_code == 422
    assert ber.post("/v1/auth/email/verify", {"token": second}).status_code == 204


def test_mails_speak_the_language_of_the_account(someone: Make, letter_box: LetterBox) -> None:
    someone().register("en@tanka.example", locale="en")
    someone().register("fr@tanka.example", locale="fr")
    letter_box.wait_for("verify-email", 2)

    subjects = {to: subject for to, subject, _ in letter_box.mails}

    assert subjects == {
        "en@tanka.example": "Confirm your e-mail address",
        "fr@tanka.example": "Confirme ton adresse e-mail",
    }


def test_mails_go_out_by_smtp_when_it_is_configured() -> None:
    with post_office() as office:
        mailer = mailer_for(Settings(smtp_url=office.url))
        assert isinstance(mailer, SmtpMailer)

        mailer.send("zoe@tanka.example", "Confirme ton adresse", "Voici le lien : é")

    (message,) = office.messages
    assert message["To"] == "zoe@tanka.example"
    assert "Voici le lien : é" in message.get_content()


def test_a_mail_that_is_not_taken_is_told_without_its_address() -> None:
    with post_office() as office, capture_logs() as lines:
        office.refusals["zoe@tanka.example"] = "550 nobody here"
        room = PostRoom(mailer_for(Settings(smtp_url=office.url)), "http://front.example")
        for to in ("zoe@tanka.example", "awa@tanka.example"):
            room.later(partial(room.send, "verify-email", to, "fr", "Zoé", "token"))
        room.close()

    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert (line["event"], line["reason"]) == ("mail failed", "SMTPRecipientsRefused 550")
    assert "exc_info" not in line, "the cause would name the address"
    assert office.addressees == ["awa@tanka.example"]


def test_links_reach_the_log_in_development_only() -> None:
    production = Settings(environment="production", jwt_signing_key="x", amqp_uri="amqp://a:b@c//")

    assert isinstance(mailer_for(Settings()), LogMailer)
    assert isinstance(mailer_for(production), NoMailer)


def test_no_more_than_two_hashes_run_at_once_and_few_wait() -> None:
    passwords = Passwords(at_once=1, waiting=1, patience=0.05)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with passwords._turn():
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(10)
    try:
        with pytest.raises(Unavailable) as refused:
            passwords.hash("tanka-azerty")
        assert refused.value.members == {"retry_after": 1}
        waiting = at_once(3, lambda _: _outcome(passwords))
        assert waiting == ["busy"] * 3
    finally:
        leave.set()
        holder.join()
    assert passwords.check(passwords.hash("tanka-azerty"), "tanka-azerty")


def _outcome(passwords: Passwords) -> str:
    try:
        passwords.hash("tanka-azerty")
    except Unavailable as error:
        return error.problem
    return "done"


def test_nobody_has_no_password() -> None:
    assert Passwords().check(None, "nobody has this password") is False
