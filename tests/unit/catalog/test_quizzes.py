"""A chapter's quiz."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.quizzes import Question, check_quiz


def question(**changes: Any) -> Question:
    values: dict[str, Any] = {"text": "Que veut dire HTML ?", "choices": ("Un langage", "Un fruit"), "answer": 0}
    return Question(**(values | changes))


def codes(*questions: Question, seconds: int = 20) -> list[tuple[str, str]]:
    return [(refusal.pointer, refusal.code) for refusal in check_quiz(seconds, questions)]


@given(st.lists(st.text("abcdef", min_size=1), min_size=2, max_size=6, unique=True), st.data())
def test_two_to_six_distinct_choices_with_one_of_them_right_are_accepted(
    choices: list[str], data: st.DataObject
) -> None:
    answer = data.draw(st.integers(0, len(choices) - 1))
    assert codes(question(choices=tuple(choices), answer=answer)) == []


def test_a_quiz_has_at_least_one_question_and_not_endlessly_many() -> None:
    assert codes() == [("/questions", "too-few")]
    assert codes(*[question()] * 51) == [("/questions", "too-many")]


@pytest.mark.parametrize(("seconds", "code"), [(4, "too-small"), (301, "too-large"), (-1, "too-small")])
def test_the_time_limit_is_bounded(seconds: int, code: str) -> None:
    assert codes(question(), seconds=seconds) == [("/time_limit_seconds", code)]


@pytest.mark.parametrize(("number", "code"), [(0, "too-few"), (1, "too-few"), (7, "too-many")])
def test_a_question_has_two_to_six_choices(number: int, code: str) -> None:
    found = codes(question(), question(choices=tuple("abcdefg"[:number]), answer=0))
    assert ("/questions/1/choices", code) in found


@pytest.mark.parametrize("answer", [-1, 2, 10**30])
def test_the_answer_is_one_of_the_choices(answer: int) -> None:
    assert codes(question(answer=answer)) == [("/questions/0/answer", "no-such-choice")]


def test_choices_differ_by_more_than_spaces() -> None:
    assert codes(question(choices=("let", "const", " let ", "Let"))) == [
        ("/questions/0/choices/2", "same-choice-twice")
    ]


def test_texts_are_there_short_and_without_control_characters() -> None:
    assert codes(question(text="  ")) == [("/questions/0/text", "required")]
    assert codes(question(text="a" * 2001)) == [("/questions/0/text", "too-many-bytes")]
    assert codes(question(choices=("a", "\0b"))) == [("/questions/0/choices/1", "control-characters")]
    assert codes(question(choices=("a", ""))) == [("/questions/0/choices/1", "required")]


def test_a_question_about_code_may_have_lines_and_tags() -> None:
    assert codes(question(text="Que montre :\n\n```\n<b>x</b>\n```", choices=("<b>", "<i>"))) == []
