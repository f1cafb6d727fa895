"""The picture that messengers show of a shared challenge: 1200 by 630 pixels, all words in the square in the middle.

WhatsApp shows that square only.
"""

import io
import threading
import unicodedata
from dataclasses import astuple, dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from contracts.errors import Unavailable

SIZE = (1200, 630)
VERSION = 2
"""To be raised when the same words are drawn differently: it is a part of the entity tag."""

_FONTS = Path(__file__).parent / "fonts"
_MIDDLE = SIZE[0] // 2
_WIDEST = 590
_TOP, _BOTTOM = (76, 29, 149), (15, 10, 46)
_WHITE, _SOFT, _ACCENT = (255, 255, 255), (221, 214, 254), (253, 224, 71)
_ELLIPSIS = "…"

AT_MOST = 8
"""Pictures that are drawn or wait for it at a time: each holds a thread of the process."""

# drawing takes the processor for a moment, so one at a time
_turn = threading.Lock()
_admitted = threading.Semaphore(AT_MOST)


@dataclass(frozen=True)
class Card:
    """The words of a picture, from top to bottom. The headline is parted at a space where one line does not hold it."""

    brand: str
    headline: str
    score: str
    unit: str
    chapter: str
    course: str
    call: str

    @property
    def etag(self) -> str:
        """The picture's entity tag, without drawing it."""
        words = "\0".join((str(VERSION), *astuple(self)))
        return f'"{blake2b(words.encode(), digest_size=12).hexdigest()}"'


def drawn(card: Card) -> bytes:
    """The picture as a PNG. Raises `Unavailable` (busy) when enough are being drawn already."""
    if not _admitted.acquire(blocking=False):
        raise Unavailable("busy", members={"retry_after": 1})
    try:
        with _turn:
            return _drawn(card)
    finally:
        _admitted.release()


def drawable(text: str) -> str:
    """The text without what the fonts have no picture of; emoji and many scripts leave nothing."""
    composed = unicodedata.normalize("NFC", text)
    kept = (character for character in composed if character.isspace() or _has_picture(character))
    return " ".join("".join(kept).split())


def shortened(text: str, characters: int) -> str:
    """The text, cut where it has more than so many characters."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + _ELLIPSIS


def parted(text: str) -> list[str]:
    """The text as one line, or as the two of most equal width where one line would have to be small."""
    font = _font("ExtraBold", 56)
    spaces = [place for place, character in enumerate(text) if character == " "]
    if font.getlength(text) <= _WIDEST or not spaces:
        return [text]
    pairs = ([text[:place], text[place + 1 :]] for place in spaces)
    return min(pairs, key=lambda pair: max(map(font.getlength, pair)))


def _drawn(card: Card) -> bytes:
    picture = _background().copy()
    draw = ImageDraw.Draw(picture)
    _line(draw, card.brand, 38, "SemiBold", (28, 28), _SOFT)
    lines = parted(card.headline)
    for number, line in enumerate(lines):
        height = 136 + 60 * (number - (len(lines) - 1) / 2)
        _line(draw, line, height, "ExtraBold", (76, 34) if len(lines) == 1 else (58, 34), _WHITE)
    _line(draw, card.score, 278, "ExtraBold", (160, 160), _ACCENT)
    _line(draw, card.unit, 382, "SemiBold", (32, 32), _SOFT)
    _line(draw, card.chapter, 438, "SemiBold", (34, 26), _WHITE)
    _line(draw, card.course, 482, "SemiBold", (28, 22), _SOFT)
    left, right = (_MIDDLE + side * (_font("ExtraBold", 36).getlength(card.call) / 2 + 48) for side in (-1, 1))
    draw.rounded_rectangle((left, 523, right, 597), 37, _ACCENT)
    _line(draw, card.call, 559, "ExtraBold", (36, 36), _BOTTOM)
    written = io.BytesIO()
    picture.save(written, "PNG", compress_level=7)
    return written.getvalue()


def _line(
    draw: ImageDraw.ImageDraw,
    text: str,
    height: float,
    weight: str,
    sizes: tuple[int, int],
    colour: tuple[int, int, int],
) -> None:
    """Write a line around a height, in the middle, as large as it may be and fits, else cut."""
    largest, smallest = sizes
    font = _font(weight, largest)
    for size in range(largest, smallest - 1, -2):
        font = _font(weight, size)
        if font.getlength(text) <= _WIDEST:
            break
    while font.getlength(text) > _WIDEST:
        text = text.rstrip(_ELLIPSIS)[:-1].rstrip() + _ELLIPSIS
    draw.text((_MIDDLE, height), text, colour, font, anchor="mm")


@cache
def _background() -> Image.Image:
    gradient = Image.linear_gradient("L").resize(SIZE)
    picture = Image.composite(Image.new("RGB", SIZE, _BOTTOM), Image.new("RGB", SIZE, _TOP), gradient)
    draw = ImageDraw.Draw(picture, "RGBA")
    for radius, opacity in ((250, 14), (195, 18), (140, 24)):
        draw.circle((_MIDDLE, 285), radius, (167, 139, 250, opacity))
    return picture


@cache
def _font(weight: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_FONTS / f"Manrope-{weight}.ttf"), size)


@lru_cache(maxsize=4096)
def _has_picture(character: str) -> bool:
    if unicodedata.category(character) in ("Cf", "Cc", "Co", "Cs", "Cn"):
        return False
    font = _font("SemiBold", 24)
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))
