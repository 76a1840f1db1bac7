"""PNG in pure Python: write 8-bit RGB, read the common 8-bit kinds."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PIXELS = 1_500_000  # what a test provider is willing to decode

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # colour type: grey, RGB, grey + alpha, RGB + alpha


class NotDecodable(ValueError):
    """The bytes are no PNG, or of a kind that is not read here."""


@dataclass(slots=True)
class Picture:
    """Three planes (red, green, blue), each a list of rows of one byte per pixel."""

    width: int
    height: int
    planes: tuple[list[bytearray], list[bytearray], list[bytearray]]


def encode(picture: Picture, *, comment: str) -> bytes:
    """Return `picture` as a PNG whose text chunk says `comment`."""
    rows = bytearray()
    for y in range(picture.height):
        row = bytearray(picture.width * 3)
        for channel, plane in enumerate(picture.planes):
            row[channel::3] = plane[y]
        rows += b"\x00" + row
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)
    text = b"Comment\x00" + comment.encode("latin-1", "replace")
    return _SIGNATURE + b"".join(
        _chunk(name, data)
        for name, data in (
            (b"IHDR", header),
            (b"tEXt", text),
            (b"IDAT", zlib.compress(bytes(rows), 6)),
            (b"IEND", b""),
        )
    )


def decode(data: bytes) -> Picture:
    """Read a PNG of 8 bits per sample without interlacing; raises NotDecodable."""
    try:
        return _decode(data)
    except (struct.error, zlib.error, IndexError) as error:
        raise NotDecodable(str(error)) from error


def _decode(data: bytes) -> Picture:
    if not data.startswith(_SIGNATURE):
        raise NotDecodable("no PNG signature")
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR":
        raise NotDecodable("no header")
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    if depth != 8 or colour not in _CHANNELS or interlace:
        raise NotDecodable("only 8-bit grey and RGB without interlacing are read")
    if not 0 < width * height <= MAX_PIXELS:
        raise NotDecodable(f"{width}x{height} is too large")
    channels = _CHANNELS[colour]
    size = (width * channels + 1) * height
    packed = b"".join(content for name, content in chunks if name == b"IDAT")
    rows = zlib.decompressobj().decompress(packed, size)
    if len(rows) != size:
        raise NotDecodable("the pixel data is short")
    return _picture(width, height, channels, rows)


def _picture(width: int, height: int, channels: int, rows: bytes) -> Picture:
    planes: tuple[list[bytearray], list[bytearray], list[bytearray]] = ([], [], [])
    stride = width * channels
    above = bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        above = _unfilter(
            rows[start], bytearray(rows[start + 1 : start + 1 + stride]), above, channels
        )
        for channel, plane in enumerate(planes):
            plane.append(above[channel if channels > 2 else 0 :: channels])
    return Picture(width, height, planes)


def _unfilter(kind: int, row: bytearray, above: bytearray, channels: int) -> bytearray:
    if kind == 0:
        return row
    if kind == 2:
        return bytearray((value + up) & 255 for value, up in zip(row, above, strict=True))
    if kind not in (1, 3, 4):
        raise NotDecodable(f"unknown filter {kind}")
    for index in range(len(row)):
        left = row[index - channels] if index >= channels else 0
        corner = above[index - channels] if index >= channels else 0
        up = above[index]
        guess = left if kind == 1 else (left + up) // 2 if kind == 3 else _paeth(left, up, corner)
        row[index] = (row[index] + guess) & 255
    return row


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    to_left, to_up, to_corner = abs(estimate - left), abs(estimate - up), abs(estimate - corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset = len(_SIGNATURE)
    while offset + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, offset)
        yield data[offset + 4 : offset + 8], data[offset + 8 : offset + 8 + length]
        offset += 12 + length


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
