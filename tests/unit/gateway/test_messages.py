"""Everything that is refused has words in both languages."""

import ast
import re
from pathlib import Path

import pytest

from contracts import errors as contract
from gateway.messages import LANGUAGES, Language, catalogue, say

ROOT = Path(__file__).parents[3]
REASONS = (
    "services/gamification/domain/shop.py",
    "services/progress/domain/access.py",
    "services/purchase/domain/refusals.py",
)
PLACES = ("chassis", "services", "gateway")
REFUSALS = {name for name, item in vars(contract).items() if isinstance(item, type) and issubclass(item, Exception)}
REFUSALS |= {"TooLarge", "MethodNotAllowed", "UnsupportedMediaType"}
FIELDS = {"FieldError": 1, "Refusal": 1, "PydanticCustomError": 0, "invalid": 1}

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*").fullmatch


def _calls() -> list[ast.Call]:
    found = []
    for place in PLACES:
        for path in (ROOT / place).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return found


def _named(call: ast.Call, position: int, keyword: str) -> str | None:
    candidates = [*call.args[position : position + 1], *(item.value for item in call.keywords if item.arg == keyword)]
    for node in candidates:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
    return None


def _problems() -> set[str]:
    slugs = {
        _named(call, 0, "problem") for call in _calls() if isinstance(call.func, ast.Name) and call.func.id in REFUSALS
    }
    defaults = {kind.default_problem for kind in contract.ServiceError.__subclasses__()}
    rules = [(ROOT / path).read_text(encoding="utf-8") for path in REASONS]
    reasons = {found for text in rules for found in re.findall(r'^    [A-Z_]+ = "([a-z-]+)"', text, re.MULTILINE)}
    reasons -= {"not-there", "waiver-required"}
    return {slug for slug in slugs | defaults | reasons if slug is not None}


def _codes() -> set[str]:
    codes = {
        _named(call, FIELDS[call.func.id], "code")
        for call in _calls()
        if isinstance(call.func, ast.Name) and call.func.id in FIELDS
    }
    order = {f"{what}-{item}" for what in ("unknown", "missing") for item in ("chapter", "lesson")}
    return {code for code in codes if code is not None} | order


def test_the_search_finds_what_is_known_to_be_there() -> None:
    assert {"purchase-required", "email-taken", "not-publishable", "not-json"} <= _problems()
    assert {"slug-taken", "time-zone", "email", "birth-year", "unknown-lesson"} <= _codes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_has_a_title_and_a_detail(language: Language) -> None:
    missing = [
        f"problem.{slug}.{part}"
        for slug in sorted(_problems())
        for part in ("title", "detail")
        if not catalogue(language).get(f"problem.{slug}.{part}")
    ]

    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refused_field_has_a_reason_in_words(language: Language) -> None:
    assert [code for code in sorted(_codes()) if not catalogue(language).get(f"field.{code}")] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_that_pydantic_errors_become_has_words(language: Language) -> None:
    from gateway.schemas import CODES

    assert [code for code in sorted(set(CODES.values())) if not catalogue(language).get(f"field.{code}")] == []


def test_both_languages_have_the_same_messages_with_the_same_parameters() -> None:
    french, english = catalogue("fr"), catalogue("en")

    assert french.keys() == english.keys()
    for message in french:
        assert set(re.findall(r"\{\w+\}", french[message])) == set(re.findall(r"\{\w+\}", english[message])), message


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_written_twice(language: Language) -> None:
    written = (ROOT / "gateway/locales" / language / "LC_MESSAGES/gateway.po").read_text(encoding="utf-8")
    ids = re.findall(r'^msgid "(.+)"$', written, re.MULTILINE)

    assert sorted(ids) == sorted(set(ids))


def test_slugs_and_codes_are_lower_case_words_with_hyphens() -> None:
    assert [name for name in sorted(_problems() | _codes()) if not _SLUG(name)] == []


def test_a_list_is_told_in_words() -> None:
    told = say("problem.not-publishable.detail", "fr", {"missing": ["no-lesson"]})

    assert told == "Il manque encore\u00a0: au moins une leçon."


def test_a_value_that_is_missing_leaves_a_gap_rather_than_a_fault() -> None:
    assert say("field.too-long", "en") == "must have at most … characters"


def test_an_unknown_message_takes_the_words_of_its_kind() -> None:
    assert say("problem.brand-new.title", "en", otherwise="problem.conflict.title") == "Conflict"
