"""What happens to the sandbox's payments in the course of time, and how its requests are read."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from stripe._encode import _api_encode

from demo.sandbox import messages
from demo.sandbox.errors import StripeError
from demo.sandbox.parameters import decoded
from demo.sandbox.payments import Payments
from demo.sandbox.store import Store

NOON = 1_800_000_000
HOUR = 3600
At = Callable[[int], Payments]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "sandbox.sqlite")


@pytest.fixture
def at(store: Store) -> At:
    """`at(NOON)`: what happens at that moment."""
    return lambda now: Payments(store, "http://127.0.0.1:1", now)


def wanted(expires_at: int) -> dict[str, Any]:
    price = {"currency": "eur", "unit_amount": "4900", "product_data": {"name": "Cours"}}
    return {
        "mode": "payment",
        "success_url": "http://127.0.0.1/",
        "expires_at": str(expires_at),
        "line_items": {"0": {"quantity": "1", "price_data": price}},
    }


def told(store: Store) -> list[str]:
    return [event["type"] for event in store.page("event", 100)[0]][::-1]


def test_a_page_closes_by_itself_when_its_time_is_over(store: Store, at: At) -> None:
    session = at(NOON).open_session(wanted(NOON + HOUR))

    at(NOON + HOUR - 1).expire_due()
    before = store.get("checkout.session", session["id"])
    at(NOON + HOUR).expire_due()
    after = store.get("checkout.session", session["id"])

    assert before is not None
    assert after is not None
    assert (before["status"], after["status"], after["url"]) == ("open", "expired", None)
    assert told(store) == ["checkout.session.expired"]


def test_nobody_pays_on_a_page_whose_time_is_over_even_before_it_is_closed(store: Store, at: At) -> None:
    session = at(NOON).open_session(wanted(NOON + HOUR))

    for attempt in ("pay", "decline", "pay_later"):
        with pytest.raises(StripeError, match="no longer open"):
            getattr(at(NOON + HOUR), attempt)(session["id"])

    assert store.counts() == {"checkout.session": 1}


def test_a_paid_page_does_not_expire(store: Store, at: At) -> None:
    session = at(NOON).open_session(wanted(NOON + HOUR))
    at(NOON + 1).pay(session["id"])

    at(NOON + 2 * HOUR).expire_due()

    assert "checkout.session.expired" not in told(store)


def test_a_refused_payment_is_cancelled_with_its_page(store: Store, at: At) -> None:
    session = at(NOON).open_session(wanted(NOON + HOUR))
    intent = at(NOON).decline(session["id"])["payment_intent"]

    at(NOON + HOUR).expire_due()

    cancelled = store.get("payment_intent", intent)
    assert cancelled is not None
    assert cancelled["status"] == "canceled"


def test_what_fails_within_a_transaction_leaves_nothing(store: Store, at: At) -> None:
    def pay_and_fail() -> None:
        with store.transaction():
            at(NOON).pay(at(NOON).open_session(wanted(NOON + HOUR))["id"])
            raise KeyError

    with pytest.raises(KeyError):
        pay_and_fail()

    assert store.counts() == {}
    assert store.deliveries() == []


NAMES = some.text("abcdefgh_", min_size=1, max_size=8)
TREES: Any = some.dictionaries(
    NAMES,
    some.recursive(
        some.text(max_size=12),
        lambda below: (
            some.dictionaries(NAMES, below, min_size=1, max_size=3) | some.lists(below, min_size=1, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def numbered(tree: Any) -> Any:
    """The tree with lists as what they are in a form: numbers and what stands there."""
    if isinstance(tree, list):
        return {str(index): numbered(one) for index, one in enumerate(tree)}
    return {name: numbered(one) for name, one in tree.items()} if isinstance(tree, dict) else tree


@given(TREES)
def test_requests_are_read_as_the_real_library_writes_them(tree: dict[str, Any]) -> None:
    assert decoded((name, str(value)) for name, value in _api_encode(tree)) == numbered(tree)


@pytest.mark.parametrize(
    ("amount", "currency", "french", "english"),
    [
        (4900, "eur", "49,00 €", "€49.00"),
        (123450, "eur", "1 234,50 €", "€1,234.50"),
        (5000, "xof", "5 000 F CFA", "F CFA5,000"),
    ],
)
def test_amounts_are_written_as_people_write_them(amount: int, currency: str, french: str, english: str) -> None:
    written = [re.sub(r"\s", " ", messages.money(amount, currency, language)) for language in ("fr", "en")]

    assert written == [french, english]
    assert messages.smallest_unit(" 12,50 ", "eur") == messages.smallest_unit("12.50", "eur") == 1250


def test_both_languages_have_every_message_that_the_pages_use() -> None:
    templates = Path(messages.__file__).parent / "templates"
    source = "".join(path.read_text() for path in templates.glob("*.html"))
    used = set(re.findall(r'say\("([a-z._]+[a-z])"', source))
    french, english = messages.catalogue("fr"), messages.catalogue("en")

    assert french.keys() == english.keys()
    assert used <= french.keys()
    assert {name for name in french if not name.startswith(("state.", "list."))} <= used
