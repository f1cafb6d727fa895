"""Duels from the challenge to the end: who sees what, who wins what, and what time alone does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError
from contracts.events.accounts import UserChanged
from contracts.events.gamification import StreakExtended, XpAwarded
from services.gamification.people import keep_people
from services.gamification.queries.duels import DuelView, PlayerView
from tests.services.gamification.arena import LIMIT, QUESTIONS, Arena, course
from tests.services.gamification.game import EVENING, TOKYO, delivered


def refusal(attempt: Callable[[], Any]) -> ServiceError:
    """How it is refused."""
    with pytest.raises(ServiceError) as refused:
        attempt()
    return refused.value


def problem(attempt: Callable[[], Any]) -> str:
    """The problem that it is."""
    return refusal(attempt).problem


def scores(duel: DuelView) -> list[int | None]:
    return [player.score for player in duel.players]


@pytest.fixture
def awa(arena: Arena) -> UUID:
    return arena.player()


@pytest.fixture
def ber(arena: Arena) -> UUID:
    return arena.player()


class TestLive:
    """A duel with somebody one names."""

    def test_the_faster_and_more_correct_takes_points_from_the_other(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.challenge(awa, ber)

        assert arena.play(duel, awa) == 1000
        assert arena.play(duel, ber, right=2, after=10) == 500

        seen = arena.see(duel, ber)
        assert (seen.state, seen.winner_id, seen.points_moved, seen.points_held) == ("finished", awa, 50, 0)
        assert seen.players == (PlayerView(awa, 1000), PlayerView(ber, 500))
        assert (arena.wallet(awa), arena.wallet(ber)) == ((150, 0), (50, 0))
        assert [row for row in arena.game.rows(awa) if row[0] != "lesson"] == [("duel_won", duel.id, 0, 50)]
        assert [row for row in arena.game.rows(ber) if row[0] != "lesson"] == [("duel_lost", duel.id, 0, -50)]
        assert arena.game.told(XpAwarded, ber)[-1].total_points == 50
        arena.assert_books_balance(awa, ber)

    def test_both_answer_the_same_questions_in_the_same_order_whatever_becomes_of_the_quiz(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        chapter_id = uuid4()
        changed = course(chapter_id)
        arena.publish(changed, QUESTIONS, 1)
        duel = arena.challenge(awa, ber, chapter_id)
        arena.play(duel, awa)

        arena.publish(changed, QUESTIONS[:1], 2)

        assert arena.play(duel, ber) == 1000

    def test_every_change_of_state_is_told_under_a_sequence_of_its_own(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        duel = arena.challenge(awa, ber)
        arena.play(duel, awa)
        arena.play(duel, ber, right=0)

        told = arena.told(duel)

        assert [event.state for event in told] == ["open", "playing", "finished"]
        assert (told[-1].winner_id, told[-1].points_moved) == (awa, 50)
        assert {(event.challenger_id, event.opponent_id, event.mode) for event in told} == {(awa, ber, "live")}

    def test_a_rivals_score_is_hidden_until_both_have_played(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.challenge(awa, ber)
        arena.play(duel, awa, right=1)

        assert scores(arena.see(duel, awa)) == [333, None]
        assert scores(arena.see(duel, ber)) == [None, None]
        arena.ask(duel, ber)
        assert scores(arena.see(duel, ber)) == [None, None]
        assert scores(arena.page(ber).items[0]) == [None, None]

    def test_nobody_but_its_players_sees_or_touches_a_duel(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel, stranger = arena.challenge(awa, ber), uuid4()

        for attempt in (
            lambda: arena.see(duel, stranger),
            lambda: arena.ask(duel, stranger),
            lambda: arena.answer(duel, stranger, 0, 0),
            lambda: arena.decline(duel, stranger),
            lambda: arena.see(uuid4(), awa),
        ):
            assert isinstance(refusal(attempt), NotFound)
        assert arena.page(stranger).items == ()

    def test_a_draw_gives_both_their_stake_back(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.challenge(awa, ber)
        arena.play(duel, awa)
        arena.ask(duel, ber)
        assert (arena.wallet(awa), arena.wallet(ber)) == ((50, 50), (50, 50))
        assert arena.see(duel, awa).points_held == 50

        arena.play(duel, ber)

        seen = arena.see(duel, awa)
        assert (seen.state, seen.winner_id, seen.points_moved) == ("finished", None, 0)
        assert (arena.wallet(awa), arena.wallet(ber)) == ((100, 0), (100, 0))
        assert {row[0] for row in arena.game.rows(awa)} == {"lesson"}
        arena.assert_books_balance(awa, ber)

    def test_the_stake_is_what_the_poorer_one_has(self, arena: Arena, awa: UUID) -> None:
        poor = arena.player(20)
        duel = arena.challenge(awa, poor)
        arena.play(duel, awa)
        arena.play(duel, poor, right=0)

        assert (arena.wallet(awa), arena.wallet(poor)) == ((120, 0), (0, 0))

    def test_who_has_nothing_plays_for_honour(self, arena: Arena, awa: UUID) -> None:
        newcomer = uuid4()
        duel = arena.challenge(awa, newcomer)
        arena.play(duel, newcomer)
        arena.play(duel, awa, right=0)

        seen = arena.see(duel, awa)
        assert (seen.winner_id, seen.points_moved) == (newcomer, 0)
        assert arena.wallet(awa) == (100, 0)

    def test_a_quiz_that_one_of_them_was_served_before_is_played_for_honour(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        chapter_id = arena.chapter()
        arena.shared(ber, chapter_id)

        duel = arena.challenge(awa, ber, chapter_id)
        arena.play(duel, ber)
        arena.play(duel, awa, right=0)

        assert arena.see(duel, awa).points_moved == 0
        assert arena.wallet(awa) == (100, 0)

    def test_the_quiz_of_a_chapter_is_the_same_quiz_however_it_is_edited(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        chapter_id = uuid4()
        changed = course(chapter_id)
        arena.publish(changed, QUESTIONS, 1)
        arena.shared(awa, chapter_id)
        arena.publish(changed, QUESTIONS[::-1], 2)

        arena.ask(arena.challenge(awa, ber, chapter_id), awa)
        arena.ask(arena.page(ber).items[0], ber)

        assert arena.wallet(ber) == (100, 0)

    @pytest.mark.parametrize("reason", ["author", "admin"])
    def test_who_knows_the_answers_plays_for_honour(self, arena: Arena, awa: UUID, ber: UUID, reason: str) -> None:
        arena.others.reasons = {ber: reason}
        duel = arena.challenge(awa, ber)
        arena.play(duel, ber)
        arena.play(duel, awa, right=0)

        assert arena.see(duel, awa).winner_id == ber
        assert arena.wallet(awa) == (100, 0)

    def test_a_pair_plays_three_times_a_week_for_points_and_again_the_next_week(self, arena: Arena) -> None:
        rich, other = arena.player(400), arena.player(400)
        moved = []
        for number in range(5):
            if number == 4:
                # Monday in Paris, still Sunday in UTC
                arena.now = EVENING.replace(day=29, hour=23)
            duel = arena.challenge(rich, other) if number % 2 else arena.challenge(other, rich)
            arena.play(duel, rich)
            arena.play(duel, other, right=0)
            moved.append(arena.see(duel, rich).points_moved)

        assert moved == [50, 50, 50, 0, 50]
        arena.assert_books_balance(rich, other)

    def test_the_eleventh_duel_of_a_week_is_for_honour(self, arena: Arena) -> None:
        star = arena.player(600)
        rivals = [arena.player(60) for _ in range(11)]
        for rival in rivals:
            duel = arena.challenge(star, rival)
            arena.play(duel, rival, right=0)
            arena.play(duel, star)

        assert arena.wallet(star) == (600 + 10 * 50, 0)
        assert arena.wallet(rivals[-1]) == (60, 0)

    def test_an_open_duel_of_two_starts_is_for_the_points_they_then_have(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        first, second, third = (arena.challenge(awa, ber) for _ in range(3))
        for duel in (first, second, third):
            arena.ask(duel, awa)
            arena.ask(duel, ber)

        assert (arena.wallet(awa), arena.wallet(ber)) == ((0, 100), (0, 100))
        assert [arena.see(duel, awa).points_held for duel in (first, second, third)] == [50, 50, 0]
        arena.assert_books_balance(awa, ber)

    def test_two_runs_on_the_same_quiz_at_a_time_would_tell_the_answers(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        chapter_id = arena.chapter()
        duel, other = arena.challenge(awa, ber, chapter_id), arena.create(awa, chapter_id, "link")
        arena.ask(duel, awa)

        refused = refusal(lambda: arena.ask(other, awa))

        assert (refused.problem, refused.members) == ("quiz-in-play", {"duel_id": str(duel.id)})
        arena.wait(3 * (LIMIT + 10) + 1)
        assert arena.ask(other, awa).index == 0
        assert scores(arena.see(duel, awa)) == [0, None]


class TestPlaying:
    """One question after another, by the server's clock."""

    def test_the_same_question_is_served_again_with_its_running_deadline(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        duel = arena.challenge(awa, ber)
        first = arena.ask(duel, awa)
        arena.wait(7.25)

        again = arena.ask(duel, awa)

        assert (first.index, first.total, first.text, first.choices) == (0, 3, QUESTIONS[0].text, QUESTIONS[0].choices)
        assert (first.deadline, first.remaining_ms) == (EVENING + timedelta(seconds=LIMIT), 20_000)
        assert (again.deadline, again.remaining_ms) == (first.deadline, 12_750)

    def test_a_question_that_was_not_answered_in_its_time_is_lost_and_the_next_is_served(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        duel = arena.challenge(awa, ber)
        arena.ask(duel, awa)
        arena.wait(LIMIT + 0.001)

        late = refusal(lambda: arena.answer(duel, awa, 0, 0))
        following = arena.ask(duel, awa)

        assert (late.problem, late.members) == ("too-late", {"index": 0, "points": 0, "score": 0})
        assert (following.index, following.remaining_ms) == (1, 20_000)
        assert problem(lambda: arena.answer(duel, awa, 0, 0)) == "too-late"
        assert arena.answer(duel, awa, 1, 1).score == 333

    def test_an_answer_is_judged_at_once(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.challenge(awa, ber)
        arena.ask(duel, awa)
        arena.wait(5)
        right = arena.answer(duel, awa, 0, 0)
        arena.ask(duel, awa)
        wrong = arena.answer(duel, awa, 1, 0)

        assert (right.correct, right.right_choice, right.points, right.score) == (True, 0, 875, 292)
        assert (wrong.correct, wrong.right_choice, wrong.points, wrong.score) == (False, 1, 0, 292)

    def test_an_answer_sent_again_is_told_what_became_of_the_first(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.challenge(awa, ber)
        arena.ask(duel, awa)
        arena.answer(duel, awa, 0, 2)

        for choice in (2, 0):
            again = refusal(lambda choice=choice: arena.answer(duel, awa, 0, choice))  # type: ignore[misc]
            assert again.problem == "already-answered"
            assert again.members == {
                "index": 0,
                "choice": 2,
                "correct": False,
                "right_choice": 0,
                "points": 0,
                "score": 0,
            }
        assert arena.ask(duel, awa).index == 1

    def test_only_the_question_that_was_served_can_be_answered(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.challenge(awa, ber)
        assert problem(lambda: arena.answer(duel, awa, 0, 0)) == "not-served"
        arena.ask(duel, awa)

        for index in (1, 2, 3, -1, 2**40):
            refused = refusal(lambda index=index: arena.answer(duel, awa, index, 0))  # type: ignore[misc]
            assert (type(refused), refused.problem) == (Conflict, "not-served")
        for choice in (3, -1, 2**40):
            refused = refusal(lambda choice=choice: arena.answer(duel, awa, 0, choice))  # type: ignore[misc]
            assert isinstance(refused, Invalid)
            assert [(error.pointer, error.code) for error in refused.errors] == [("/choice", "no-such-choice")]
        assert arena.answer(duel, awa, 0, 0).correct

    def test_a_run_lasts_no_longer_than_its_time_and_what_is_unanswered_scores_0(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        duel = arena.challenge(awa, ber)
        arena.ask(duel, awa)
        arena.answer(duel, awa, 0, 0)
        arena.wait(3 * (LIMIT + 10) + 1)

        over = refusal(lambda: arena.ask(duel, awa))

        assert (over.problem, over.members) == ("run-over", {"score": 333})
        assert problem(lambda: arena.answer(duel, awa, 1, 1)) == "run-over"
        assert problem(lambda: arena.answer(duel, awa, 0, 0)) == "already-answered"
        assert scores(arena.see(duel, awa)) == [333, None]

    def test_a_run_has_no_more_questions_than_the_quiz(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.challenge(awa, ber)
        arena.play(duel, awa)

        assert problem(lambda: arena.ask(duel, awa)) == "run-over"
        assert problem(lambda: arena.answer(duel, awa, 3, 0)) == "run-over"

    def test_a_time_zone_that_is_none_is_refused_before_anything_is_served(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        duel = arena.challenge(awa, ber)

        refused = refusal(lambda: arena.ask(duel, awa, "Mars/Olympus"))

        assert [error.pointer for error in refused.errors] == ["/time_zone"]
        assert arena.see(duel, awa).state == "open"

    def test_a_finished_run_is_a_day_of_learning_where_the_student_is(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        arena.now = EVENING + timedelta(days=5)
        duel = arena.challenge(awa, ber)
        arena.play(duel, awa)
        for index in range(3):
            arena.ask(duel, ber, TOKYO)
            arena.answer(duel, ber, index, 0, TOKYO)

        told = {user_id: arena.game.told(StreakExtended, user_id)[-1].local_date for user_id in (awa, ber)}
        assert told == {awa: arena.now.date(), ber: arena.now.date() + timedelta(days=1)}

    def test_a_run_that_was_left_is_no_day_of_learning(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        arena.now = EVENING + timedelta(days=5)
        duel = arena.challenge(awa, ber)
        arena.ask(duel, awa)
        arena.wait(hours=1)
        before = len(arena.game.told(StreakExtended, awa))

        assert scores(arena.see(duel, awa)) == [0, None]

        assert len(arena.game.told(StreakExtended, awa)) == before


class TestTime:
    """What becomes of duels that are left alone."""

    def test_a_duel_that_the_rival_never_began_is_void_after_72_hours_and_nobodys_loss(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        duel = arena.challenge(awa, ber)
        arena.play(duel, awa)
        arena.wait(hours=72)

        assert problem(lambda: arena.ask(duel, ber)) == "duel-void"
        seen = arena.see(duel, ber)
        assert (seen.state, seen.void_reason, seen.winner_id, scores(seen)) == ("void", "expired", None, [None, None])
        assert (arena.wallet(awa), arena.wallet(ber)) == ((100, 0), (100, 0))
        assert arena.told(duel)[-1].void_reason == "expired"

    def test_who_was_served_and_left_has_the_score_they_have(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.challenge(awa, ber)
        arena.play(duel, awa, right=1)
        arena.ask(duel, ber)
        arena.wait(hours=80)

        arena.settle()

        seen = arena.see(duel, ber)
        assert (seen.state, seen.winner_id, scores(seen), seen.points_moved) == ("finished", awa, [333, 0], 50)
        assert arena.wallet(ber) == (50, 0)
        arena.assert_books_balance(awa, ber)

    def test_who_began_in_time_may_play_to_the_end(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.challenge(awa, ber)
        arena.play(duel, awa)
        arena.wait(hours=72, seconds=-1)
        arena.ask(duel, ber)
        arena.wait(10)

        assert arena.answer(duel, ber, 0, 0).points == 750

    def test_the_timer_writes_what_time_did_once_and_then_has_nothing_to_do(
        self, arena: Arena, awa: UUID, ber: UUID
    ) -> None:
        expiring, left = arena.challenge(awa, ber), arena.challenge(ber, awa)
        arena.ask(left, awa)
        arena.ask(left, ber)
        arena.wait(hours=73)

        arena.settle()
        arena.settle()

        assert [event.state for event in arena.told(expiring)] == ["open", "void"]
        assert [event.state for event in arena.told(left)] == ["open", "playing", "finished"]

    def test_the_rival_declines_and_the_challenger_need_not_play_on(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        chapter_id = arena.chapter()
        duel = arena.challenge(awa, ber, chapter_id)
        arena.ask(duel, awa)

        declined = arena.decline(duel, ber)

        assert (declined.state, declined.void_reason) == ("void", "declined")
        assert arena.decline(duel, ber) == declined
        assert problem(lambda: arena.answer(duel, awa, 0, 0)) == "duel-void"
        assert arena.ask(arena.create(awa, chapter_id, "link"), awa).index == 0
        assert [event.state for event in arena.told(duel)] == ["open", "playing", "void"]

    def test_only_the_rival_declines_and_not_after_having_begun(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.challenge(awa, ber)
        assert isinstance(refusal(lambda: arena.decline(duel, awa)), Forbidden)

        arena.ask(duel, ber)

        assert problem(lambda: arena.decline(duel, ber)) == "duel-begun"


class TestMaking:
    """Who may challenge whom, on what."""

    def test_a_duel_needs_a_rival_who_is_somebody_else(self, arena: Arena, awa: UUID) -> None:
        chapter_id = arena.chapter()
        for mode, opponent_id, code in (
            ("live", None, "required"),
            ("live", awa, "oneself"),
            ("link", uuid4(), "only-for-live"),
        ):
            refused = refusal(
                lambda mode=mode, opponent_id=opponent_id: arena.create(  # type: ignore[misc]
                    awa, chapter_id, mode, opponent_id=opponent_id
                )
            )
            assert [(error.pointer, error.code) for error in refused.errors] == [("/opponent_id", code)]

    def test_both_need_access_to_the_chapter(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        arena.others.strangers = {ber}

        assert problem(lambda: arena.challenge(ber, awa)) == "purchase-required"
        assert problem(lambda: arena.challenge(awa, ber)) == "opponent-without-access"

    def test_a_chapter_that_a_stranger_may_not_know_of_is_not_there(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        chapter_id = uuid4()
        draft = course(chapter_id, status="draft")
        arena.publish(draft, (), 1)
        arena.others.strangers, arena.others.hidden = {ber}, {draft.course_id}

        assert problem(lambda: arena.challenge(ber, awa, chapter_id)) == "not-found"
        assert problem(lambda: arena.challenge(awa, ber, chapter_id)) == "opponent-without-access"

    def test_a_chapter_without_a_quiz_is_no_ground_for_a_duel(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        assert problem(lambda: arena.challenge(awa, ber, arena.chapter(()))) == "no-quiz"
        assert problem(lambda: arena.challenge(awa, ber, uuid4())) == "not-found"

    def test_a_duel_that_is_made_again_is_the_same(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        chapter_id, duel_id = arena.chapter(), uuid4()

        first = arena.challenge(awa, ber, chapter_id, duel_id=duel_id)
        again = arena.challenge(awa, ber, chapter_id, duel_id=duel_id)

        assert first.id == duel_id
        assert again == first

    def test_nobody_calls_on_everybody_at_once(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        chapters, rivals = [arena.chapter() for _ in range(2)], [uuid4() for _ in range(10)]
        duels = [arena.challenge(awa, rival, chapters[0]) for rival in rivals for _ in range(5)]
        arena.ask(duels[0], awa)

        assert problem(lambda: arena.challenge(awa, ber, chapters[1])) == "limit-reached"

        arena.ask(duels[0], rivals[0])
        arena.decline(duels[10], rivals[2])
        for _ in range(2):
            arena.challenge(awa, ber, chapters[1])
        assert problem(lambda: arena.create(awa, chapters[1], "link")) == "limit-reached"

    def test_nobody_calls_on_the_same_rival_again_and_again(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        chapter_id = arena.chapter()
        for _ in range(5):
            arena.decline(arena.challenge(awa, ber, chapter_id), ber)

        assert problem(lambda: arena.challenge(awa, ber, chapter_id)) == "unanswered-challenges"

        arena.challenge(ber, awa, chapter_id)
        arena.challenge(awa, uuid4(), chapter_id)
        arena.create(awa, chapter_id, "link")
        arena.wait(hours=72)
        arena.challenge(awa, ber, chapter_id)

    def test_a_players_duels_are_listed_newest_first_page_by_page(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        made = []
        for number in range(5):
            arena.wait(1)
            pair = (awa, ber) if number % 2 else (ber, awa)
            made.append(arena.challenge(*pair).id)

        first = arena.page(awa, 2)
        second = arena.page(awa, 2, first.next_cursor)
        last = arena.page(awa, 2, second.next_cursor)

        listed = [duel.id for page in (first, second, last) for duel in page.items]
        assert (listed, last.next_cursor) == (made[::-1], None)
        assert problem(lambda: arena.page(awa, 2, "x")) == "invalid-fields"

    def test_past_rivals_with_access_are_offered_the_latest_first(self, arena: Arena, awa: UUID) -> None:
        rivals = [uuid4() for _ in range(3)]
        for rival in rivals:
            arena.wait(1)
            duel = arena.challenge(awa, rival)
            arena.play(duel, awa)
            arena.play(duel, rival)
        arena.challenge(awa, uuid4())
        arena.others.strangers = {rivals[1]}
        chapter_id = arena.chapter()

        assert arena.opponents(awa, chapter_id) == [rivals[2], rivals[0]]
        assert arena.opponents(rivals[0], chapter_id) == [awa]
        assert arena.opponents(uuid4(), chapter_id) == []
        assert problem(lambda: arena.opponents(rivals[1], chapter_id)) == "purchase-required"


class TestByLink:
    """A challenge that everybody may take up."""

    def test_a_challenge_is_open_to_everybody_once_its_challenger_has_played(self, arena: Arena, awa: UUID) -> None:
        chapter_id = arena.chapter(title="Ton premier site", slug="site")
        made = arena.create(awa, chapter_id, "link")
        assert made.token is not None
        assert isinstance(refusal(lambda: arena.look(made.token or "")), NotFound)
        arena.ask(made, awa)
        assert isinstance(refusal(lambda: arena.look(made.token or "")), NotFound)

        score = arena.play(made, awa, right=2)

        seen = arena.look(made.token)
        assert (seen.challenger_id, seen.score, seen.questions, seen.expires_at) == (awa, score, 3, None)
        assert (seen.course.title, seen.course.slug, seen.chapter.title) == ("Ton premier site", "site", "Un chapitre")
        assert (arena.see(made, awa).state, scores(arena.see(made, awa))) == ("finished", [667])
        assert [event.opponent_id for event in arena.told(made)] == [None] * 3

    def test_a_challenger_who_left_has_the_score_they_have(self, arena: Arena, awa: UUID) -> None:
        made = arena.create(awa, arena.chapter(), "link")
        assert made.token is not None
        arena.ask(made, awa)
        arena.answer(made, awa, 0, 0)
        arena.wait(hours=100)

        assert arena.look(made.token).score == 333

    def test_a_challenge_whose_challenger_never_began_is_void(self, arena: Arena, awa: UUID) -> None:
        made = arena.create(awa, arena.chapter(), "link")
        arena.wait(hours=72)

        assert problem(lambda: arena.ask(made, awa)) == "duel-void"
        assert isinstance(refusal(lambda: arena.look(made.token or "")), NotFound)

    def test_each_who_accepts_plays_once_against_the_same_run(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        token = arena.shared(awa, right=2)
        better, worse = arena.player(), arena.player()
        first, again = arena.accept(token, better), arena.accept(token, better)
        other = arena.accept(token, worse)

        assert (first.created, again.created, other.created) == (True, False, True)
        assert first.duel == again.duel
        assert (first.duel.state, first.duel.token, scores(first.duel)) == ("open", token, [None, None])
        arena.play(first.duel, better)
        arena.play(other.duel, worse, right=1)

        assert [arena.see(duel, awa).winner_id for duel in (first.duel, other.duel)] == [better, awa]
        assert scores(arena.see(first.duel, better)) == [667, 1000]
        assert problem(lambda: arena.ask(arena.accept(token, better).duel, better)) == "run-over"
        told = arena.told(other.duel)
        assert [(event.state, event.mode, event.opponent_id) for event in told] == [
            (state, "link", worse) for state in ("open", "playing", "finished")
        ]

    def test_it_moves_no_points(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.accept(arena.shared(awa), ber).duel
        arena.play(duel, ber, right=0)

        assert arena.see(duel, awa).points_moved == 0
        assert (arena.wallet(awa), arena.wallet(ber)) == ((100, 0), (100, 0))

    def test_nobody_accepts_their_own_challenge_or_plays_it_twice(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        token = arena.shared(awa)

        assert refusal(lambda: arena.accept(token, awa)).errors[0].code == "own-challenge"
        duel = arena.accept(token, ber).duel
        assert problem(lambda: arena.ask(duel, awa)) == "run-over"
        assert problem(lambda: arena.answer(duel, awa, 0, 0)) == "run-over"
        assert isinstance(refusal(lambda: arena.decline(duel, awa)), Forbidden)

    def test_who_accepted_a_challenge_leaves_it_or_plays_it(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        duel = arena.accept(arena.shared(awa), ber).duel

        assert problem(lambda: arena.decline(duel, ber)) == "duel-by-link"
        assert [event.state for event in arena.told(duel)] == ["open"]

    def test_accepting_needs_no_purchase(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        token = arena.shared(awa)
        arena.others.strangers = {ber}

        assert arena.ask(arena.accept(token, ber).duel, ber).index == 0

    def test_who_never_began_may_accept_again(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        token = arena.shared(awa)
        first = arena.accept(token, ber)
        arena.wait(hours=73)

        second = arena.accept(token, ber)

        assert (second.created, arena.see(first.duel, ber).state) == (True, "void")
        assert arena.accept(token, ber).duel == second.duel

    def test_it_lives_while_the_chapter_is_published(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        chapter_id = uuid4()
        published = course(chapter_id)
        arena.publish(published, QUESTIONS, 1)
        token = arena.shared(awa, chapter_id)
        accepted = arena.accept(token, ber).duel
        arena.wait(hours=10_000)
        assert arena.look(token).score == 1000

        for number, status in enumerate(("unpublished", "archived"), 2):
            arena.publish(course(chapter_id, course_id=published.course_id, status=status), QUESTIONS, number)
            assert isinstance(refusal(lambda: arena.look(token)), NotFound)
            assert isinstance(refusal(lambda: arena.accept(token, uuid4())), NotFound)

        arena.publish(course(chapter_id, course_id=published.course_id), QUESTIONS, 4)
        assert arena.look(token).score == 1000
        assert arena.see(accepted, ber).state == "void"

    def test_a_token_that_is_none_opens_nothing(self, arena: Arena) -> None:
        for attempt in (lambda: arena.look("x"), lambda: arena.accept("x", uuid4())):
            assert isinstance(refusal(attempt), NotFound)

    def test_it_goes_with_the_account_of_its_challenger(self, arena: Arena, awa: UUID, ber: UUID) -> None:
        token = arena.shared(awa)
        erased = UserChanged(
            user_id=awa, role="student", status="erased", time_zone="UTC", locale="fr", email_verified=False
        )
        with arena.database.unit_of_work() as unit_of_work:
            keep_people(unit_of_work.connection, [(delivered(erased)[0], erased)])

        for attempt in (lambda: arena.look(token), lambda: arena.accept(token, ber)):
            assert isinstance(refusal(attempt), NotFound)
