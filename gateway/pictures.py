"""Pictures that people send: checked by decoding, re-encoded, without their metadata."""

import io
import threading
import warnings
from typing import Any

from PIL import ExifTags, Image

from contracts.errors import FieldError, Invalid, Unavailable
from gateway.problems import TooLarge

MAXIMUM_BYTES = 8 * 1024 * 1024
MAXIMUM_PIXELS = 25_000_000
LONGEST_SIDE = 2560

_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_SAVING: dict[str, dict[str, object]] = {
    "PNG": {"optimize": True},
    "JPEG": {"quality": 85, "optimize": True, "progressive": True},
    "WEBP": {"quality": 85},
}
_MODES = {"PNG": ("RGB", "RGBA", "L", "LA"), "JPEG": ("RGB", "L"), "WEBP": ("RGB", "RGBA")}
_PATIENCE_SECONDS = 5.0

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its orientation (Exif 2.32, tag 0x0112)."""

# a decoded picture takes up to 100 MB, so one at a time
_turn = threading.Semaphore(1)


def reencode(content: bytes) -> tuple[str, bytes]:
    """The picture's media type and its bytes as made anew, upright, its longest side at most 2560 pixels.

    Raises `TooLarge` over 8 MiB, and `Invalid` for what is no PNG, JPEG or WebP, or unfolds to too many pixels.
    """
    if len(content) > MAXIMUM_BYTES:
        raise TooLarge()
    if not _turn.acquire(timeout=_PATIENCE_SECONDS):
        raise Unavailable("busy", members={"retry_after": 2})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _reencode(content)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Invalid(errors=(FieldError("/image", "too-many-pixels"),)) from error
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, OverflowError, MemoryError) as error:
        raise Invalid(errors=(FieldError("/image", "picture"),)) from error
    finally:
        _turn.release()


def _reencode(content: bytes) -> tuple[str, bytes]:
    with Image.open(io.BytesIO(content), formats=tuple(_MEDIA_TYPES)) as picture:
        kind = str(picture.format)
        if picture.width * picture.height > MAXIMUM_PIXELS:
            raise Image.DecompressionBombError
        picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        picture.load()
        # not ImageOps.exif_transpose: it writes the metadata anew, and stumbles over what cameras put there
        orientation: Any = picture.getexif().get(ExifTags.Base.Orientation)
        turn = _UPRIGHT.get(orientation)
        upright = picture.copy() if turn is None else picture.transpose(turn)
    if upright.mode not in _MODES[kind]:
        upright = upright.convert("RGBA" if upright.has_transparency_data and kind != "JPEG" else "RGB")
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    clean = Image.new(upright.mode, upright.size)
    clean.paste(upright)
    written = io.BytesIO()
    clean.save(written, kind, **_SAVING[kind])
    return _MEDIA_TYPES[kind], written.getvalue()
