"""Pictures out of nothing but a prompt's hash: a sky, a sun, ridges, and the word "devnet"."""

from __future__ import annotations

import colorsys
import hashlib
import math
import random
from collections.abc import Iterable

from devnet.providers.png import Picture, encode

COMMENT = "Drawn by a 0G devnet test provider; no model was involved"

Colour = tuple[int, int, int]
Span = tuple[int, int, int]  # row, first column, column after the last

_GLYPHS = {  # 5 columns x 7 rows, one row per entry, the highest bit on the left
    "d": (0b00001, 0b00001, 0b01101, 0b10011, 0b10001, 0b10011, 0b01101),
    "e": (0b00000, 0b00000, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110),
    "v": (0b00000, 0b00000, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100),
    "n": (0b00000, 0b00000, 0b10110, 0b11001, 0b10001, 0b10001, 0b10001),
    "t": (0b01000, 0b01000, 0b11100, 0b01000, 0b01000, 0b01001, 0b00110),
}


def landscape(prompt: str, *, width: int, height: int, index: int = 0) -> bytes:
    """Return a PNG that depends only on the arguments."""
    seed = hashlib.sha256(f"{index}:{prompt}".encode("utf-8", "replace")).digest()
    dice = random.Random(seed)
    hue = dice.random()
    picture = _sky(width, height, _colour(hue, 0.55, 0.45), _colour(hue + 0.12, 0.35, 1.0))
    _stars(picture, dice)
    _sun(picture, dice, _colour(hue + 0.5, 0.25, 1.0))
    layers = 4 + dice.randrange(3)
    for layer in range(layers):
        depth = layer / (layers - 1)
        shade = _colour(hue + 0.05 * depth, 0.3 + 0.4 * depth, 0.75 - 0.6 * depth)
        _ridge(picture, dice, top=height * (0.45 + 0.4 * depth), colour=shade)
    sign(picture)
    return encode(picture, comment=COMMENT)


def tint(picture: Picture, prompt: str) -> bytes:
    """Return `picture` as a PNG, coloured and framed by what the prompt's hash says."""
    hue = hashlib.sha256(prompt.encode("utf-8", "replace")).digest()[0] / 256
    width, height = picture.width, picture.height
    blend(picture, _rectangle(0, 0, width, height), _colour(hue, 0.6, 0.9), 0.35)
    frame = max(2, min(width, height) // 32)
    for box in (
        (0, 0, width, frame),
        (0, height - frame, width, height),
        (0, frame, frame, height - frame),
        (width - frame, frame, width, height - frame),
    ):
        blend(picture, _rectangle(*box), _colour(hue, 0.8, 0.5), 0.9)
    sign(picture)
    return encode(picture, comment=COMMENT)


def blend(picture: Picture, spans: Iterable[Span], colour: Colour, strength: float) -> None:
    """Lay `colour` over the spans, `strength` from 0 (nothing) to 1 (opaque)."""
    tables = [
        bytes(round(old * (1 - strength) + new * strength) for old in range(256)) for new in colour
    ]
    for y, left, right in spans:
        left, right = max(0, left), min(picture.width, right)
        if not 0 <= y < picture.height or left >= right:
            continue
        for plane, table in zip(picture.planes, tables, strict=True):
            plane[y][left:right] = plane[y][left:right].translate(table)


def sign(picture: Picture) -> None:
    """Write "devnet" into the lower right corner."""
    scale = max(1, picture.width // 256)
    left = picture.width - 6 * 6 * scale - 4 * scale
    top = picture.height - 11 * scale
    for position, letter in enumerate("devnet"):
        for row, bits in enumerate(_GLYPHS[letter]):
            for column in range(5):
                if bits >> (4 - column) & 1:
                    x, y = left + (position * 6 + column) * scale, top + row * scale
                    blend(picture, _rectangle(x, y, x + scale, y + scale), (255, 255, 255), 0.8)


def _sky(width: int, height: int, top: Colour, bottom: Colour) -> Picture:
    planes: tuple[list[bytearray], list[bytearray], list[bytearray]] = ([], [], [])
    for plane, first, last in zip(planes, top, bottom, strict=True):
        across = [12 * math.sin(3 * x / width) for x in range(width)]
        for y in range(height):
            level = first + (last - first) * y / height
            table = {step: max(0, min(255, round(level + step))) for step in range(-13, 14)}
            plane.append(bytearray(table[round(step)] for step in across))
    return Picture(width, height, planes)


def _stars(picture: Picture, dice: random.Random) -> None:
    for _ in range(40):
        x, y = dice.randrange(picture.width), dice.randrange(max(1, picture.height // 2))
        blend(picture, [(y, x, x + 1)], (255, 255, 255), 0.3 + 0.6 * dice.random())


def _sun(picture: Picture, dice: random.Random, colour: Colour) -> None:
    x = int(picture.width * (0.2 + 0.6 * dice.random()))
    y = int(picture.height * (0.2 + 0.25 * dice.random()))
    radius = min(picture.width, picture.height) * (0.07 + 0.06 * dice.random())
    for halo in (3.2, 2.4, 1.8, 1.35):
        blend(picture, _disc(x, y, int(radius * halo)), colour, 0.12)
    blend(picture, _disc(x, y, int(radius)), colour, 0.92)


def _ridge(picture: Picture, dice: random.Random, *, top: float, colour: Colour) -> None:
    """Mountains: sums of three waves, drawn column group by column group."""
    waves = [
        (picture.height * amount * dice.random(), count * (0.5 + dice.random()), 7 * dice.random())
        for amount, count in ((0.14, 3), (0.07, 8), (0.02, 23))
    ]
    heights = [
        int(top + sum(size * math.sin(n * x / picture.width * 3 + at) for size, n, at in waves))
        for x in range(picture.width)
    ]
    blend(picture, _under(heights, picture.height), colour, 0.88)


def _under(heights: list[int], bottom: int) -> Iterable[Span]:
    """Horizontal spans of everything below a curve."""
    for y in range(max(0, min(heights)), bottom):
        start = None
        for x, height in enumerate(heights):
            if height <= y and start is None:
                start = x
            elif height > y and start is not None:
                yield y, start, x
                start = None
        if start is not None:
            yield y, start, len(heights)


def _disc(x: int, y: int, radius: int) -> Iterable[Span]:
    for row in range(-radius, radius + 1):
        half = int(math.sqrt(radius * radius - row * row))
        yield y + row, x - half, x + half + 1


def _rectangle(left: int, top: int, right: int, bottom: int) -> Iterable[Span]:
    return ((y, left, right) for y in range(top, bottom))


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
