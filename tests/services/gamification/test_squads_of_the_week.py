"""Squads of the week on a real database: a recount of the ledger, whatever arrived when."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from chassis.database import Database
from chassis.migrations import configuration
from contracts.events.gamification import SquadOfTheWeekChosen
from services.gamification.domain.squads import CHOICE_DELAY
from services.gamification.domain.weeks import begin_of, end_of, week_of
from tests.conftest import DatabaseFactory
from tests.services.gamification.boards import WEEK, Boards
from tests.services.gamification.game import EVENING
from tests.services.gamification.squads import ZONE


def squad_of(boards: Boards, *members: UUID, verified: int) -> UUID:
    """A squad of these members, so many of them with a verified e-mail."""
    squad_id = boards.squads.make(members[0])
    for member in members[1:]:
        boards.squads.join(member, squad_id)
    for member in members[:verified]:
        boards.squads.know(member, at=EVENING)
    return squad_id


def test_the_squad_of_the_week_has_three_verified_members_who_earned(boards: Boards) -> None:
    crowd, honest = [uuid4() for _ in range(4)], [uuid4() for _ in range(3)]
    squad_of(boards, *crowd, verified=2)
    winner = squad_of(boards, *honest, verified=3)
    boards.earn(*((user_id, EVENING + timedelta(minutes=1)) for user_id in crowd * 3 + honest))
    over = end_of(WEEK, ZONE)

    boards.choose(over + CHOICE_DELAY - timedelta(seconds=1))
    assert boards.winner() is None
    for _ in range(2):
        boards.choose(over + CHOICE_DELAY)

    chosen = boards.winner()
    assert chosen is not None
    assert (chosen.id, chosen.score, chosen.members) == (winner, 60, 3)
    told = boards.squads.told(SquadOfTheWeekChosen, WEEK)
    assert [(event.squad_id, set(event.member_ids)) for event in told] == [(winner, set(honest))]
    for user_id in honest:
        badges = [(badge.code, badge.count, badge.earned_at) for badge in boards.game.of(user_id).badges]
        assert ("squad_of_the_week", 1, over) in badges


def test_an_email_verified_after_the_week_does_not_count_for_it(boards: Boards) -> None:
    members = [uuid4() for _ in range(3)]
    squad_of(boards, *members, verified=2)
    boards.squads.know(members[2], at=end_of(WEEK, ZONE))
    boards.earn(*((user_id, EVENING + timedelta(minutes=1)) for user_id in members))

    boards.choose(end_of(WEEK, ZONE) + CHOICE_DELAY)

    assert boards.winner() is None


MINUTE = EVENING + timedelta(minutes=1)
CHOSEN_AT = end_of(WEEK, ZONE) + CHOICE_DELAY


def badges_of(boards: Boards, user_id: UUID) -> int:
    """How many weeks the student has won with a squad."""
    return sum(badge.count for badge in boards.game.of(user_id).badges if badge.code == "squad_of_the_week")


def winner_of(boards: Boards, week: str = WEEK) -> UUID | None:
    """The squad that everybody sees as the week's."""
    winner = boards.winner(week)
    return winner.id if winner else None


def test_xp_that_arrives_after_the_choice_corrects_it(boards: Boards) -> None:
    first, second = [uuid4() for _ in range(3)], [uuid4() for _ in range(3)]
    early, late = squad_of(boards, *first, verified=3), squad_of(boards, *second, verified=3)
    boards.earn(*((user_id, MINUTE) for user_id in [*first, first[0], *second]))
    boards.choose(CHOSEN_AT)
    assert winner_of(boards) == early

    boards.earn((second[0], MINUTE), (second[1], MINUTE), now=CHOSEN_AT + timedelta(days=1))
    boards.choose(CHOSEN_AT + timedelta(days=1))

    corrected = boards.winner()
    assert corrected is not None
    assert (corrected.id, corrected.score) == (late, 100)
    assert [badges_of(boards, user_id) for user_id in [*first, *second]] == [1] * 6
    assert [event.squad_id for event in boards.squads.told(SquadOfTheWeekChosen, WEEK)] == [early]


