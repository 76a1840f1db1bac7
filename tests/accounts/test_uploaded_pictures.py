"""Pictures from people: nothing but pixels stays, and nothing large is decoded."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from itertools import product

import pytest
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from accounts.picture_parts import holds_only_pixels
from accounts.pictures import MAX_PIXELS, MAX_SIDE, Bounds, bare, clean, converted
from zgcompute.errors import InvalidBody

BOUNDS = Bounds(side=200, size=20_000)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def drawn(kind: str = "PNG", size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    out = BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, kind, **options)
    return out.getvalue()


def noise(size: tuple[int, int] = (300, 300)) -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 90).convert("RGBA").save(out, "PNG")
    return out.getvalue()


def bomb() -> bytes:
    """A PNG that declares 30,000 × 30,000 pixels, and is small."""
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 10_000)), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_scaled_down_and_keeps_its_shape(kind: str) -> None:
    kept = clean(drawn(kind, (800, 400)), BOUNDS)
    assert (kept.width, kept.height) == (200, 100)
    assert kept.media_type == f"image/{kind.lower()}"
    assert Image.open(BytesIO(kept.content)).size == (200, 100)


def test_a_small_picture_is_not_blown_up() -> None:
    kept = clean(drawn(size=(40, 30)), BOUNDS)
    assert (kept.width, kept.height) == (40, 30)


def test_what_takes_too_many_bytes_becomes_a_jpeg() -> None:
    kept = clean(noise(), BOUNDS)
    assert (kept.media_type, kept.ending) == ("image/jpeg", "jpg")
    assert clean(noise()).media_type == "image/png"


def test_metadata_goes_and_a_turned_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera of Alice"
    sent = drawn("JPEG", (40, 30), exif=exif, comment=b"secret")
    kept = clean(sent, BOUNDS)
    assert (kept.width, kept.height) == (30, 40)
    assert b"Alice" in sent
    assert b"Alice" not in kept.content
    assert b"secret" not in kept.content


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_cleaned_picture_is_bare_and_stays_as_it_is(kind: str) -> None:
    kept = clean(drawn(kind, (80, 60)), BOUNDS)
    again = bare(kept.content)
    assert again == kept
    assert clean(kept.content, BOUNDS).content == kept.content or kind != "PNG"


@pytest.mark.parametrize(
    "content",
    [
        drawn("JPEG", comment=b"hidden"),
        drawn("JPEG", progressive=True, exif=Image.Exif().tobytes() + b"x"),
        drawn("WEBP", exif=b"Exif\0\0hidden"),
        drawn("PNG", dpi=(72, 72)),
        drawn("PNG") + b"<script>alert(1)</script>",
        drawn("JPEG") + b"PK\x03\x04",
        drawn("WEBP") + b"tail",
        drawn("PNG")[:-20],
        drawn("JPEG")[:-20],
        SVG,
        b"",
    ],
)
def test_a_file_with_more_than_pixels_is_not_bare(content: bytes) -> None:
    assert not holds_only_pixels(content)
    assert bare(content) is None


def test_a_progressive_jpeg_of_pixels_alone_is_bare() -> None:
    assert bare(drawn("JPEG", (90, 90), progressive=True)) is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SVG, "not a picture"),
        (b"GIF89a" + b"\0" * 40, "not a picture"),
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "broken"),
        (drawn()[:60], "broken"),
        (bomb(), f"at most {MAX_PIXELS:,}"),
    ],
)
def test_hostile_files_are_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(InvalidBody, match=words):
        clean(content, BOUNDS)


def test_a_bomb_is_not_bare_and_is_not_decoded() -> None:
    assert bare(bomb()) is None


def test_a_scan_of_fill_bytes_alone_is_searched_once_and_not_from_each_of_them() -> None:
    start = b"\xff\xd8\xff\xda\0\2"
    assert not holds_only_pixels(start + b"\xff" * 3_000_000 + b"\0")  # else it takes hours
    assert holds_only_pixels(start + b"\xff" * 3_000_000 + b"\xd9")


@pytest.mark.parametrize("orientation", range(10))
def test_a_picture_is_turned_as_its_camera_says(orientation: int) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    sent = drawn("PNG", exif=exif)
    with Image.open(BytesIO(sent)) as opened, Image.open(BytesIO(clean(sent).content)) as kept:
        assert kept.tobytes() == ImageOps.exif_transpose(opened).tobytes()
        assert not kept.getexif()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of each
def test_no_exif_however_broken_keeps_a_picture_from_being_taken() -> None:
    exif = Image.Exif()
    exif[Base.Orientation], exif[Base.Make], exif[Base.XResolution] = 6, "Maker", 72.5
    exif[Base.GPSInfo] = {1: "N", 2: (1.0, 2.0, 3.0)}
    whole = exif.tobytes()
    for at, value in product(range(8, len(whole)), (0, 2, 5, 255)):
        broken = whole[:at] + bytes([value]) + whole[at + 1 :]
        assert clean(drawn("JPEG", (4, 3), exif=broken)).width in (3, 4)


def test_a_palette_that_is_missing_breaks_nothing() -> None:
    out = BytesIO()
    Image.new("P", (4, 4)).save(out, "PNG")
    whole = out.getvalue()
    at = whole.index(b"PLTE") - 4
    end = whole.index(b"IDAT") - 4
    assert clean(whole[:at] + whole[end:]).width == 4


def test_what_was_transparent_is_white_in_a_jpeg() -> None:
    out = BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(out, "PNG")
    with Image.open(BytesIO(converted(out.getvalue(), "jpg"))) as opaque:
        assert min(opaque.getpixel((4, 4))) > 250  # type: ignore[arg-type, type-var]


def test_what_no_webp_can_hold_is_not_converted() -> None:
    with pytest.raises(InvalidBody, match="cannot be converted"):
        converted(drawn("PNG", (MAX_SIDE + 1, 2)), "webp")
