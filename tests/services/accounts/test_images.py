"""Pictures for covers and avatars: checked, made anew, given back for ever."""

import io
import struct
import zlib
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from PIL import Image, PngImagePlugin
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from chassis.database import Database
from gateway.commands import create_account
from gateway.tables import images
from tests.services.accounts.conftest import PASSWORD, Someone

Make = Callable[..., Someone]


@pytest.fixture
def arsene(someone: Make, database: Database) -> Someone:
    """An instructor."""
    create_account(database.url, "arsene@tanka.example", PASSWORD, display_name="Arsène", role="instructor")
    return someone().log_in("arsene@tanka.example")


def _picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: object) -> bytes:
    written = io.BytesIO()
    Image.new(mode, size, 3 if mode == "P" else None).save(written, kind, **options)
    return written.getvalue()


def _upload(who: Someone, content: bytes, name: str = "image") -> TestResponse:
    return who.call(
        "POST", "/v1/images", data={name: (io.BytesIO(content), "x.png")}, content_type="multipart/form-data"
    )


def _path(answer: TestResponse) -> str:
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    assert answer.json["url"].startswith("http://api.example/v1/images/")
    return urlsplit(answer.json["url"]).path


@pytest.mark.parametrize(
    ("kind", "mode", "media_type"),
    [
        ("PNG", "RGB", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "P", "image/png"),
        ("PNG", "I;16", "image/png"),
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("WEBP", "RGB", "image/webp"),
    ],
)
def test_a_picture_is_kept_and_given_back_to_everybody(
    arsene: Someone, someone: Make, kind: str, mode: str, media_type: str
) -> None:
    path = _path(_upload(arsene, _picture(kind, mode=mode)))

    answer = someone().get(path)

    assert answer.content_type == media_type
    assert "immutable" in answer.headers["Cache-Control"]
    with Image.open(io.BytesIO(answer.data)) as picture:
        assert (picture.format, picture.size) == (kind, (40, 30))
    again = someone().get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_what_the_file_told_about_its_maker_is_gone(arsene: Someone, someone: Make) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif[0x0112] = 6
    told = PngImagePlugin.PngInfo()
    told.add_text("Author", "SecretName")

    jpeg = someone().get(_path(_upload(arsene, _picture("JPEG", exif=exif, comment=b"SecretComment"))))
    png = someone().get(_path(_upload(arsene, _picture("PNG", pnginfo=told) + b"SecretTail")))

    assert b"Secret" not in jpeg.data + png.data
    with Image.open(io.BytesIO(jpeg.data)) as picture:
        assert picture.size == (30, 40)
        assert not picture.getexif()


def test_a_photo_whose_metadata_is_broken_is_kept_upright(arsene: Someone, someone: Make) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = 72.0
    photo = _picture("JPEG", exif=exif)
    resolution = struct.pack(">HHI", 0x011A, 5, 1)
    assert resolution in photo

    # a resolution of the type "text", as no camera should write it
    answer = someone().get(_path(_upload(arsene, photo.replace(resolution, struct.pack(">HHI", 0x011A, 2, 1)))))

    with Image.open(io.BytesIO(answer.data)) as picture:
        assert picture.size == (30, 40)


def test_a_large_picture_is_made_smaller(arsene: Someone, someone: Make) -> None:
    answer = someone().get(_path(_upload(arsene, _picture("JPEG", (4000, 1000)))))

    with Image.open(io.BytesIO(answer.data)) as picture:
        assert picture.size == (2560, 640)


def _bomb() -> bytes:
    """A PNG of a few kilobytes that says it has 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        _picture("GIF"),
        _picture("BMP"),
        _picture("PNG")[:-30],
        _picture("JPEG")[:200],
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 100,
        _bomb(),
        _picture("PNG", (6000, 5000), "1"),
    ],
    ids=["empty", "text", "svg", "gif", "bmp", "cut png", "cut jpeg", "broken png", "bomb", "too many pixels"],
)
def test_what_is_no_good_picture_is_refused(arsene: Someone, database: Database, content: bytes) -> None:
    answer = _upload(arsene, content)

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"][0]["pointer"] == "/image"
    with database.single_statement() as unit_of_work:
        assert unit_of_work.connection.execute(select(func.count()).select_from(images)).scalar_one() == 0


def test_more_than_eight_mebibytes_are_too_large(arsene: Someone) -> None:
    assert _upload(arsene, bytes(8 * 1024 * 1024 + 1)).status_code == 413
    assert _upload(arsene, bytes(20 * 1024 * 1024)).status_code == 413


def test_the_form_must_be_one_with_the_picture(arsene: Someone) -> None:
    assert _upload(arsene, _picture(), "other").status_code == 422
    assert arsene.post("/v1/images").status_code == 422
    assert arsene.post("/v1/images", {"image": "x"}).status_code == 415
    assert arsene.call("POST", "/v1/images", data={"image": "x"}, content_type="multipart/form-data").status_code == 422
    broken = arsene.call("POST", "/v1/images", data=b"--x\r\nbroken", content_type="multipart/form-data; boundary=x")
    assert broken.status_code in (400, 422)


def test_pictures_are_for_instructors(ber: Someone, someone: Make) -> None:
    assert _upload(ber, _picture()).status_code == 403
    assert _upload(someone(), _picture()).status_code == 401


def test_an_unknown_picture_is_not_found(someone: Make) -> None:
    assert someone().get("/v1/images/00000000-0000-0000-0000-000000000000").status_code == 404
    assert someone().get("/v1/images/x").status_code == 404
