"""What trusted libraries read and write for the catalog: CommonMark, WebVTT, slugs, currencies."""

import html
import re
import unicodedata
from decimal import Decimal
from functools import cache

import nh3
from babel.core import get_global
from babel.numbers import get_currency_precision
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.html_inline import html_inline
from markdown_it.token import Token
from slugify import slugify
from webvtt import WebVTT
from webvtt.errors import MalformedCaptionError, MalformedFileError

from services.catalog.domain.cues import Cue
from services.catalog.domain.slugs import MOST as SLUG_MOST

DROP_ROUNDS = 10
MOST_TAGS = 4_000
"""In one block: reading HTML takes the square of how deep it is."""
_SPAN = "span"
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)

_SLUG_REPLACEMENTS = (
    ("C++", "cpp"),
    ("c++", "cpp"),
    ("C#", "csharp"),
    ("c#", "csharp"),
    ("&", " et "),
    ("’", "'"),
    ("°", " "),
)

_UNFOLDED = str.maketrans({"œ": "oe", "æ": "ae", "’": "'"})


class NestedHtmlError(Exception):
    """HTML hidden in HTML so deeply that dropping it uncovers more, round after round, or takes too long."""


class BadVttError(Exception):
    """Not a WebVTT file; `cue` is the number of the first cue that cannot be read, None when it is the file itself."""

    def __init__(self, cue: int | None = None) -> None:
        self.cue = cue
        super().__init__(cue)


def drop_html(source: str) -> str:
    """The CommonMark text without its raw HTML; what stands between tags stays, scripts and styles go whole.

    Everything else stays as written; code keeps its `<div>`. Raises `NestedHtmlError` for HTML hidden in HTML, and for
    more of it in one block than anybody writes.
    """
    text = source
    for _ in range(DROP_ROUNDS):
        tokens = _html_tokens(text) if "<" in text else []
        if not tokens:
            return text
        text = _without(text, tokens)
    raise NestedHtmlError


def plain_text(source: str) -> str:
    """The words of a CommonMark text without its marks, its code blocks and its HTML, on one line."""
    words: list[str] = []
    for token in _commonmark.parse(source):
        breaks = ("softbreak", "hardbreak")
        words.extend(" " if child.type in breaks else child.content for child in token.children or ())
        words.append(" ")
    return " ".join("".join(words).split())


def slug_of(title: str) -> str:
    """The slug that a title asks for; empty when it has no letter or digit."""
    return slugify(
        title,
        max_length=SLUG_MOST,
        word_boundary=True,
        save_order=True,
        entities=False,
        replacements=_SLUG_REPLACEMENTS,
    )


def searchable(text: str) -> str:
    """The text as it is searched: without case, accents and ligatures, its spaces single."""
    folded = unicodedata.normalize("NFKD", text).casefold().translate(_UNFOLDED)
    kept = (" " if unicodedata.category(c) == "Cc" else c for c in folded if not unicodedata.combining(c))
    return " ".join("".join(kept).split())


def parse_vtt(vtt: str) -> tuple[Cue, ...]:
    """The cues of a WebVTT file; none only when it is a bare header. Raises `BadVttError`."""
    try:
        captions = WebVTT.from_string(vtt, strict=True).captions
    except MalformedFileError as error:
        raise BadVttError from error
    except MalformedCaptionError as error:
        raise BadVttError(_first_bad_cue(vtt)) from error
    if not captions and len(vtt.strip().splitlines()) > 1:
        raise BadVttError
    return tuple(
        Cue(
            caption.start_time.in_milliseconds() / 1000,
            caption.end_time.in_milliseconds() / 1000,
            html.unescape(caption.text).strip(),
        )
        for caption in captions
    )


@cache
def currencies() -> frozenset[str]:
    """The ISO 4217 codes of all currencies that are legal tender somewhere today."""
    territories = get_global("territory_currencies").values()
    return frozenset(code for spans in territories for code, _, end, tender in spans if end is None and tender)


