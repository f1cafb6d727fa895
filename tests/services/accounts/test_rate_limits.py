"""How often credentials may be tried, counted for all processes together."""

from collections import Counter
from collections.abc import Callable

from chassis.database import Database
from chassis.settings import Settings
from gateway.app import Gateway, create_app
from gateway.dependencies import Dependencies
from gateway.rates import Limit, RateLimiter
from tests.services.accounts.conftest import PASSWORD, Clock, LetterBox, SilentServices, Someone, at_once

Make = Callable[..., Someone]


def _fail(who: Someone, email: str = "ber@tanka.example") -> int:
    return who.post("/v1/auth/login", {"email": email, "password": "wrong-wrong"}).status_code


def test_the_eleventh_failed_log_in_of_an_account_has_to_wait(ber: Someone, someone: Make, clock: Clock) -> None:
    answers = [_fail(someone(f"192.0.2.{number}"), "BER@tanka.example") for number in range(11)]

    assert answers == [401] * 10 + [429]
    refused = someone().post("/v1/auth/login", {"email": "ber@tanka.example", "password": PASSWORD})
    assert refused.status_code == 429
    assert refused.json is not None
    assert refused.json["type"] == "/problems/too-many-requests"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    clock.pass_by(seconds=int(refused.headers["Retry-After"]))
    someone().log_in()


def test_an_address_may_fail_three_hundred_times_a_minute(app: Gateway, someone: Make) -> None:
    limiter = app.parts.rates
    from gateway.rates import FAILED_LOGINS_OF_ADDRESS

    assert (FAILED_LOGINS_OF_ADDRESS.times, FAILED_LOGINS_OF_ADDRESS.seconds) == (300, 60)
    for _ in range(300):
        limiter.spend(FAILED_LOGINS_OF_ADDRESS, "192.0.2.9")

    assert _fail(someone("192.0.2.9"), "someone@tanka.example") == 429
    assert _fail(someone("192.0.2.10"), "someone@tanka.example") == 401


def test_good_log_ins_are_not_counted(ber: Someone, someone: Make) -> None:
    for _ in range(12):
        someone().log_in()


def test_many_guesses_at_once_gain_nothing(ber: Someone, someone: Make) -> None:
    answers = Counter(at_once(16, lambda _: _fail(someone())))

    # a 503 came before the password was looked at, and its place was given back
    assert answers[401] <= 10
    assert set(answers) <= {401, 429, 503}


def test_the_hundred_and_first_registration_from_an_address_has_to_wait(app: Gateway, someone: Make) -> None:
    from gateway.rates import REGISTRATIONS

    assert (REGISTRATIONS.times, REGISTRATIONS.seconds) == (100, 60)
    for _ in range(100):
        app.parts.rates.spend(REGISTRATIONS, "192.0.2.9")

    body = {"email": "awa@tanka.example", "password": PASSWORD, "display_name": "Awa"}

    assert someone("192.0.2.9").post("/v1/auth/register", body).status_code == 429
    assert someone("192.0.2.10").post("/v1/auth/register", body).status_code == 201


def test_an_addressee_gets_three_mails_a_minute(ber: Someone, someone: Make) -> None:
    answers = [
        someone(f"192.0.2.{number}").post("/v1/auth/password/forgot", {"email": "ber@tanka.example"}).status_code
        for number in range(4)
    ]

    assert answers == [202, 202, 202, 429]


def test_wrong_current_passwords_count_as_failed_log_ins(ber: Someone) -> None:
    body = {"current_password": "wrong-wrong", "new_password": "autre-mot-de-passe"}

    assert [ber.post("/v1/auth/password", body).status_code for _ in range(11)] == [422] * 10 + [429]


def test_processes_count_together(database: Database, clock: Clock) -> None:
    limit = Limit("test", 20)
    processes = [RateLimiter(database, clock), RateLimiter(database, clock)]

    def spend(index: int) -> str:
        try:
            for _ in range(5):
                processes[index % 2].spend(limit, "someone")
        except Exception as error:
            return type(error).__name__
        return "within"

    assert at_once(4, spend) == ["within"] * 4
    assert spend(0) == "TooManyRequests"


def test_a_window_ends(database: Database, clock: Clock) -> None:
    limiter, limit = RateLimiter(database, clock), Limit("test", 1)
    limiter.spend(limit, "someone")
    clock.pass_by(seconds=60)

    limiter.spend(limit, "someone")


def test_behind_our_proxies_the_address_is_the_one_that_they_saw(
    accounts_settings: Settings, database: Database, clock: Clock, letter_box: LetterBox
) -> None:
    from dataclasses import replace

    app = create_app(
        replace(accounts_settings, trusted_proxies=1), Dependencies(database, SilentServices(), clock, letter_box)
    )
    for _ in range(30):
        app.parts.rates.spend(_asked(), "203.0.113.5")

    def ask(forwarded: str) -> int:
        return (
            Someone(app, "10.0.0.1")
            .post(
                "/v1/auth/password/forgot",
                {"email": "ber@tanka.example"},
                headers={"X-Forwarded-For": forwarded},
            )
            .status_code
        )

    assert ask("203.0.113.5") == 429
    assert ask("198.51.100.1, 203.0.113.5") == 429
    assert ask("203.0.113.5, 198.51.100.1") == 202
    app.parts.close()


def _asked() -> Limit:
    from gateway.rates import MAILS_ASKED_FOR

    return MAILS_ASKED_FOR
