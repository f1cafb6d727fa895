"""Given mails that wait, each goes out at most once, to who wants it, while it is of use."""

import threading
from datetime import datetime, timedelta
from html import escape
from uuid import UUID, uuid4

import pytest

from chassis.mail import NotTaken, Unanswered
from services.notification import mails
from services.notification.domain.mails import DELAYS, UNKNOWN_AFTER
from services.notification.handlers import Choice, read_notification
from tests.services.notification.desk import (
    FRONT,
    NOW,
    TONIGHT,
    Accounts,
    Desk,
    Office,
    badge,
    duel,
    endangered,
    erased,
)


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def office() -> Office:
    return Office()


def send(desk: Desk, accounts: Accounts, office: Office, at: datetime = NOW) -> None:
    """Send what is due."""
    while mails.send_due(desk.database, accounts, office, FRONT, lambda: at) == mails.AT_ONCE:
        pass


def test_a_mail_says_what_the_inbox_says_in_its_readers_language(
    desk: Desk, accounts: Accounts, office: Office
) -> None:
    awa = accounts.add("<Awa> & Co", None)
    ber = accounts.add("Ber", "ber@tanka.example", "en")
    challenge = duel(awa, ber)
    desk.hear(challenge, by_mail=True)

    send(desk, accounts, office)
    send(desk, accounts, office)

    (mail,) = office.taken
    assert (mail.to, mail.subject) == ("ber@tanka.example", "<Awa> & Co challenges you to a duel")
    link = f"{FRONT}/duels/{challenge.duel_id}"
    for part in ("Hello Ber,", link, f"{FRONT}/settings/notifications"):
        assert part in mail.text
        assert part in mail.html
    assert "&lt;Awa&gt; &amp; Co challenges you" in mail.html
    assert "<Awa>" not in mail.html
    assert '<html lang="en">' in mail.html
    assert mail.headers["List-Unsubscribe"] == f"<{FRONT}/settings/notifications>"
    assert desk.mails(ber) == [("sent", 1)]


@pytest.mark.parametrize(
    ("locale", "code", "subject", "call"),
    [
        ("fr", "first_lesson", "Nouveau badge\u00a0: Premiers <pas>", "Voir mes badges"),
        ("en", "first_lesson", "New badge: First {steps}", "See my badges"),
        ("fr", "brand_new", "Nouveau badge", "Voir mes badges"),
    ],
)
def test_the_mail_of_a_badge_names_it_where_it_has_a_name_and_leads_to_all(
    desk: Desk, accounts: Accounts, office: Office, locale: str, code: str, subject: str, call: str
) -> None:
    accounts.badges = {"first_lesson": {"fr": "Premiers <pas>", "en": "First {steps}"}}
    awa = accounts.add("Awa", "awa@tanka.example", locale)
    desk.choose(awa, badge_awarded=Choice(email=True))
    desk.hear(badge(awa, code), by_mail=True)

    send(desk, accounts, office)

    (mail,) = office.taken
    assert mail.subject == subject
    assert f"{call}\n{FRONT}/me\n" in mail.text
    assert f">{call}</a>" in mail.html
    assert f">{escape(subject)}</h1>" in mail.html


def test_a_mail_calls_to_what_its_kind_is_about(desk: Desk, accounts: Accounts, office: Office) -> None:
    awa, ber = accounts.add("Awa", "awa@tanka.example"), accounts.add("Ber", "ber@tanka.example")
    desk.hear(endangered(awa), duel(awa, ber), by_mail=True)

    send(desk, accounts, office)

    calls = {mail.to: mail.html.partition('text-decoration:none">')[2].partition("<")[0] for mail in office.taken}
    assert calls == {"awa@tanka.example": "Garder ma flamme", "ber@tanka.example": "Relever le défi"}


def test_a_rival_who_was_erased_has_no_name_in_the_mail(desk: Desk, accounts: Accounts, office: Office) -> None:
    ber = accounts.add("Ber", "ber@tanka.example")
    desk.hear(duel(uuid4(), ber), by_mail=True)

    send(desk, accounts, office)

    assert office.taken[0].subject == "Quelqu’un te défie en duel"


def test_no_mail_goes_to_who_has_no_proven_address_or_is_gone(desk: Desk, accounts: Accounts, office: Office) -> None:
    unverified, gone = accounts.add("Ber", None), uuid4()
    desk.hear(endangered(unverified), endangered(gone), by_mail=True)

    send(desk, accounts, office)

    assert office.taken == []
    assert desk.mails(unverified) == desk.mails(gone) == [("dropped", 1)]


def test_what_was_switched_off_or_read_meanwhile_is_not_mailed(desk: Desk, accounts: Accounts, office: Office) -> None:
    awa, ber, zoe = (accounts.add(name, f"{name}@tanka.example") for name in ("Awa", "Ber", "Zoe"))
    desk.hear(endangered(awa), endangered(ber), endangered(zoe), by_mail=True)
    desk.choose(awa, streak_endangered=Choice(email=False))
    with desk.database.unit_of_work() as unit_of_work:
        read_notification(unit_of_work, ber, desk.inbox(ber).items[0].id, NOW)
    desk.hear(erased(zoe))

    send(desk, accounts, office)

    assert office.taken == []
    assert (desk.mails(awa), desk.mails(ber), desk.mails(zoe)) == ([("dropped", 1)], [("dropped", 1)], [])


