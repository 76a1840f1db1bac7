"""Long recordings in few bytes, each in the layout of its format."""

from __future__ import annotations

import struct

TWO_HOURS = 7200  # seconds
_BEGINS, _ENDS = 2, 4  # flags of an Ogg page


def wav(seconds: int, rate: int = 1000) -> bytes:
    """One byte for each of `rate` samples a second."""
    data = b"\x80" * (seconds * rate)
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate, 1, 8)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mp3(seconds: int) -> bytes:
    """Silent frames of MPEG 2.5 layer III: 8 kbit/s, 8 kHz, 72 ms and 72 bytes each."""
    frame = bytes([0xFF, 0xE3, 0x18, 0xC4]) + bytes(68)
    return frame * round(seconds * 8000 / 576)


def ogg(seconds: int) -> bytes:
    """Opus in pages of one second."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48_000, 0, 0)
    pages = [_page(0, 0, head, _BEGINS), _page(1, 0, b"OpusTags" + bytes(8))]
    pages += [
        _page(2 + at, (at + 1) * 48_000, bytes(100), _ENDS if at + 1 == seconds else 0)
        for at in range(seconds)
    ]
    return b"".join(pages)


def m4a(seconds: int) -> bytes:
    header = struct.pack(">B3sIIII", 0, b"\0\0\0", 0, 0, 1000, seconds * 1000) + bytes(80)
    return _box(b"ftyp", b"M4A \0\0\0\0") + _box(b"moov", _box(b"mvhd", header))


def flac(seconds: int, rate: int = 8000) -> bytes:
    stream = struct.pack(">HH", 4096, 4096) + bytes(6)
    stream += struct.pack(">Q", rate << 44 | 15 << 36 | seconds * rate) + bytes(16)
    return b"fLaC" + bytes([0x80]) + len(stream).to_bytes(3, "big") + stream


def webm() -> bytes:
    """The beginning of what browsers record: it states no length."""
    return bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d")


def _page(number: int, position: int, data: bytes, flags: int = 0) -> bytes:
    head = struct.pack("<BBqIIIB", 0, flags, position, 1, number, 0, 1)
    return b"OggS" + head + bytes([len(data)]) + data


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content
