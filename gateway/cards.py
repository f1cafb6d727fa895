"""The picture that messengers show of a shared challenge: 1200 by 630 pixels, all that counts in the middle."""

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
VERSION = 1
"""To be raised when the same words are drawn differently: it is a part of the entity tag."""

_FONTS = Path(__file__).parent / "fonts"
_MIDDLE = SIZE[0] // 2
_WIDEST = 1080
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
    """The words of a picture, from top to bottom."""

    brand: str
    headline: str
    score: str
    unit: str
    quiz: str
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


def _drawn(card: Card) -> bytes:
    picture = _background().copy()
    draw = ImageDraw.Draw(picture)
    _line(draw, card.brand, 62, "SemiBold", (30, 30), _SOFT)
    _line(draw, card.headline, 136, "ExtraBold", (72, 40), _WHITE)
    _line(draw, card.score, 286, "ExtraBold", (190, 190), _ACCENT)
    _line(draw, card.unit, 414, "SemiBold", (34, 34), _SOFT)
    _line(draw, card.quiz, 477, "SemiBold", (34, 26), _WHITE)
    left, right = (_MIDDLE + side * (_font("ExtraBold", 36).getlength(card.call) / 2 + 48) for side in (-1, 1))
    draw.rounded_rectangle((left, 521, right, 595), 37, _ACCENT)
    _line(draw, card.call, 557, "ExtraBold", (36, 36), _BOTTOM)
    written = io.BytesIO()
    picture.save(written, "PNG", compress_level=7)
    return written.getvalue()


def _line(
    draw: ImageDraw.ImageDraw, text: str, height: int, weight: str, sizes: tuple[int, int], colour: tuple[int, int, int]
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
        draw.circle((_MIDDLE, 300), radius, (167, 139, 250, opacity))
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
