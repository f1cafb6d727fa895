"""Everything that people are told has words in both languages."""

import ast
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chassis.catalogues import catalogue
from services import notification
from services.notification.domain.kinds import KINDS
from services.notification.texts import Language, filled, say, written

PACKAGE = Path(notification.__file__).parent
LANGUAGES: tuple[Language, ...] = ("fr", "en")
RIVAL = uuid4()
PARAMETERS: dict[str, Any] = {
    "rival": str(RIVAL),
    "points": 50,
    "days": 7,
    "freezes": 1,
    "score": 900,
    "level": 3,
}


def messages() -> set[str]:
    """The messages of the catalogue that have a title."""
    known = catalogue(PACKAGE / "locales", "notification", "fr")
    return {name.removesuffix(".title") for name in known if name.endswith(".title")}


def test_every_kind_has_words() -> None:
    named = {node.value for node in _texts_of(PACKAGE / "domain" / "notices.py")}
    variants = {name.partition(".")[0] for name in messages()}

    assert set(KINDS) - variants == {"system"}
    assert variants - set(KINDS) == {"level_reached"} <= named


def test_both_languages_say_the_same_things_of_the_same_numbers() -> None:
    french, english = (catalogue(PACKAGE / "locales", "notification", language) for language in LANGUAGES)

    assert french.keys() == english.keys()
    for name, words in french.items():
        assert set(re.findall(r"\{\w+\}", words)) == set(re.findall(r"\{\w+\}", english[name])), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_mail_has_a_call_of_its_own(language: Language) -> None:
    calls = {kind: say(f"mail.open.{kind}", language) for kind in KINDS}

    assert all(calls.values())
    assert len(set(calls.values())) == len(KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("message", sorted(messages()))
def test_a_notification_says_all_of_it_with_names_and_without(message: str, language: Language) -> None:
    text = written(message, PARAMETERS, language)

    for names in ({RIVAL: "Awa"}, {}):
        for part in (text.title, text.body):
            said = filled(part, text.people, names)
            assert said
            assert "{" not in said
            assert said[0].isupper()


def test_who_has_no_name_any_more_is_somebody() -> None:
    challenge = written("duel_challenged", PARAMETERS, "fr")
    won = written("duel_finished.won", PARAMETERS, "fr")

    assert filled(challenge.title, challenge.people, {}) == "Quelqu’un te défie en duel"
    assert filled(won.title, won.people, {}) == "Duel gagné contre quelqu’un"
    assert filled(won.title, won.people, {RIVAL: "{Rival} & Cie"}) == "Duel gagné contre {Rival} & Cie"


def _texts_of(path: Path) -> list[ast.Constant]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
