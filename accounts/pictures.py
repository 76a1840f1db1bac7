"""Pictures that people send and providers return: measured before anything of them is decoded."""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO

from PIL import Image
from PIL.ExifTags import Base

from accounts.picture_parts import holds_only_pixels
from zgcompute.errors import InvalidBody
from zgcompute.uploads import Upload

MAX_PIXELS = 25_000_000  # of an upload: decoded, it takes four bytes for each
MAX_SIDE = 16_383  # of what is converted: no WebP is longer
MAX_SHOWN_PIXELS = 50_000_000  # of a provider's picture: a browser decodes it too
FORMATS = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
ACCEPTED = ",".join(FORMATS.values())  # what a file input offers to choose
_SAVED = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
_FORMATS = tuple(_SAVED.values())
_ENDINGS = {media_type: ending for ending, media_type in FORMATS.items()}
_TURNS = {  # what sets a picture upright, by the number in its EXIF
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_decoding = threading.Lock()  # one at a time, so that memory stays bounded
Image.MAX_IMAGE_PIXELS = None  # `measure` judges the declared size before anything is decoded


@dataclass(frozen=True, slots=True)
class CleanPicture:
    """A picture without anything but its pixels."""

    content: bytes
    media_type: str
    width: int
    height: int

    @property
    def ending(self) -> str:
        return _ENDINGS[self.media_type]

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a picture is kept: pixels of its longer side, and bytes."""

    side: int
    size: int


def clean(content: bytes, bounds: Bounds | None = None) -> CleanPicture:
    """Return the picture in `content` with its metadata stripped (place, camera, comments).

    It is turned upright first, and scaled down to `bounds`; where it still takes more bytes, it
    becomes a JPEG. Raises InvalidBody for what is no PNG, JPEG or WebP, is broken, or declares
    more than MAX_PIXELS.
    """
    media_type = Upload.picture(content).media_type
    size = measure(content)
    if size is None:
        raise _BROKEN
    if size[0] * size[1] > MAX_PIXELS:
        raise InvalidBody(
            f"The picture is {size[0]} × {size[1]} pixels; at most {MAX_PIXELS:,} are taken.",
            advice="Send it in a smaller size.",
        )
    with _decoding:
        return _redrawn(content, media_type, bounds)


def bare(content: bytes) -> CleanPicture | None:
    """The picture in `content` in these very bytes, or None where they hold more than pixels.

    Also None where it cannot be read to its end, or declares more than MAX_PIXELS.
    """
    size = measure(content)
    if size is None or size[0] * size[1] > MAX_PIXELS or not holds_only_pixels(content):
        return None
    try:
        with _decoding, Image.open(BytesIO(content), formats=_FORMATS) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError):
        return None
    return CleanPicture(content, Upload.picture(content).media_type, *size)


def converted(content: bytes, wanted: str) -> bytes:
    """The picture in another of FORMATS; raises InvalidBody where it is broken or too large."""
    size = measure(content)
    if size is None or size[0] * size[1] > MAX_PIXELS or max(size) > MAX_SIDE:
        raise InvalidBody("The picture cannot be converted.", advice="Download it as it came.")
    with _decoding:
        return _redrawn(content, FORMATS[wanted], None).content


def measure(content: bytes) -> tuple[int, int] | None:
    """Width and height that a PNG, JPEG or WebP declares, or None; decodes nothing."""
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError):
        return None


def shown_size(content: bytes) -> tuple[int, int] | None:
    """As `measure`, but None for a picture that is too large for a page."""
    size = measure(content)
    return size if size and size[0] * size[1] <= MAX_SHOWN_PIXELS else None


def _redrawn(content: bytes, media_type: str, bounds: Bounds | None) -> CleanPicture:
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as opened:
            if bounds:
                opened.draft("RGB", (bounds.side, bounds.side))  # a JPEG is decoded smaller
            has_alpha = "A" in opened.getbands() or "transparency" in opened.info
            pixels = opened.convert("RGBA" if has_alpha else "RGB")
            turn = _turn(opened)
    except (OSError, ValueError, SyntaxError) as error:
        raise _BROKEN from error
    pixels.info = {}
    if media_type == "image/jpeg":
        pixels = _on_white(pixels)
    if turn is not None:
        pixels = pixels.transpose(turn)
    if bounds:
        pixels.thumbnail((bounds.side, bounds.side), Image.Resampling.LANCZOS)
    saved = _saved(pixels, media_type)
    if bounds and len(saved.content) > bounds.size:
        return _saved(_on_white(pixels), "image/jpeg", quality=85)
    return saved


def _turn(opened: Image.Image) -> Image.Transpose | None:
    """What sets the picture upright; nothing where its EXIF is broken, which draws nothing."""
    try:
        return _TURNS.get(opened.getexif().get(Base.Orientation, 1))
    except (OSError, ValueError, SyntaxError, TypeError, struct.error):
        return None


def _saved(pixels: Image.Image, media_type: str, quality: int = 95) -> CleanPicture:
    out = BytesIO()
    pixels.save(out, _SAVED[media_type], quality=quality)
    return CleanPicture(out.getvalue(), media_type, pixels.width, pixels.height)


def _on_white(pixels: Image.Image) -> Image.Image:
    if pixels.mode != "RGBA":
        return pixels
    ground = Image.new("RGB", pixels.size, "white")
    ground.paste(pixels, mask=pixels.getchannel("A"))
    return ground


_BROKEN = InvalidBody("The picture is broken: it cannot be read.", advice="Choose another file.")