def test_a_week_whose_lessons_all_arrive_late_is_won_told_and_rewarded_as_any_other(boards: Boards) -> None:
    members = [uuid4() for _ in range(3)]
    squad_id = squad_of(boards, *members, verified=3)
    boards.earn((members[0], MINUTE), now=CHOSEN_AT)
    boards.choose(CHOSEN_AT)
    assert boards.winner() is None

    boards.earn(*((user_id, MINUTE) for user_id in members[1:]), now=CHOSEN_AT + timedelta(hours=3))
    boards.choose(CHOSEN_AT + timedelta(hours=3))

    assert winner_of(boards) == squad_id
    told = boards.squads.told(SquadOfTheWeekChosen, WEEK)
    assert [(event.squad_id, set(event.member_ids)) for event in told] == [(squad_id, set(members))]
    assert [badges_of(boards, user_id) for user_id in members] == [1, 1, 1]


def test_while_learning_waits_to_be_heard_no_week_is_chosen_but_a_choice_is_corrected(boards: Boards) -> None:
    first, second = [uuid4() for _ in range(3)], [uuid4() for _ in range(3)]
    early, late = squad_of(boards, *first, verified=3), squad_of(boards, *second, verified=3)
    boards.earn(*((user_id, MINUTE) for user_id in first))

    boards.choose(CHOSEN_AT, caught_up=False)
    assert winner_of(boards) is None
    boards.choose(CHOSEN_AT)
    assert winner_of(boards) == early
    boards.earn(*((user_id, MINUTE) for user_id in second * 2), now=CHOSEN_AT)
    boards.choose(CHOSEN_AT, caught_up=False)

    assert winner_of(boards) == late


def test_a_member_whose_lesson_arrives_after_the_choice_has_the_badge_too(boards: Boards) -> None:
    members = [uuid4() for _ in range(4)]
    squad_of(boards, *members, verified=3)
    boards.earn(*((user_id, MINUTE) for user_id in members[:3]))
    boards.choose(CHOSEN_AT)

    boards.earn((members[3], MINUTE), now=CHOSEN_AT)

    assert badges_of(boards, members[3]) == 1
    assert len(boards.squads.told(SquadOfTheWeekChosen, WEEK)) == 1


def test_every_week_that_ended_meanwhile_has_its_squad(boards: Boards) -> None:
    members = [uuid4() for _ in range(3)]
    squad_id = squad_of(boards, *members, verified=3)
    for number in range(3):
        boards.earn(*((user_id, MINUTE + timedelta(weeks=number)) for user_id in members))

    boards.choose(CHOSEN_AT + timedelta(weeks=2, days=5))

    weeks = [week_of(MINUTE + timedelta(weeks=number), ZONE) for number in range(4)]
    assert [winner_of(boards, week) for week in weeks] == [squad_id] * 3 + [None]
    assert [badges_of(boards, user_id) for user_id in members] == [3, 3, 3]
    told = [boards.squads.told(SquadOfTheWeekChosen, week) for week in weeks]
    assert [len(events) for events in told] == [0, 0, 1, 0], "nobody is congratulated on what is long over"


def test_an_email_verified_in_time_of_which_we_hear_late_counts(boards: Boards) -> None:
    members = [uuid4() for _ in range(3)]
    squad_id = squad_of(boards, *members, verified=2)
    boards.earn(*((user_id, MINUTE) for user_id in members))
    boards.choose(CHOSEN_AT)
    assert boards.winner() is None

    boards.squads.know(members[2], at=end_of(WEEK, ZONE) - timedelta(seconds=1), now=CHOSEN_AT + timedelta(days=9))
    boards.choose(CHOSEN_AT + timedelta(days=9))

    assert winner_of(boards) == squad_id
    assert boards.squads.told(SquadOfTheWeekChosen, WEEK) == []
    assert [badges_of(boards, user_id) for user_id in members] == [1, 1, 1]


