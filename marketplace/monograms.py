"""A small picture of an address, so that people recognise a provider before they read it.

The same address always gives the same picture; it proves nothing (two may look alike).
"""

from __future__ import annotations

from hashlib import sha256

CELLS = 4  # a picture is 4 x 4 cells of 10 units, its right half the mirror of its left
HUES = 8  # .monogram--0 to .monogram--7 in components.css
_SIZE = 10

# Each shape lives in a cell whose corner is at (x, y); `s` is the cell's size.
_SHAPES = (
    "",
    "M{x} {y}h{s}v{s}h-{s}z",
    "M{x} {y}h{s}a{s} {s} 0 0 1 -{s} {s}z",
    "M{x} {y}a{s} {s} 0 0 0 {s} {s}v-{s}z",
    "M{x} {b}v-{s}a{s} {s} 0 0 1 {s} {s}z",
    "M{x} {b}h{s}v-{s}a{s} {s} 0 0 0 -{s} {s}z",
    "M{x} {y}h{s}l-{s} {s}z",
    "M{x} {b}h{s}v-{s}z",
)
_MIRRORED = (0, 1, 3, 2, 5, 4, 7, 6)  # the shape that is its mirror image, or close to it


def hue(address: str) -> int:
    """Return which of the `HUES` colours the address has."""
    return _bytes(address)[0] % HUES


def path(address: str) -> str:
    """Return the SVG path data of the address's picture, in a view box of 40 x 40."""
    seed = _bytes(address)[1:]
    parts = []
    for row in range(CELLS):
        for column in range(CELLS // 2):
            shape = seed[row * 2 + column] % len(_SHAPES)
            parts.append(_cell(shape, column, row))
            parts.append(_cell(_MIRRORED[shape], CELLS - 1 - column, row))
    return "".join(parts)


def _bytes(address: str) -> bytes:
    return sha256(address.lower().encode()).digest()


def _cell(shape: int, column: int, row: int) -> str:
    x, y = column * _SIZE, row * _SIZE
    return _SHAPES[shape].format(x=x, y=y, b=y + _SIZE, s=_SIZE)
