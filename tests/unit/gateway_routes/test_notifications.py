"""Given notifications, people read their own, with the names that only the gateway knows, and choose."""

import pytest

from tests.unit.gateway_routes.conftest import BER, FakeAcademy, Visitor


def test_names_are_put_in_as_answers_pass_and_who_is_gone_is_somebody(student: Visitor) -> None:
    page = student.get("/me/notifications").get_json()

    assert [item["title"] for item in page["items"]] == ["Arsène te défie", "Quelqu’un te défie aussi"]
    assert page["unread"] == 2
    assert "people" not in page["items"][0]


@pytest.mark.parametrize(
    ("query", "unread"), [("", False), ("?unread", True), ("?unread=true", True), ("?unread=false", False)]
)
def test_unread_may_stand_alone(query: str, unread: bool, academy: FakeAcademy, student: Visitor) -> None:
    assert student.get(f"/me/notifications{query}").status_code == 200
    assert academy.arguments == {
        "user_id": BER.id,
        "locale": "fr",
        "unread": unread,
        "limit": 20,
        "cursor": None,
    }


@pytest.mark.parametrize("query", ["?unread=perhaps", "?limit=0", "?kind=system", "?cursor="])
def test_a_query_that_cannot_be_is_refused(query: str, academy: FakeAcademy, student: Visitor) -> None:
    assert student.get(f"/me/notifications{query}").status_code == 422
    assert not academy.asked


def test_what_is_read_is_ones_own(student: Visitor, holder: Visitor) -> None:
    path = "/me/notifications/7b0c5f0e-0000-7000-8000-000000000001/read"

    assert student.ask("POST", path).status_code == 204
    assert holder.ask("POST", path).status_code == 404
    assert holder.ask("POST", "/me/notifications/read-all").status_code == 204


def test_only_what_is_named_is_changed(academy: FakeAcademy, student: Visitor) -> None:
    changed = student.ask("PATCH", "/me/notification-settings", json={"system": {"email": True}})

    assert changed.get_json() == {"system": {"in_app": True, "email": True}}
    assert academy.arguments["changes"] == {"system": {"email": True}}
    unchanged = student.ask("PATCH", "/me/notification-settings", json={})
    assert unchanged.get_json() == student.get("/me/notification-settings").get_json()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"system": {"in_app": "yes"}}, "/system/in_app"),
        ({"system": {"in_app": None}}, "/system/in_app"),
        ({"system": {"push": True}}, "/system/push"),
        ({"system": True}, "/system"),
        ([], ""),
    ],
)
def test_settings_that_cannot_be_are_refused_by_their_field(
    body: object, pointer: str, academy: FakeAcademy, student: Visitor
) -> None:
    refused = student.ask("PATCH", "/me/notification-settings", json=body)

    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["pointer"] == pointer
    assert not academy.asked


def test_a_stream_is_for_someone_and_is_a_problem_document_until_it_begins(
    anonymous: Visitor, student: Visitor
) -> None:
    refused = anonymous.get("/me/stream")
    assert (refused.status_code, refused.content_type) == (401, "application/problem+json")
    assert student.get("/me/stream?tickets=x").status_code == 422
    opened = student.get("/me/stream", headers={"Origin": "https://front.example"})
    assert (opened.status_code, opened.content_type) == (200, "text/event-stream")
    assert opened.headers["Cache-Control"] == "no-cache"
    assert opened.headers["X-Accel-Buffering"] == "no"
    assert opened.headers["Access-Control-Allow-Origin"] == "https://front.example"