def test_a_warning_is_not_mailed_once_the_streak_has_died(desk: Desk, accounts: Accounts, office: Office) -> None:
    awa = accounts.add("Awa", "awa@tanka.example")
    desk.hear(endangered(awa), by_mail=True)

    send(desk, accounts, office, TONIGHT)

    assert (office.taken, desk.mails(awa)) == ([], [("dropped", 1)])


def test_a_server_that_takes_nothing_is_asked_again_ever_later_and_then_it_is_given_up(
    desk: Desk, accounts: Accounts, office: Office
) -> None:
    awa = accounts.add("Awa", "awa@tanka.example")
    desk.hear(endangered(awa, dies_at=NOW + timedelta(days=2)), by_mail=True)
    office.trouble = NotTaken("busy")
    at = NOW
    for attempt, delay in enumerate(DELAYS, 1):
        send(desk, accounts, office, at)
        send(desk, accounts, office, at + delay - timedelta(seconds=1))
        assert desk.mails(awa) == [("waiting", attempt)]
        at += delay

    send(desk, accounts, office, at)

    assert desk.mails(awa) == [("failed", len(DELAYS) + 1)]
    office.trouble = None
    send(desk, accounts, office, at + timedelta(hours=12))
    assert office.taken == []


def test_a_mail_that_is_taken_at_the_second_attempt_is_sent(desk: Desk, accounts: Accounts, office: Office) -> None:
    awa = accounts.add("Awa", "awa@tanka.example")
    desk.hear(endangered(awa), by_mail=True)
    office.trouble = NotTaken("busy")
    send(desk, accounts, office)
    office.trouble = None

    send(desk, accounts, office, NOW + DELAYS[0])

    assert (len(office.taken), desk.mails(awa)) == (1, [("sent", 2)])


def test_an_address_that_is_refused_for_good_is_not_asked_again(desk: Desk, accounts: Accounts, office: Office) -> None:
    awa = accounts.add("Awa", "awa@tanka.example")
    desk.hear(endangered(awa), by_mail=True)
    office.trouble = NotTaken("no such mailbox", is_final=True)

    send(desk, accounts, office)

    assert desk.mails(awa) == [("failed", 1)]


@pytest.mark.parametrize("trouble", [Unanswered("silence"), RuntimeError("the sender was killed")])
def test_a_mail_that_may_have_gone_out_is_not_sent_again(
    desk: Desk, accounts: Accounts, office: Office, trouble: Exception
) -> None:
    awa = accounts.add("Awa", "awa@tanka.example")
    desk.hear(endangered(awa), by_mail=True)
    office.trouble = trouble
    if isinstance(trouble, RuntimeError):
        with pytest.raises(RuntimeError):
            send(desk, accounts, office)
    else:
        send(desk, accounts, office)
    office.trouble = None

    for at in (NOW, NOW + DELAYS[0], NOW + UNKNOWN_AFTER):
        send(desk, accounts, office, at)

    assert (office.taken, desk.mails(awa)) == ([], [("unknown", 1)])


def test_when_the_sender_ends_in_the_middle_of_a_mail_no_other_mail_is_lost(
    desk: Desk, accounts: Accounts, office: Office
) -> None:
    people = [accounts.add(f"Awa {number}", f"awa{number}@tanka.example") for number in range(6)]
    desk.hear(*(endangered(user_id) for user_id in people), by_mail=True)
    office.trouble = SystemExit()
    with pytest.raises(SystemExit):
        send(desk, accounts, office)
    office.trouble = None

    for at in (NOW, NOW + UNKNOWN_AFTER):
        send(desk, accounts, office, at)

    states = sorted(state for user_id in people for state, _ in desk.mails(user_id))
    assert (states, len(office.taken)) == (["sent"] * 5 + ["unknown"], 5)


def test_while_nobody_knows_the_address_it_waits_and_no_attempt_counts(
    desk: Desk, accounts: Accounts, office: Office
) -> None:
    awa = accounts.add("Awa", "awa@tanka.example")
    desk.hear(endangered(awa), by_mail=True)
    accounts.silent = True
    send(desk, accounts, office)
    assert desk.mails(awa) == [("waiting", 0)]
    accounts.silent = False

    send(desk, accounts, office, NOW + timedelta(minutes=1))

    assert (len(office.taken), desk.mails(awa)) == (1, [("sent", 1)])


def test_two_senders_send_each_mail_once(desk: Desk, accounts: Accounts, office: Office) -> None:
    people: list[UUID] = [accounts.add(f"Awa {number}", f"awa{number}@tanka.example") for number in range(60)]
    desk.hear(*(endangered(user_id) for user_id in people), by_mail=True)

    senders = [threading.Thread(target=send, args=(desk, accounts, office)) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(30)

    assert sorted(mail.to for mail in office.taken) == sorted(f"awa{number}@tanka.example" for number in range(60))
