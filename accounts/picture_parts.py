"""The parts that a picture file is made of: whether there is anything in it beside pixels.

A file of pixels alone can be kept byte for byte; one with comments, places, cameras, or something
behind its end cannot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PNG, _PNG_PARTS = b"\x89PNG\r\n\x1a\n", {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_WEBP_PARTS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
_JPEG_START, _JPEG_END, _JPEG_SCAN, _JFIF = 0xD8, 0xD9, 0xDA, 0xE0
_JFIF_SIZE = 16  # without a thumbnail
_JPEG_PARTS = {0xC4, 0xDB, 0xDD, *range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xD0)}
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # a marker that is not part of the scan


def holds_only_pixels(content: bytes) -> bool:
    """Tell whether `content` is a PNG, JPEG or WebP of nothing but what draws it, to its end."""
    try:
        if content.startswith(_PNG):
            return {*_png_parts(content)} <= _PNG_PARTS
        if content.startswith(b"RIFF"):
            return {*_webp_parts(content)} <= _WEBP_PARTS
        return _is_plain_jpeg(content)
    except (IndexError, ValueError):
        return False


def _png_parts(content: bytes) -> Iterator[bytes]:
    """The names of all chunks; raises ValueError where the last is not the end."""
    at, name = len(_PNG), b""
    while at < len(content) and name != b"IEND":
        name = content[at + 4 : at + 8]
        yield name
        at += 12 + int.from_bytes(content[at : at + 4])
    if at != len(content) or name != b"IEND":
        raise ValueError("The PNG does not end where its file does.")


def _webp_parts(content: bytes) -> Iterator[bytes]:
    if content[8:12] != b"WEBP" or int.from_bytes(content[4:8], "little") + 8 != len(content):
        raise ValueError("The WebP does not end where its file does.")
    at = 12
    while at < len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        yield content[at : at + 4]
        at += 8 + size + size % 2
    if at != len(content):
        raise ValueError("The WebP's last part is cut.")


def _is_plain_jpeg(content: bytes) -> bool:
    """Only tables, frames and scans, between one start and one end."""
    if content[:2] != bytes((0xFF, _JPEG_START)):
        return False
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker == _JPEG_END:
            return at + 2 == len(content)
        size = int.from_bytes(content[at + 2 : at + 4])
        is_jfif = marker == _JFIF and size == _JFIF_SIZE and content[at + 4 : at + 9] == b"JFIF\0"
        if not (is_jfif or marker == _JPEG_SCAN or marker in _JPEG_PARTS) or size < 2:
            return False
        at += 2 + size
        if marker == _JPEG_SCAN:
            following = _AFTER_SCAN.search(content, at)
            if following is None:
                return False
            at = following.end() - 2
    return False