def test_while_the_winner_is_hidden_the_next_one_is_the_squad_of_the_week(boards: Boards) -> None:
    first, second = [uuid4() for _ in range(3)], [uuid4() for _ in range(3)]
    rude, kind = squad_of(boards, *first, verified=3), squad_of(boards, *second, verified=3)
    boards.earn(*((user_id, MINUTE) for user_id in [*first, first[0], *second]))
    boards.choose(CHOSEN_AT)
    assert winner_of(boards) == rude

    boards.squads.hide(rude)
    assert winner_of(boards) is None
    boards.choose(CHOSEN_AT)
    assert winner_of(boards) == kind
    assert [badges_of(boards, user_id) for user_id in second] == [1, 1, 1]
    boards.squads.hide(rude, hidden=False)
    boards.choose(CHOSEN_AT)

    assert winner_of(boards) == rude
    assert len(boards.squads.told(SquadOfTheWeekChosen, WEEK)) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.integers(0, 30))
def test_whatever_arrives_when_the_squad_of_the_week_is_that_of_a_recount(
    boards: Boards, random: Random, choices: int
) -> None:
    boards.forget()
    squads = [[uuid4() for _ in range(4)] for _ in range(3)]
    ids = [squad_of(boards, *members, verified=0) for members in squads]
    everybody = [user_id for members in squads for user_id in members]
    over = end_of(WEEK, ZONE)
    verified = {user_id: over + timedelta(minutes=random.choice([-9, -5, -1, 1])) for user_id in everybody}
    hidden: set[UUID] = set()
    steps: list[tuple[str, UUID]] = [
        *(("earn", random.choice(everybody)) for _ in range(20)),
        *(("verify", user_id) for user_id in everybody),
        *(("hide", random.choice(ids)) for _ in range(2)),
        *(("choose", ids[0]) for _ in range(choices)),
    ]
    random.shuffle(steps)

    for step, subject in steps:
        match step:
            case "earn":
                at = over - timedelta(minutes=random.randint(-30, 60))
                boards.earn((subject, at), now=CHOSEN_AT + timedelta(hours=1))
            case "verify":
                boards.squads.know(subject, at=verified[subject], now=CHOSEN_AT)
            case "hide":
                hidden ^= {subject}
                boards.squads.hide(subject, hidden=subject in hidden)
            case "choose":
                boards.choose(CHOSEN_AT)
    boards.choose(CHOSEN_AT)

    def may_win(squad_id: UUID) -> bool:
        trusted = [user_id for user_id in boards.earners(squad_id, WEEK) if verified[user_id] < over]
        return squad_id not in hidden and len(trusted) >= 3

    expected = next((squad_id for squad_id, _ in recount(boards, WEEK) if may_win(squad_id)), None)
    assert winner_of(boards) == expected
    if expected:
        assert all(badges_of(boards, user_id) == 1 for user_id in boards.earners(expected, WEEK))
    assert len(boards.squads.told(SquadOfTheWeekChosen, WEEK)) <= 1
    assert choices == 0 or expected is None or boards.squads.told(SquadOfTheWeekChosen, WEEK)
    boards.assert_ranks_hold()
    boards.choose(CHOSEN_AT)
    assert winner_of(boards) == expected


