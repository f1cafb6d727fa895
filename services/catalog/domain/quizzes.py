"""A chapter's quiz."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.catalog.domain.refusals import Refusal, check_number, check_text

TIME_LIMIT_SECONDS = (5, 300)
QUESTIONS = (1, 50)
CHOICES = (2, 6)
TEXT_BYTES = 2_000
CHOICE_BYTES = 500


@dataclass(frozen=True)
class Question:
    """A question; `answer` is the index of the right choice."""

    text: str
    choices: tuple[str, ...]
    answer: int


def check_quiz(time_limit_seconds: int, questions: Sequence[Question]) -> tuple[Refusal, ...]:
    """What is wrong with a quiz; the time limit is in seconds per question."""
    refusals = check_number("/time_limit_seconds", time_limit_seconds, *TIME_LIMIT_SECONDS)
    refusals += check_count("/questions", len(questions), *QUESTIONS)
    for index, question in enumerate(questions[: QUESTIONS[1]]):
        refusals += _check_question(f"/questions/{index}", question)
    return refusals


def check_count(pointer: str, number: int, least: int, most: int) -> tuple[Refusal, ...]:
    """What is wrong with a list of that many items."""
    if number < least:
        return (Refusal(pointer, "too-few", {"minimum": least}),)
    if number > most:
        return (Refusal(pointer, "too-many", {"maximum": most}),)
    return ()


def _check_question(pointer: str, question: Question) -> tuple[Refusal, ...]:
    refusals = check_text(f"{pointer}/text", question.text.strip(), TEXT_BYTES, required=True)
    refusals += check_count(f"{pointer}/choices", len(question.choices), *CHOICES)
    seen: set[str] = set()
    for index, choice in enumerate(text.strip() for text in question.choices[: CHOICES[1]]):
        refusals += check_text(f"{pointer}/choices/{index}", choice, CHOICE_BYTES, required=True)
        if choice and choice in seen:
            refusals += (Refusal(f"{pointer}/choices/{index}", "same-choice-twice"),)
        seen.add(choice)
    if not 0 <= question.answer < len(question.choices):
        refusals += (Refusal(f"{pointer}/answer", "no-such-choice"),)
    return refusals
