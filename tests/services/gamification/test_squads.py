"""Squads on a real database: who may do what, and what many at once cannot break."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError
from contracts.events.gamification import SquadCaptainChanged, SquadMemberRemoved
from services.gamification.domain.squads import RETURN_DELAY
from tests.services.gamification.game import EVENING, Game
from tests.services.gamification.squads import SquadGame


@pytest.fixture
def squads(game: Game) -> SquadGame:
    return SquadGame(game)


def problem_of(error: pytest.ExceptionInfo[ServiceError]) -> str:
    return error.value.problem


def test_whoever_makes_a_squad_is_its_captain_and_first_member(squads: SquadGame, student: UUID) -> None:
    squad_id = squads.make(student, motto="Ensemble !")

    squad = squads.of(squad_id)
    assert (squad.captain_id, squad.members, squad.motto, squad.official) == (student, 1, "Ensemble !", False)
    assert squads.member_ids(squad_id) == [student]


def test_making_the_same_squad_again_changes_nothing(squads: SquadGame, student: UUID) -> None:
    squad_id = squads.make(student, name := f"Escouade {uuid4().hex[:8]}")

    assert squads.make(student, name, squad_id=squad_id) == squad_id
    assert squads.of(squad_id).members == 1


def test_a_name_is_taken_whatever_its_accents_until_the_squad_is_closed(squads: SquadGame, student: UUID) -> None:
    suffix = uuid4().hex[:8]
    squads.make(student, f"Éclairs {suffix}")

    with pytest.raises(Conflict) as refused:
        squads.make(uuid4(), f"eclairs  {suffix}")
    assert problem_of(refused) == "name-taken"

    squads.leave(student)
    squads.make(uuid4(), f"eclairs {suffix}")


def test_a_rename_to_a_taken_name_is_refused(squads: SquadGame) -> None:
    taken = f"Prise {uuid4().hex[:8]}"
    squads.make(uuid4(), taken)
    squad_id = squads.make(captain := uuid4())

    with pytest.raises(Conflict) as refused:
        squads.update(squad_id, captain, name=taken.upper())

    assert problem_of(refused) == "name-taken"


def test_nobody_is_in_two_squads(squads: SquadGame, student: UUID) -> None:
    first, second = squads.make(student), squads.make(uuid4())

    with pytest.raises(Conflict) as refused:
        squads.join(student, second)
    assert problem_of(refused) == "already-in-squad"
    with pytest.raises(Conflict):
        squads.make(student)
    squads.join(student, first)

    assert squads.of(first).members == 1


def test_a_bad_name_and_motto_are_named_together(squads: SquadGame, student: UUID) -> None:
    with pytest.raises(Invalid) as refused:
        squads.make(student, "x", motto="y" * 200)

    assert [error.pointer for error in refused.value.errors] == ["/name", "/motto"]
    assert squads.game.student(student) is None


def test_the_oldest_member_succeeds_a_captain_and_an_empty_squad_closes(squads: SquadGame, student: UUID) -> None:
    squad_id = squads.make(student)
    second, third = uuid4(), uuid4()
    squads.join(second, squad_id, EVENING + timedelta(minutes=1))
    squads.join(third, squad_id, EVENING + timedelta(minutes=2))

    squads.leave(student)
    assert squads.of(squad_id).captain_id == second
    squads.leave(third)
    squads.leave(second)
    squads.leave(second)

    assert [event.captain_id for event in squads.told(SquadCaptainChanged, squad_id)] == [second]
    assert squads.of(squad_id).members == 0
    with pytest.raises(NotFound):
        squads.join(student, squad_id)


def test_a_captain_removes_a_member_who_cannot_return_at_once(squads: SquadGame, student: UUID) -> None:
    squad_id = squads.make(student)
    squads.join(other := uuid4(), squad_id)

    squads.kick(student, squad_id, other)

    assert squads.member_ids(squad_id) == [student]
    assert [event.user_id for event in squads.told(SquadMemberRemoved, squad_id)] == [other]
    with pytest.raises(Conflict) as refused:
        squads.join(other, squad_id, EVENING + RETURN_DELAY - timedelta(minutes=1))
    assert problem_of(refused) == "removed-from-squad"
    squads.join(other, squad_id, EVENING + RETURN_DELAY)


def test_only_the_captain_leads(squads: SquadGame, student: UUID) -> None:
    squad_id = squads.make(student)
    squads.join(other := uuid4(), squad_id)

    with pytest.raises(Forbidden):
        squads.kick(other, squad_id, student)
    with pytest.raises(Forbidden):
        squads.hand_over(other, squad_id, other)
    with pytest.raises(Forbidden):
        squads.update(squad_id, other, name="Autre nom")
    with pytest.raises(Forbidden):
        squads.update(squad_id, other, role="admin", name="Autre nom")


@pytest.mark.parametrize("action", ["kick", "hand_over"])
def test_a_captain_can_only_name_a_member(squads: SquadGame, student: UUID, action: str) -> None:
    squad_id = squads.make(student)
    squads.make(stranger := uuid4())

    with pytest.raises(Invalid) as refused:
        getattr(squads, action)(student, squad_id, stranger)

    assert [error.pointer for error in refused.value.errors] == ["/user_id"]


def test_a_captain_hands_over(squads: SquadGame, student: UUID) -> None:
    squad_id = squads.make(student)
    squads.join(other := uuid4(), squad_id)

    squads.hand_over(student, squad_id, other)

    assert squads.of(squad_id).captain_id == other
    assert [event.captain_id for event in squads.told(SquadCaptainChanged, squad_id)] == [other]


def test_an_official_squad_has_no_captain_no_cap_and_nobody_who_made_it(squads: SquadGame) -> None:
    squad_id = squads.make_official(maker := uuid4())
    everybody = [uuid4() for _ in range(55)]

    for user_id in everybody:
        squads.join(user_id, squad_id)
    for user_id in everybody:
        squads.leave(user_id)

    squad = squads.of(squad_id)
    assert (squad.captain_id, squad.members, squad.official) == (None, 0, True)
    squads.update(squad_id, maker, role="instructor", motto="Bienvenue")
    squads.update(squad_id, uuid4(), role="admin", motto="Bienvenue à tous")
    with pytest.raises(Forbidden):
        squads.update(squad_id, uuid4(), role="instructor", motto="Non")
    with pytest.raises(Forbidden):
        squads.update(squad_id, maker, role="student", motto="Je ne suis plus instructeur")
    with pytest.raises(Forbidden):
        squads.make_official(uuid4(), role="student")


def test_a_squad_whose_name_another_has_by_an_older_rule_keeps_it_with_a_new_motto(
    squads: SquadGame, student: UUID
) -> None:
    squads.make(uuid4(), name := f"Éclairs {uuid4().hex[:8]}")
    squad_id = squads.make(student, f"Anciens {uuid4().hex[:8]}")
    with squads.game.database.unit_of_work() as unit_of_work:
        older = text("update squads set name = :name, name_key = :name || ' (before)' where squad_id = :squad_id")
        unit_of_work.connection.execute(older, {"name": name, "squad_id": squad_id})

    squads.update(squad_id, student, motto="Toujours là")
    squads.update(squad_id, student, name=name, motto="Et encore")

    assert (squads.of(squad_id).name, squads.of(squad_id).motto) == (name, "Et encore")


def test_a_hidden_squad_is_nowhere_to_be_seen_or_joined(squads: SquadGame, student: UUID) -> None:
    squad_id = squads.make(student, name := f"Cachée {uuid4().hex[:8]}")

    squads.hide(squad_id)

    with pytest.raises(NotFound):
        squads.of(squad_id)
    with pytest.raises(NotFound):
        squads.member_ids(squad_id)
    with pytest.raises(NotFound):
        squads.join(uuid4(), squad_id)
    assert squads.found(name) == []
    assert squads.profile(student).squad is None
    assert squads.game.of(student).squad is not None, "who is in it still sees it"
    squads.hide(squad_id, hidden=False)
    assert squads.found(name) == [squad_id]


def test_squads_are_found_by_a_part_of_their_name_page_by_page(squads: SquadGame) -> None:
    part = uuid4().hex[:8]
    made = [squads.make(uuid4(), f"{letter} É{part}") for letter in "abcde"]

    assert squads.found(f"e{part.upper()}", limit=2) == made
    assert squads.found("%" + part) == []


def test_someone_whose_account_was_erased_is_in_no_squad(squads: SquadGame, student: UUID) -> None:
    squad_id = squads.make(student)
    squads.join(other := uuid4(), squad_id)

    squads.erase(student)

    assert squads.member_ids(squad_id) == [other]
    assert squads.of(squad_id).captain_id == other


def test_sixty_who_join_at_once_fill_a_squad_exactly(squads: SquadGame, student: UUID) -> None:
    squad_id = squads.make(student)
    begin = Barrier(12)

    def join(many: int) -> list[str]:
        begin.wait()
        refusals = []
        for _ in range(many):
            try:
                squads.join(uuid4(), squad_id)
            except Conflict as error:
                refusals.append(error.problem)
        return refusals

    with ThreadPoolExecutor(12) as pool:
        refused = [problem for problems in pool.map(join, [5] * 12) for problem in problems]

    assert refused == ["squad-full"] * 11
    assert squads.of(squad_id).members == 50 == len(squads.member_ids(squad_id, limit=100))


def test_one_student_who_joins_and_leaves_many_squads_at_once_is_in_at_most_one(
    squads: SquadGame, student: UUID
) -> None:
    doors = [squads.make(uuid4()) for _ in range(4)]
    begin = Barrier(8)

    def wander(number: int) -> None:
        begin.wait()
        for step in range(6):
            try:
                if (number + step) % 3 == 0:
                    squads.leave(student)
                else:
                    squads.join(student, doors[(number + step) % 4])
            except Conflict:
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(wander, range(8)))

    counts = text(
        "select sum(members) = count(*) filter (where true) + "
        "(select count(*) from memberships where user_id = :student and left_at is null) as exact "
        "from squads where squad_id = any(:doors)"
    )
    overlaps = text(
        "select count(*) from memberships a join memberships b on a.user_id = b.user_id "
        "and a.membership_id < b.membership_id "
        "and tstzrange(a.joined_at, a.left_at) && tstzrange(b.joined_at, b.left_at) where a.user_id = :student"
    )
    with squads.game.database.single_statement() as unit_of_work:
        assert unit_of_work.connection.scalar(counts, {"student": student, "doors": doors})
        assert unit_of_work.connection.scalar(overlaps, {"student": student}) == 0
