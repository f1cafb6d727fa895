"""Who reads all that a duel sends, delays it, or sends it again, learns and gains nothing."""

import re
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import text

from contracts.errors import Conflict
from contracts.events.catalog import QuizQuestion
from tests.services.gamification.arena import LIMIT, Arena

QUESTIONS = tuple(
    QuizQuestion(f"Question {number} ?", ("non", "pas ça", "peut-être", "oui"), (number * 3 + 1) % 4)
    for number in range(4)
)


class Listener:
    """Reads every answer of the service, and every event, as JSON."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self.heard: list[str] = []

    def hear(self, answer: Any) -> Any:
        """The answer, after having read it."""
        self.heard.append(msgspec.json.encode(answer).decode())
        return answer

    def everything(self) -> str:
        """All that was said so far, by answers and events."""
        with self._arena.database.single_statement() as unit_of_work:
            told = unit_of_work.connection.scalars(text("select data::text from outbox where type like '%duel%'"))
            events = told.all()
        return "\n".join([*self.heard, *events])


def names_in(said: str) -> set[str]:
    """The names of all members."""
    return set(re.findall(r'"([a-z_]+)"\s*:', said))


def test_the_right_answer_is_in_nothing_that_is_said_before_the_student_answered(arena: Arena) -> None:
    awa, ber = arena.player(), arena.player()
    chapter_id = arena.chapter(QUESTIONS)
    listener = Listener(arena)
    duel = listener.hear(arena.challenge(awa, ber, chapter_id))
    for player in (awa, ber):
        for index, question in enumerate(QUESTIONS):
            for _ in range(2):
                served = listener.hear(arena.ask(duel, player))
            listener.hear(arena.see(duel, awa))
            listener.hear(arena.see(duel, ber))
            listener.hear(arena.page(ber))
            assert set(served.__struct_fields__) == {"index", "total", "text", "choices", "deadline", "remaining_ms"}
            said = names_in(listener.everything())
            assert said.isdisjoint({"answer", "right_choice", "correct", "marks"}), said
            listener.heard.clear()
            if index == 2:
                arena.wait(LIMIT + 1)
                with pytest.raises(Conflict, match="too-late") as late:
                    arena.answer(duel, player, index, question.answer)
                assert "right_choice" not in late.value.members
                continue
            verdict = arena.answer(duel, player, index, question.answer)
            assert verdict.right_choice == question.answer


def test_the_rivals_score_is_in_nothing_that_is_said_before_both_have_played(arena: Arena) -> None:
    awa, ber = arena.player(), arena.player()
    duel = arena.challenge(awa, ber)
    score = arena.play(duel, awa, right=2, after=1)
    listener = Listener(arena)

    for _ in range(3):
        listener.hear(arena.see(duel, ber))
        listener.hear(arena.page(ber))
        listener.hear(arena.game.of(ber))
        listener.hear(arena.game.page(ber))
        arena.settle()
    arena.ask(duel, ber)
    listener.hear(arena.see(duel, ber))

    assert str(score) not in re.findall(r"\d+", re.sub(r'"[^"]*"', "", listener.everything()))
    assert [event.state for event in arena.told(duel)] == ["open", "playing"]


def test_waiting_and_asking_again_gain_nothing(arena: Arena) -> None:
    awa, ber = arena.player(), arena.player()
    duel = arena.challenge(awa, ber)
    arena.ask(duel, awa)
    for _ in range(9):
        arena.wait(1)
        arena.ask(duel, awa)

    assert arena.answer(duel, awa, 0, 0).points == 775


def test_an_answer_that_turned_out_wrong_cannot_be_mended(arena: Arena) -> None:
    awa, ber = arena.player(), arena.player()
    duel = arena.challenge(awa, ber)
    arena.ask(duel, awa)
    right = arena.answer(duel, awa, 0, 1).right_choice

    with pytest.raises(Conflict, match="already-answered"):
        arena.answer(duel, awa, 0, right)

    for index in (1, 2):
        arena.ask(duel, awa)
        assert arena.answer(duel, awa, index, index).correct
    assert arena.see(duel, awa).players[0].score == 667


def test_nothing_that_a_client_sends_moves_the_clock(arena: Arena) -> None:
    awa, ber = arena.player(), arena.player()
    duel = arena.challenge(awa, ber)
    arena.ask(duel, awa, "Pacific/Kiritimati")
    arena.wait(10)

    assert arena.answer(duel, awa, 0, 0, "Pacific/Pago_Pago").points == 750


def test_what_the_answers_are_cannot_be_learned_in_another_duel_meanwhile(arena: Arena) -> None:
    awa, ber = arena.player(), arena.player()
    chapter_id = arena.chapter()
    duel = arena.challenge(awa, ber, chapter_id)
    others = [arena.create(awa, chapter_id, "link"), arena.challenge(awa, uuid4(), chapter_id)]
    accepted = arena.accept(arena.shared(arena.player(), chapter_id), awa).duel
    arena.ask(duel, awa)

    for other in (*others, accepted):
        with pytest.raises(Conflict, match="quiz-in-play"):
            arena.ask(other, awa)