def decimal_amount(amount: int, currency: str) -> str:
    """An amount in the smallest unit as a decimal number of the currency: 4900 EUR is `49.00`."""
    return str(Decimal(amount).scaleb(-get_currency_precision(currency)))


def _html_inline_with_span(state: StateInline, silent: bool) -> bool:
    start = state.pos
    found = html_inline(state, silent)
    if found and not silent:
        state.tokens[-1].meta[_SPAN] = (start, state.pos)
    return found


_commonmark = MarkdownIt("commonmark")
_commonmark.inline.ruler.at("html_inline", _html_inline_with_span)


def _html_tokens(text: str) -> list[Token]:
    """The tokens that are, or hold, raw HTML."""
    return [
        token
        for token in _commonmark.parse(text)
        if token.type == "html_block" or any(child.type == "html_inline" for child in token.children or ())
    ]


def _without(text: str, tokens: list[Token]) -> str:
    """The text without the HTML of these tokens, line by line, so that quotes and lists keep their marks."""
    lines: list[str | None] = list(re.split(r"\r\n|\r|\n", text))
    for token in tokens:
        assert token.map is not None
        if token.type == "html_block":
            _replace_block(lines, token.map[0], token.content)
        else:
            spans = [child.meta[_SPAN] for child in token.children or () if child.type == "html_inline"]
            _cut_spans(lines, token.map[0], token.content, spans)
    return "\n".join(line for line in lines if line is not None)


def _replace_block(lines: list[str | None], first: int, content: str) -> None:
    """Put the words of an HTML block into its lines, behind the marks of the quotes and lists around it."""
    if content.count("<") > MOST_TAGS:
        raise NestedHtmlError
    block = content.removesuffix("\n").split("\n")
    words = nh3.clean(content, tags=set()).split("\n")
    kept = [" ".join(line.split()) for line in words if line.strip()]
    if len(kept) > len(block):
        kept = [*kept[: len(block) - 1], " ".join(kept[len(block) - 1 :])]
    for offset, content_line in enumerate(block):
        line = lines[first + offset] or ""
        mark = line[: len(line) - len(content_line)] if line.endswith(content_line) else ""
        if offset < len(kept):
            lines[first + offset] = mark + kept[offset]
        else:
            lines[first + offset] = mark.rstrip() if offset == 0 else None


def _cut_spans(lines: list[str | None], first: int, content: str, spans: list[tuple[int, int]]) -> None:
    """Cut spans of an inline content, in their order, out of the source lines that it comes from."""
    start = 0
    number = first
    next_span = 0
    for content_line in content.split("\n"):
        end = start + len(content_line)
        cuts = []
        while next_span < len(spans) and spans[next_span][0] < end:
            a, b = spans[next_span]
            cuts.append((max(a, start) - start, min(b, end) - start))
            if b > end:  # it goes on in the next line
                break
            next_span += 1
        shown = content_line.strip()
        while shown not in (lines[number] or ""):
            number += 1
        line = lines[number] or ""
        shift = line.rfind(shown) - (len(content_line) - len(content_line.lstrip()))
        for a, b in reversed(cuts):
            instead = " " if _LINE_BREAK.fullmatch(content_line[a:b]) else ""
            line = line[: a + shift] + instead + line[b + shift :]
        if cuts:
            lines[number] = line if line.strip() else None
        start = end + 1
        number += 1


def _first_bad_cue(vtt: str) -> int | None:
    """The number of the first cue that cannot be read by itself."""
    blocks = [block for block in re.split(r"(?:\r\n|\r|\n){2,}", vtt) if "-->" in block]
    for number, block in enumerate(blocks, start=1):
        try:
            WebVTT.from_string(f"WEBVTT\n\n{block}", strict=True)
        except MalformedCaptionError:
            return number
    return None
