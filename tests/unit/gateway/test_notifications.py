"""Notifications are shown with the names that the gateway has."""

from collections.abc import Iterable
from uuid import UUID

import pytest

from gateway.messages import Language
from gateway.notifications import with_names
from gateway.people import Person


class Nobody:
    """No accounts."""

    def by_ids(self, ids: Iterable[UUID]) -> dict[UUID, Person]:
        return {}


@pytest.mark.parametrize(
    ("badge", "language", "title"),
    [
        ("first_lesson", "fr", "Nouveau badge : Premiers pas"),
        ("first_lesson", "en", "New badge: First steps"),
        ("of_tomorrow", "fr", "Titre"),
        (None, "fr", "Titre"),
    ],
)
def test_a_badge_is_named_where_it_has_a_name(badge: str | None, language: Language, title: str) -> None:
    (shown,) = with_names([{"title": "Titre", "body": "…", "people": {}, "badge": badge}], Nobody(), language)

    assert (shown["title"], shown["body"]) == (title, "…")
