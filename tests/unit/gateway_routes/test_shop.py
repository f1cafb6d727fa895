"""The shop over HTTP: named in the reader's language, bought in one's own name and time zone."""

import pytest

from tests.unit.gateway_routes.conftest import HOLDER, FakeAcademy, Visitor


@pytest.mark.parametrize(("language", "name"), [("fr", "Gel de flamme"), ("en", "Streak freeze")])
def test_the_shop_names_what_it_sells_in_the_readers_language(holder: Visitor, language: str, name: str) -> None:
    answer = holder.ask("GET", "/shop", headers={"Accept-Language": language}).get_json()

    assert answer == {"items": [{"code": "streak_freeze", "name": name, "price_points": 100, "owned": 1, "max": 2}]}


def test_one_buys_for_oneself_and_is_told_what_is_missing(academy: FakeAcademy, holder: Visitor) -> None:
    answer = holder.ask("POST", "/shop/purchases", json={"item": "streak_freeze"})

    assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/not-enough-points")
    assert answer.get_json()["detail"] == "Il faut 100 points, et tu en as 40."
    assert academy.arguments.pop("request_id")
    assert academy.arguments == {"user_id": HOLDER.id, "item": "streak_freeze", "time_zone": "Europe/Paris"}


@pytest.mark.parametrize("body", [{}, {"item": None}, {"item": "car"}, {"item": "x" * 41}])
def test_what_is_not_for_sale_is_refused_by_its_field(holder: Visitor, body: object) -> None:
    answer = holder.ask("POST", "/shop/purchases", json=body)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/item"]
