"""What badges are called."""

from typing import Any

from gateway.messages import Language, say


def badge_name(code: str, language: Language) -> str:
    """What the badge is called; nothing where it has no name yet."""
    return say(f"badge.{code}", language)


def with_badge_names(answer: dict[str, Any], language: Language) -> dict[str, Any]:
    """An answer of the game with the names of its badges; one that has none yet is called by its code."""
    named = [badge | {"name": badge_name(badge["code"], language) or badge["code"]} for badge in answer["badges"]]
    return answer | {"badges": named}