def test_at_the_turn_of_the_week_under_load_every_xp_is_in_exactly_one_week(boards: Boards) -> None:
    turn = end_of(WEEK, ZONE)
    students = [uuid4() for _ in range(24)]
    captains = students[::8]
    for captain in captains:
        boards.squads.make(captain, at=EVENING)
    for number, student in enumerate(students):
        boards.squads.know(student, at=EVENING)
        if student not in captains:
            squad_id = boards.squads.game.of(captains[number // 8]).squad
            assert squad_id is not None
            boards.squads.join(student, squad_id.id)

    def learn(seed: int) -> Counter[str]:
        random = Random(seed)
        weeks: Counter[str] = Counter()
        for _ in range(25):
            lessons = [
                (random.choice(students), turn + timedelta(milliseconds=random.randint(-2000, 2000))) for _ in range(8)
            ]
            boards.earn(*lessons, now=turn + timedelta(seconds=2))
            weeks.update(week_of(at, ZONE) for _, at in lessons)
            if random.random() < 0.3:
                boards.fold()
                boards.choose(turn + CHOICE_DELAY)
        return weeks

    with ThreadPoolExecutor(8) as pool:
        counted = sum(pool.map(learn, range(8)), Counter())

    assert counted.total() == 1600
    for week, lessons in counted.items():
        assert sum(place.score for place in boards.everyone("students", week)) == 20 * lessons
        assert sum(place.score for place in boards.everyone("squads", week)) == 20 * lessons
    boards.assert_ranks_hold()
    chosen = boards.winner()
    assert chosen is not None
    assert chosen.id == boards.everyone("squads", WEEK)[0].id
    assert chosen.score == recount(boards, WEEK)[0][1]


def recount(boards: Boards, week: str) -> list[tuple[UUID, int]]:
    """The squads of a week with their scores, best first, counted from the ledger by Python."""
    statement = text("select squad_id, xp, at from ledger where squad_id is not null")
    scores: Counter[UUID] = Counter()
    reached: dict[UUID, datetime] = {}
    with boards.game.database.single_statement() as unit_of_work:
        for row in unit_of_work.connection.execute(statement):
            if begin_of(week, ZONE) <= row.at < end_of(week, ZONE):
                scores[row.squad_id] += row.xp
                reached[row.squad_id] = max(row.at, reached.get(row.squad_id, datetime.min.replace(tzinfo=UTC)))
    return sorted(scores.items(), key=lambda item: (-item[1], reached[item[0]], item[0]))


def test_an_academy_of_before_gives_badges_where_a_choice_was_corrected_and_mends_keys_of_names(
    database_url_for: DatabaseFactory,
) -> None:
    database = Database(database_url_for("gamification"))
    scripts = configuration(database.url, "gamification")
    with database.unit_of_work() as unit_of_work:
        unit_of_work.connection.execute(text("drop schema public cascade; create schema public"))
    command.upgrade(scripts, "gamification_0006")
    winner, corrected, alike = (uuid4() for _ in range(3))
    keys = {winner: "abc", corrected: "DEF", alike: "ABC"}
    with database.unit_of_work() as unit_of_work:
        for squad_id, key in keys.items():
            for statement in (
                "insert into students (user_id) values (:id)",
                "insert into squads (squad_id, name, name_key, motto, official, creator_id, captain_id, members, "
                "created_at) values (:id, :key, :key, '', false, :id, :id, 1, now())",
                "insert into ledger (user_id, kind, source_id, xp, points, at, squad_id) "
                "values (:id, 'lesson', :id, 20, 20, now(), :id)",
            ):
                unit_of_work.connection.execute(text(statement), {"id": squad_id, "key": key})
        for week, chosen_id in (("2026-W40", winner), ("2026-W41", corrected), ("2026-W42", None)):
            chosen = text("insert into squads_of_the_week (week, squad_id, chosen_at) values (:week, :id, now())")
            unit_of_work.connection.execute(chosen, {"week": week, "id": chosen_id})
        has = text("insert into badge_awards values (:id, 'squad_of_the_week', '2026-W40', now())")
        unit_of_work.connection.execute(has, {"id": winner})

    command.upgrade(scripts, "heads")

    with database.snapshot() as connection:
        weeks = connection.execute(text("select week, awarded_squad_id from squads_of_the_week order by week")).all()
        found = {row.squad_id: row.name_key for row in connection.execute(text("select * from squads"))}
    assert [tuple(week) for week in weeks] == [("2026-W40", winner), ("2026-W41", None), ("2026-W42", None)]
    assert found == {winner: "abc", corrected: "def", alike: "ABC"}
    database.close()
