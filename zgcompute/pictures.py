"""An answer of pictures, from the bytes of the provider's reply (pure)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from zgcompute import _reading as read
from zgcompute.errors import DestinationRefused, MalformedReply, ReplyTooLarge
from zgcompute.types import Service
from zgcompute.uploads import picture_type

MAX_PICTURES = 64  # in one reply; a signed text holds no more hashes
MAX_BYTES = 64 << 20  # of all pictures of a reply together
_STORED = re.compile(r"/v1/proxy/images/[A-Za-z0-9_-]{1,200}/[0-9]{1,5}", re.ASCII)
Fetch = Callable[[str], bytes]  # the bytes at a path of the provider


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture; `media_type` is told by its content: image/png, image/jpeg or image/webp."""

    content: bytes
    media_type: str
    revised_prompt: str = ""

    @property
    def ending(self) -> str:
        """The usual ending of a file of this kind, such as "png"."""
        kind = picture_type(self.content)
        return kind[1] if kind else ""


@dataclass(frozen=True, slots=True)
class ImageReply:
    """A whole answer of pictures, with the hashes that its signature may be of (lower-case hex).

    `holds_pictures` is set where the reply's body held every picture itself: only then does a
    signature of the body say anything about them.
    """

    pictures: tuple[Picture, ...]
    response_id: str
    request_sha256: str
    body_sha256: str
    holds_pictures: bool

    @property
    def pictures_sha256(self) -> str:
        """The hashes of the pictures in order, joined by commas, as they are signed."""
        return ",".join(sha256(picture.content).hexdigest() for picture in self.pictures)


def parse_images(
    service: Service, request: bytes, body: bytes, *, key: str, fetch: Fetch
) -> ImageReply:
    """Read the reply to `request`; `key` is its ZG-Res-Key, `fetch` gets a stored picture.

    Raises MalformedReply for what holds no pictures, DestinationRefused for a picture on another
    server than the provider's: only its own is ever asked.
    """
    return parse_pictures(service, sha256(request).hexdigest(), body, key=key, fetch=fetch)


def parse_pictures(
    service: Service, request_sha256: str, body: bytes, *, key: str, fetch: Fetch
) -> ImageReply:
    """As `parse_images`, where only the hash of the request is known any longer."""
    reading = reading_pictures(service, request_sha256, body, key=key)
    try:
        path = next(reading)
        while True:
            path = reading.send(fetch(path))
    except StopIteration as done:
        reply: ImageReply = done.value
        return reply


def reading_pictures(
    service: Service, request_sha256: str, body: bytes, *, key: str
) -> Generator[str, bytes, ImageReply]:
    """As `parse_pictures`, for whoever fetches in another way.

    Yields the path of each stored picture and is sent its bytes; returns the reply.
    """
    reply = read.json_object(body)
    items = read.items(read.mapping(reply).get("data"), limit=MAX_PICTURES + 1)
    if not items or len(items) > MAX_PICTURES:
        raise MalformedReply("The provider's reply holds no pictures, or far too many.")
    entries = [read.mapping(item) for item in items]
    pictures = yield from _pictures(service, entries)
    return ImageReply(
        pictures=pictures,
        response_id=read.text(key, limit=200),
        request_sha256=request_sha256,
        body_sha256=sha256(body).hexdigest(),
        holds_pictures=all(_is_inline(entry) for entry in entries),
    )


def _pictures(
    service: Service, entries: list[dict[str, Any]]
) -> Generator[str, bytes, tuple[Picture, ...]]:
    found: list[Picture] = []
    left = MAX_BYTES
    for entry in entries:
        content = _decoded(entry) if _is_inline(entry) else (yield _stored_path(service, entry))
        left -= len(content)
        if left < 0:
            raise ReplyTooLarge(f"The provider sent more than {MAX_BYTES >> 20} MB of pictures.")
        kind = picture_type(content)
        if kind is None:
            raise MalformedReply("The provider sent something else than a PNG, JPEG or WebP.")
        prompt = read.prose(entry.get("revised_prompt"), limit=4000)
        found.append(Picture(content, kind[0], prompt))
    return tuple(found)


def _is_inline(entry: dict[str, Any]) -> bool:
    return bool(entry.get("b64_json"))


def _decoded(entry: dict[str, Any]) -> bytes:
    text = entry["b64_json"]
    if not isinstance(text, str):
        raise MalformedReply("A picture in the provider's reply is not text in base64.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedReply("A picture in the provider's reply is not base64.") from error


def _stored_path(service: Service, entry: dict[str, Any]) -> str:
    """The path of a stored picture (GET /v1/proxy/images/{resKey}/{index})."""
    url = entry.get("url")
    if not isinstance(url, str):
        raise MalformedReply("The provider's reply names neither a picture nor its address.")
    base = service.url.rstrip("/")
    path = url[len(base) :] if url.startswith(f"{base}/") else url
    if _STORED.fullmatch(path):
        return path
    raise DestinationRefused(
        f"The provider points to a picture at {_host(url)}; only its own server is asked.",
        advice='Ask with response_format="b64_json": the pictures then come in the reply.',
    )


def _host(url: str) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return read.text(host, limit=80) or "another address"
