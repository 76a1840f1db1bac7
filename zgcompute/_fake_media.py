"""The pictures and transcripts of a fake provider: small, deterministic, in the real forms."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256

from zgcompute import _reading as read
from zgcompute.types import Service
from zgcompute.uploads import Form

BYTES_PER_SECOND = 16_000  # of a recording, whatever its form


def tiny_png(text: str) -> bytes:
    """A picture of one pixel, whose colour comes from `text`."""
    pixel = b"\0" + sha256(text.encode("utf-8", "replace")).digest()[:3]
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(pixel)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def drawn(prompt: str, count: int) -> list[bytes]:
    """The pictures that are made of `prompt`."""
    return [tiny_png(f"{index}:{prompt}") for index in range(count)]


def images_body(
    service: Service, response_id: str, pictures: Sequence[bytes], response_format: str
) -> bytes:
    """The reply that delivers `pictures`: in base64, or by their addresses."""
    base = f"{service.url}/v1/proxy/images/{response_id}"
    entries = [
        {"b64_json": base64.b64encode(picture).decode()}
        if response_format == "b64_json"
        else {"url": f"{base}/{index}"}
        for index, picture in enumerate(pictures)
    ]
    return json.dumps({"created": 1_750_000_000, "data": entries}).encode()


def field(form: Form, name: str) -> str:
    """The value of a field of `form` as the SDK writes it, or ""."""
    _, _, rest = form.body.partition(f'name="{name}"\r\n\r\n'.encode())
    return rest.partition(b"\r\n")[0].decode("utf-8", "replace")


def seconds_of(form: Form) -> int:
    """How long the recording in `form` is taken to be."""
    return max(1, len(form.body) // BYTES_PER_SECOND)


def transcript_body(words: str, seconds: int, response_format: str) -> bytes:
    """The reply that delivers `words` in one of the forms of a transcript."""
    end = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    stated = {"text": words, "usage": {"type": "duration", "seconds": seconds}}
    replies = {
        "json": json.dumps(stated),
        "verbose_json": json.dumps(stated | {"language": "english", "duration": float(seconds)}),
        "text": f"{words}\n",
        "srt": f"1\n00:00:00,000 --> {end},000\n{words}\n",
        "vtt": f"WEBVTT\n\n00:00:00.000 --> {end}.000\n{words}\n",
    }
    return replies[response_format].encode()


def billed_seconds(seconds: int, response_format: str) -> Decimal:
    """What a broker finds to bill in the reply: plain text states no length."""
    return Decimal(0 if response_format == "text" else seconds)


def images_text(request: bytes, pictures: Sequence[bytes]) -> str:
    """The text that is signed for pictures (PROTOCOL §4.5)."""
    hashes = ",".join(sha256(picture).hexdigest() for picture in pictures)
    return f"{sha256(request).hexdigest()}:{hashes}"


def ordered(body: bytes) -> tuple[str, int, str]:
    """The prompt, number and form of the pictures in a JSON order."""
    keys = read.mapping(read.json_object(body))
    return str(keys.get("prompt")), read.count(keys.get("n")) or 1, str(keys.get("response_format"))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
