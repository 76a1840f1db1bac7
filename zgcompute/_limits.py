"""What is asked of a reply: how long, how much, in which form (no I/O)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from zgcompute.errors import DestinationRefused, MalformedReply

MEGABYTE = 1 << 20
USER_AGENT = "zgcompute/0.1"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes for one kind of call; `idle` bounds each wait, `total` all of them."""

    connect: float
    idle: float
    total: float
    max_bytes: int


METADATA = Limits(connect=5, idle=10, total=15, max_bytes=5 * MEGABYTE)
STATUS = Limits(connect=5, idle=10, total=10, max_bytes=5 * MEGABYTE)
SIGNATURE = Limits(connect=5, idle=10, total=10, max_bytes=MEGABYTE // 16)
REPORT = Limits(connect=5, idle=30, total=60, max_bytes=8 * MEGABYTE)
CHAT = Limits(connect=5, idle=120, total=900, max_bytes=8 * MEGABYTE)
SPEECH = Limits(connect=5, idle=1800, total=1800, max_bytes=8 * MEGABYTE)  # silent while it listens
IMAGES = Limits(connect=5, idle=600, total=900, max_bytes=64 * MEGABYTE)  # four large, in base64
PICTURE = Limits(connect=5, idle=30, total=120, max_bytes=24 * MEGABYTE)


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole reply; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def all_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` with ours: no compression, so that what is counted and hashed is what came."""
    return {"user-agent": USER_AGENT, "accept-encoding": "identity", **headers}


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` under lower-case names."""
    return {name.lower(): value for name, value in headers.items()}


def host_of(url: str) -> str:
    """The host to name in messages: the rest of a URL may hold a key."""
    try:
        return urlsplit(url).hostname or "the given URL"
    except ValueError:
        return "the given URL"


def refuse_odd_reply(status: int, headers: Mapping[str, str]) -> None:
    """Raise for redirects and for compressed bodies."""
    if 300 <= status < 400:
        raise DestinationRefused("The answer redirects to another address; that is not followed.")
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise MalformedReply("The answer is compressed although that was not asked for.")
