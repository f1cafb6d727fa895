"""Given streams over HTTP, what happens reaches them, once and in order, whichever process holds them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from chassis.clock import now
from chassis.database import Database
from contracts.events.base import Event
from contracts.events.gamification import DuelChanged, LevelReached
from tests.academy import AcademyUnderTest
from tests.listening import listening
from tests.system.conftest import Course, Visitor, eventually

AWARD_SECONDS = 2.0
"""How long an award may take here, where other tests load the machine; `./tanka bench --only streams` measures it."""


@pytest.fixture(scope="module")
def tell(academy: AcademyUnderTest) -> Iterator[Callable[..., None]]:
    """Tell events as the game does."""
    game = Database(academy.database_url("gamification"))

    def tell(*events: Event, sequence: int = 0) -> None:
        with game.unit_of_work() as unit_of_work:
            for event in events:
                unit_of_work.tell(event, sequence=sequence)

    yield tell
    game.close()


def level(someone: Visitor, number: int) -> LevelReached:
    return LevelReached(user_id=UUID(someone.account["id"]), level=number, total_xp=0, reached_at=now())


def duel(challenger: Visitor, opponent: Visitor, **changes: Any) -> DuelChanged:
    values: dict[str, Any] = {
        "duel_id": uuid4(),
        "chapter_id": uuid4(),
        "course_id": uuid4(),
        "mode": "live",
        "state": "open",
        "challenger_id": UUID(challenger.account["id"]),
        "opponent_id": UUID(opponent.account["id"]),
        "expires_at": now() + timedelta(hours=72),
        "changed_at": now(),
    }
    return DuelChanged(**(values | changes))


def test_what_a_student_earns_and_is_told_reaches_their_stream(
    academy: AcademyUnderTest,
    new_course: Callable[..., Course],
    new_student: Callable[[], Visitor],
    tell: Callable[..., None],
) -> None:
    student, rival = new_student(), new_student()
    course = new_course()
    student.done("POST", f"/courses/{course.id}/checkout", {}, 201)
    with listening(academy.base_url, student.token) as listener:
        assert listener.headers["Content-Type"] == "text/event-stream"
        assert listener.headers["Cache-Control"] == "no-cache"
        assert listener.headers["X-Accel-Buffering"] == "no"

        student.done("POST", f"/lessons/{course.lessons[0]}/complete")
        eventually(lambda: [game["xp"] for game in listener.of("game")][-1:] == [20], AWARD_SECONDS)
        assert listener.of("game")[-1] == student.done("GET", "/me/game")

        challenge = duel(rival, student)
        tell(challenge, sequence=1)
        eventually(lambda: listener.of("duel") and len(listener.of("notification")) == 2)

    (shown,) = listener.of("duel")
    assert shown["state"] == "open"
    assert {player["display_name"] for player in shown["players"]} == {"Awa"}
    badge, told = listener.of("notification")
    assert [told, badge] == student.done("GET", "/me/notifications?unread")["items"]
    assert (badge["kind"], badge["title"]) == ("badge_awarded", "Nouveau badge : Premiers pas")
    assert told["title"] == "Awa te défie en duel"
    student.done("POST", f"/me/notifications/{told['id']}/read", status=204)
    assert student.done("GET", "/me/notifications")["unread"] == 1


def test_a_stream_that_comes_back_to_any_process_loses_nothing_and_repeats_nothing(
    academy: AcademyUnderTest, new_student: Callable[[], Visitor], tell: Callable[..., None]
) -> None:
    student, number = new_student(), 2
    heard: list[str] = []
    last = ""
    # connections are spread over both worker processes
    for _ in range(8):
        with listening(academy.base_url, student.token, last=last) as listener:
            tell(level(student, number))
            wanted = [f"Niveau {count} atteint" for count in range(number - bool(heard), number + 1)]
            eventually(lambda: listener.titles() == wanted)  # noqa: B023
            heard += listener.titles()
            last = listener.ids[-1]
        tell(level(student, number + 1))
        eventually(lambda: student.done("GET", "/me/notifications")["unread"] == number)  # noqa: B023
        number += 2

    assert heard == [f"Niveau {count} atteint" for count in range(2, number - 1)]


def test_a_ticket_opens_one_stream(academy: AcademyUnderTest, student: Visitor, tell: Callable[..., None]) -> None:
    ticket = student.done("POST", "/me/stream-ticket", status=201)["ticket"]

    with listening(academy.base_url, None, ticket=ticket) as listener:
        tell(level(student, 7))
        eventually(lambda: listener.titles() == ["Niveau 7 atteint"])

    again = httpx.get(f"{academy.base_url}/v1/me/stream", params={"ticket": ticket})
    assert again.status_code == 401
    assert again.headers["Content-Type"] == "application/problem+json"
