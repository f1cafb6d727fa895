"""Squads and leaderboards by many hands at the same moment: whatever they do, what is shown is a recount."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.errors import ServiceError
from contracts.events.gamification import SquadOfTheWeekChosen
from services.gamification.domain.squads import CHOICE_DELAY, VERIFIED_MIN
from services.gamification.domain.weeks import end_of
from tests.services.gamification.boards import WEEK, Boards
from tests.services.gamification.squads import ZONE
from tests.services.gamification.test_squads_of_the_week import badges_of, recount, winner_of

OVER = end_of(WEEK, ZONE)
NOW = OVER + CHOICE_DELAY + timedelta(hours=1)
DEEDS = (
    *["earn late"] * 6,
    *["earn"] * 3,
    *["verify"] * 4,
    *["choose"] * 4,
    *["fold"] * 2,
    *["join"] * 2,
    "hide",
    "show",
    "opt out",
    "leave",
    "kick",
    "erase",
    "rebuild",
)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_eight_hands_do_boards_and_the_squad_of_the_week_are_a_recount(boards: Boards, seed: int) -> None:
    students = [uuid4() for _ in range(24)]
    squads = [boards.squads.make(captain) for captain in students[::6]]
    for number, student in enumerate(students):
        if number % 6:
            boards.squads.join(student, squads[number // 6])
    squads.append(boards.squads.make_official(uuid4()))

    def work(hand: int) -> None:
        random = Random(10 * seed + hand)
        for _ in range(40):
            with suppress(ServiceError):
                do(boards, random, students, squads)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    boards.choose(NOW)

    expected = next((squad_id for squad_id, _ in recount(boards, WEEK) if may_win(boards, squad_id)), None)
    assert winner_of(boards) == expected
    if expected:
        assert all(badges_of(boards, user_id) == 1 for user_id in boards.earners(expected, WEEK))
    assert len(boards.squads.told(SquadOfTheWeekChosen, WEEK)) <= 1
    boards.assert_ranks_hold()


def do(boards: Boards, random: Random, students: Sequence[UUID], squads: Sequence[UUID]) -> None:
    """Do anything, to anybody."""
    student, squad_id = random.choice(students), random.choice(squads)
    some = random.sample(students, 3)
    match random.choice(DEEDS):
        case "earn late":
            boards.earn(*((one, OVER - timedelta(minutes=random.randint(1, 60))) for one in some), now=NOW)
        case "earn":
            boards.earn(*((one, NOW) for one in some), now=NOW)
        case "verify":
            boards.squads.know(student, at=OVER + timedelta(minutes=random.choice([-100, -1, 1])), now=NOW)
        case "choose":
            boards.choose(NOW)
        case "fold":
            boards.fold()
        case "join":
            boards.squads.join(student, squad_id, NOW)
        case "hide" | "show" as deed:
            boards.squads.hide(squad_id, hidden=deed == "hide")
        case "opt out":
            boards.opt_out(student, opt_out=random.random() < 0.5)
        case "leave":
            boards.squads.leave(student, NOW)
        case "kick":
            boards.squads.kick(random.choice(students), squad_id, student)
        case "erase":
            boards.squads.erase(student)
        case "rebuild":
            boards.rebuild()


def may_win(boards: Boards, squad_id: UUID) -> bool:
    """Whether a squad may be that of the week, as plainly as can be said."""
    about = text("select official, hidden, closed_in from squads where squad_id = :squad_id")
    verified = text("select user_id from people where email_verified_at < :over")
    with boards.game.database.snapshot() as connection:
        squad = connection.execute(about, {"squad_id": squad_id}).one()
        trusted = boards.earners(squad_id, WEEK) & set(connection.scalars(verified, {"over": OVER}))
    is_listed = not (squad.hidden or (squad.closed_in is not None and squad.closed_in <= WEEK))
    return is_listed and not squad.official and len(trusted) >= VERIFIED_MIN
