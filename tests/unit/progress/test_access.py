"""Who may know, open, learn and finish."""

import pytest

from services.progress.domain.access import (
    Refusal,
    refusal_to_complete,
    refusal_to_know,
    refusal_to_learn,
    refusal_to_open,
)

REASONS = ["author", "admin", "purchase", "free", "gift", "unlock"]
STATUSES = ["draft", "published", "unpublished", "archived"]


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("status", STATUSES)
def test_whoever_has_access_keeps_it_whatever_becomes_of_the_course(reason: str, status: str) -> None:
    assert refusal_to_know(reason, status) is None
    assert refusal_to_open(reason, status, False) is None
    assert refusal_to_complete(reason, status, "video") is None


@pytest.mark.parametrize("reason", [None, *REASONS])
def test_a_deleted_course_is_there_for_nobody(reason: str | None) -> None:
    assert refusal_to_know(reason, "deleted") is Refusal.NOT_THERE
    assert refusal_to_open(reason, "deleted", True) is Refusal.NOT_THERE
    assert refusal_to_complete(reason, "deleted", "video") is Refusal.NOT_THERE


@pytest.mark.parametrize("status", ["draft", "unpublished", "archived"])
def test_a_stranger_does_not_know_what_is_not_published(status: str) -> None:
    assert refusal_to_know(None, status) is Refusal.NOT_THERE
    assert refusal_to_open(None, status, True) is Refusal.NOT_THERE
    assert refusal_to_learn(None, status) is Refusal.NOT_THERE


def test_a_free_preview_is_open_to_all_but_finished_only_with_access() -> None:
    assert refusal_to_open(None, "published", True) is None
    assert refusal_to_open(None, "published", False) is Refusal.PURCHASE_REQUIRED
    assert refusal_to_complete(None, "published", "video") is Refusal.PURCHASE_REQUIRED


def test_a_project_is_not_finished_by_saying_so() -> None:
    assert refusal_to_complete("free", "published", "project") is Refusal.PROJECT_MISSING
    assert refusal_to_complete(None, "published", "project") is Refusal.PURCHASE_REQUIRED
