"""What a devnet model can truly say of a picture: read from the very bytes that came."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image

MAX_PIXELS = 8_000_000
MOST_PICTURES = 16  # in one request
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_DATA_URL = re.compile(r"data:image/[a-z+.-]{1,20};base64,", re.ASCII)
_COLOURS = {
    "black": (15, 15, 15),
    "white": (245, 245, 245),
    "grey": (128, 128, 128),
    "red": (210, 35, 40),
    "orange": (240, 140, 30),
    "yellow": (240, 220, 50),
    "green": (50, 160, 70),
    "cyan": (60, 200, 210),
    "blue": (40, 80, 200),
    "purple": (140, 50, 180),
    "pink": (240, 130, 180),
    "brown": (120, 75, 40),
}
Image.MAX_IMAGE_PIXELS = None  # `_look` judges the declared size before anything is decoded


class NotReadable(Exception):
    """A picture that cannot be looked at; `str()` is what the model server says of it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture: sizes in pixels, and the name of the colour that most of it has."""

    kind: str
    width: int
    height: int
    colour: str
    sha256: str


def seen(content: Any) -> list[Seen]:
    """Return the pictures of a message's content, in order; raises NotReadable."""
    if not isinstance(content, list):
        return []
    parts = [part for part in content if isinstance(part, dict) and part.get("type") == "image_url"]
    return [_look(_bytes(part)) for part in parts]


def describe(pictures: list[Seen]) -> str:
    """A Markdown table of the pictures, and the first of them in a sentence."""
    first = pictures[0]
    rows = [
        f"| {number} | {one.kind} | {one.width} px | {one.height} px | {one.colour} |"
        for number, one in enumerate(pictures, start=1)
    ]
    return "\n".join(
        [
            f"The picture is a **{first.kind}** of **{first.width} × {first.height}** pixels, "
            f"mostly **{first.colour}**."
            if len(pictures) == 1
            else f"There are **{len(pictures)}** pictures.",
            "",
            "| Picture | Format | Width | Height | Mostly |",
            "| ---: | :--- | ---: | ---: | :--- |",
            *rows,
        ]
    )


def _bytes(part: dict[str, Any]) -> bytes:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    head = _DATA_URL.match(url) if isinstance(url, str) else None
    if head is None:
        raise NotReadable("image_url: only data URLs with base64 are read here")
    try:
        return base64.b64decode(head.string[head.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotReadable("image_url: the base64 of the picture is broken") from error


def _look(content: bytes) -> Seen:
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise NotReadable(f"image_url: {picture.width}x{picture.height} is too large")
            return Seen(
                kind=str(picture.format),
                width=picture.width,
                height=picture.height,
                colour=_dominant(picture.convert("RGB")),
                sha256=hashlib.sha256(content).hexdigest(),
            )
    except (OSError, ValueError, SyntaxError) as error:
        raise NotReadable("cannot identify image file") from error


def _dominant(picture: Image.Image) -> str:
    picture.thumbnail((48, 48))
    counts = picture.getcolors(48 * 48) or []
    names: Counter[str] = Counter()
    for count, colour in counts:
        assert isinstance(colour, tuple)
        names[min(_COLOURS, key=lambda name: _distance(_COLOURS[name], colour))] += count
    return names.most_common(1)[0][0]


def _distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
