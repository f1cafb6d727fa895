"""The page that a shared challenge opens, for people without an account and for messengers' previews."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec
from apiflask import APIBlueprint
from flask import Response, request
from jinja2 import Environment, select_autoescape

from contracts.errors import NotFound, Unavailable
from gateway import cards, challenges
from gateway.cache import page
from gateway.cards import Card
from gateway.dependencies import pages, settings
from gateway.etags import PUBLIC, shared_response
from gateway.messages import LANGUAGES, Language, asked_language, say
from gateway.models import duels as models
from gateway.upstream import remaining

blueprint = APIBlueprint("challenge_pages", __name__, tag="Gamification")

_TEMPLATES = Path(__file__).parent.parent / "templates"
_STYLE = (_TEMPLATES / "challenge.css").read_text(encoding="utf-8")
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)
_HTML = "text/html; charset=utf-8"
_LOCALES: dict[Language, str] = {"fr": "fr_FR", "en": "en_GB"}
_NAMES: dict[Language, str] = {"fr": "Français", "en": "English"}
_REF = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch
_NUMBER = re.compile(r" (?=\d+$)")
_RETRY_SECONDS = "2"
_NAME_CHARACTERS = 26
_TITLE_CHARACTERS = 60
"""How much of a name or title is drawn at most."""

_environment = Environment(autoescape=select_autoescape(default=True), trim_blocks=True, lstrip_blocks=True)
_template = _environment.from_string((_TEMPLATES / "challenge.html").read_text(encoding="utf-8"))


@blueprint.get("/challenges/<token>")
@blueprint.doc(responses=models.HTML)
def show_challenge(token: str) -> Response:
    """The page of a shared challenge, in French or English (`?lang=`), with Open Graph tags."""
    language = _language()
    front = settings().front_url
    try:
        challenge = msgspec.json.decode(challenges.read(token, language).body)
    except NotFound:
        body = _nothing("gone", language, front)
        response = Response(body, status=404, content_type=_HTML)
    except Unavailable:
        address = challenges.address(settings().public_url, token)
        response = Response(_nothing("away", language, address), status=503, content_type=_HTML)
        response.headers["Retry-After"] = _RETRY_SECONDS
    else:
        body = _page(challenge, token, language)
        etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        response = shared_response(body, etag, cache_control=PUBLIC, content_type=_HTML)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Content-Language"] = language
    response.vary.add("Accept-Language")
    return response


@blueprint.get("/challenges/<token>.png")
@blueprint.doc(responses=models.PNG)
def draw_challenge(token: str) -> Response:
    """The picture of a shared challenge, for previews."""
    language = _language()
    card = _card(msgspec.json.decode(challenges.read(token, language).body), language)
    response = shared_response(b"", card.etag, cache_control=PUBLIC, content_type="image/png")
    if response.status_code == 200:
        response.set_data(pages().read(("card", card.etag), lambda: page(cards.drawn(card), ()), remaining).body)
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.vary.add("Accept-Language")
    return response


def _language() -> Language:
    wanted = request.args.get("lang")
    return next((language for language in LANGUAGES if language == wanted), asked_language())


def _ref() -> str:
    given = request.args.get("ref", "")
    return given if _REF(given) else ""


def _other(language: Language) -> Language:
    return "en" if language == "fr" else "fr"


def _page(challenge: dict[str, Any], token: str, language: Language) -> bytes:
    own, front = settings().public_url, settings().front_url
    page_url, play = challenges.address(own, token), challenges.address(front, token)
    if ref := _ref():
        # the link on a video that brought them goes on to where they register
        play = f"{play}?ref={ref}"
    name = challenge["challenger"]["display_name"]
    words = {
        "name": name,
        "score": challenge["score"],
        "chapter": challenge["chapter"]["title"],
        "course": challenge["course"]["title"],
    }
    return _rendered(
        language,
        challenge=challenge,
        title=say("challenge.title", language, words),
        # no line ends before the number of a pseudonym
        headline=say("challenge.headline", language, words | {"name": _NUMBER.sub("\u00a0", name)}),
        description=say("challenge.description", language, words),
        questions=_questions(challenge["questions"], language),
        play=play,
        page=page_url,
        url=page_url if language == "fr" else f"{page_url}?lang={language}",
        image=f"{page_url}.png?lang={language}",
        image_size=cards.SIZE,
        image_text=say("challenge.image", language, words),
    )


def _nothing(what: str, language: Language, play: str) -> bytes:
    title = say(f"challenge.{what}.title", language)
    text = say(f"challenge.{what}.text", language)
    return _rendered(language, challenge=None, title=title, headline=title, text=text, play=play)


def _rendered(language: Language, **values: Any) -> bytes:
    other = _other(language)
    return _template.render(
        language=language,
        locale=_LOCALES[language],
        other_language=other,
        other_locale=_LOCALES[other],
        other_language_name=_NAMES[other],
        ref=_ref(),
        style=_STYLE,
        say=lambda message, **words: say(message, language, words),
        **values,
    ).encode()


def _questions(number: int, language: Language) -> str:
    return say("challenge.one-question" if number == 1 else "challenge.questions", language, {"number": number})


def _card(challenge: dict[str, Any], language: Language) -> Card:
    name = cards.drawable(challenge["challenger"]["display_name"]) or say("challenge.somebody", language)
    # it stays together in a line
    name = cards.shortened(name, _NAME_CHARACTERS).replace(" ", "\u00a0")
    chapter, course = (
        cards.shortened(cards.drawable(challenge[part]["title"]), _TITLE_CHARACTERS) for part in ("chapter", "course")
    )
    return Card(
        brand=say("challenge.brand", language),
        headline=say("challenge.headline", language, {"name": name}),
        score=str(challenge["score"]),
        unit=say("challenge.out-of", language),
        chapter=chapter,
        course=course,
        call=say("challenge.beat", language),
    )
