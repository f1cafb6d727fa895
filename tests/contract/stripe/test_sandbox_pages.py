"""The sandbox's pages as somebody in a browser meets them."""

import html
import re

import httpx
import pytest

from tests.contract.stripe.conftest import Open
from tests.sandbox import Sandbox

BANNERS = {"fr": "BAC À SABLE : aucun vrai paiement", "en": "SANDBOX: no real payment"}


def text_of(page: httpx.Response) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page.text)))


def get(sandbox: Sandbox, path: str, language: str = "fr") -> httpx.Response:
    return httpx.get(f"{sandbox.url}{path}", headers={"Accept-Language": language})


def press(sandbox: Sandbox, path: str, **fields: str) -> httpx.Response:
    """What a form leads to, its redirections to the sandbox followed."""
    answer = httpx.post(f"{sandbox.url}{path}", data=fields)
    if answer.status_code == 303 and answer.headers["Location"].startswith("/"):
        return get(sandbox, answer.headers["Location"])
    return answer


def test_the_page_shows_what_is_bought_for_how_much_and_what_is_agreed_to(sandbox: Sandbox, opened: Open) -> None:
    page = get(sandbox, f"/pay/{opened().id}")

    assert page.status_code == 200
    for shown in ("Un <b>cours</b> & plus", "49,00 €"):
        assert shown in text_of(page)
    assert "Je renonce au délai de rétractation." in text_of(page)
    assert "<b>cours" not in page.text


def test_no_script_runs_and_a_form_leads_only_here_and_to_the_academy(sandbox: Sandbox, opened: Open) -> None:
    page = get(sandbox, f"/pay/{opened().id}")

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:3000;" in policy
    assert "<script" not in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_every_screen_is_marked_in_the_language_of_the_page(sandbox: Sandbox, opened: Open) -> None:
    pages = [opened(locale=language).id for language in ("fr", "en")]
    charge = sandbox.pay(opened().id)
    receipts = [event["data"]["object"]["receipt_url"] for event in sandbox.events("charge.succeeded")]

    for language, session_id in zip(("fr", "en"), pages, strict=True):
        page = get(sandbox, f"/pay/{session_id}", "de")
        assert f'<html lang="{language}">' in page.text
        assert BANNERS[language] in text_of(page)
    for path in ("/", "/pay/cs_none", f"/pay/{charge['id']}", receipts[0].removeprefix(sandbox.url)):
        assert BANNERS["fr"] in text_of(get(sandbox, path))
    assert BANNERS["en"] in text_of(get(sandbox, "/", "en-GB,en;q=0.9"))


def test_whoever_pays_is_sent_back_and_a_second_click_changes_nothing(sandbox: Sandbox, opened: Open) -> None:
    session_id = opened().id

    first = httpx.post(f"{sandbox.url}/pay/{session_id}/card")
    charges = sandbox.counts()["charge"]
    second = press(sandbox, f"/pay/{session_id}/card")

    assert first.status_code == 303
    assert first.headers["Location"] == f"http://127.0.0.1:3000/merci?session={session_id}"
    assert "C’est déjà payé" in text_of(second)
    assert "Payer par carte" not in text_of(second)
    assert sandbox.counts()["charge"] == charges


def test_a_refused_card_may_be_followed_by_another(sandbox: Sandbox, opened: Open) -> None:
    page = press(sandbox, f"/pay/{opened().id}/refused")

    assert "La carte a été refusée" in text_of(page)
    assert "Payer par carte" in text_of(page)


@pytest.mark.parametrize(("way", "says"), [("arrive", "C’est déjà payé"), ("fail", "Le prélèvement a échoué")])
def test_a_debit_is_decided_on_the_page(sandbox: Sandbox, opened: Open, way: str, says: str) -> None:
    session_id = opened().id

    waiting = press(sandbox, f"/pay/{session_id}/later")
    decided = press(sandbox, f"/pay/{session_id}/{way}")

    assert "Le prélèvement est en cours" in text_of(waiting)
    assert says in text_of(decided)


def test_an_expired_page_says_so_and_takes_nothing(sandbox: Sandbox, opened: Open) -> None:
    session_id = opened().id
    sandbox.expire(session_id)

    for page in (get(sandbox, f"/pay/{session_id}"), press(sandbox, f"/pay/{session_id}/card")):
        assert "Cette page de paiement a expiré" in text_of(page)
        assert "Payer par carte" not in text_of(page)


def test_from_the_list_a_payment_is_refunded_in_part_disputed_and_lost(sandbox: Sandbox, opened: Open) -> None:
    intent = sandbox.pay(opened().id)["payment_intent"]

    page = press(sandbox, f"/payments/{intent}/refund", amount="12,50")
    too_much = press(sandbox, f"/payments/{intent}/refund", amount="40")
    not_a_number = press(sandbox, f"/payments/{intent}/refund", amount="douze")
    disputed = press(sandbox, f"/payments/{intent}/dispute")
    dispute = sandbox.events("charge.dispute.created")[0]["data"]["object"]
    lost = press(sandbox, f"/disputes/{dispute['id']}/lost")

    assert "12,50 € remboursés" in text_of(page)
    for refused in (too_much, not_a_number):
        assert refused.status_code == 409
        assert "Rien n’a changé" in text_of(refused)
    assert "Contesté" in text_of(disputed)
    assert "L’académie perd le litige" in text_of(disputed)
    assert "Perdu : litige perdu" in text_of(lost)
    assert sandbox.events("charge.refunded")[0]["data"]["object"]["amount_refunded"] == 1250
