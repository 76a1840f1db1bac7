"""What was said in a recording, from the bytes of the provider's reply (PROTOCOL §5.1, pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from zgcompute import _reading as read
from zgcompute.errors import InvalidBody, MalformedReply
from zgcompute.types import Usage

FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
MAX_TEXT = 8 << 20  # characters
_JSON = ("json", "verbose_json")
_CUE_END = re.compile(r"-->[ \t]*(?:(\d{1,3}):)?(\d{2}):(\d{2})[.,](\d{3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class SpeechReply:
    """A whole transcript: `text` is the words, or the subtitles where those were asked for.

    `content` is the reply as it came. `seconds` and `usage` are what the provider says it heard;
    at most one of them decides the fee. The hashes are lower-case hex.
    """

    text: str
    content: str
    format: str
    language: str
    seconds: Decimal | None
    usage: Usage | None
    response_id: str
    request_sha256: str
    response_sha256: str


def require_format(response_format: str) -> str:
    """Return `response_format`; raises InvalidBody if it is none of FORMATS."""
    if response_format not in FORMATS:
        raise InvalidBody(
            f"{response_format[:40]!r} is no form of a transcript.",
            advice=f"Choose one of {', '.join(FORMATS)}.",
        )
    return response_format


def parse_transcript(request: bytes, body: bytes, response_format: str, *, key: str) -> SpeechReply:
    """Read the reply to `request` in `response_format`; `key` is its ZG-Res-Key.

    Raises MalformedReply where there is no transcript in it.
    """
    content = read.prose(body.decode("utf-8", "replace"), limit=MAX_TEXT)
    keys = read.json_object(body) if response_format in _JSON else {"text": content}
    if keys is None or not isinstance(keys.get("text"), str):
        raise MalformedReply("The provider's reply holds no transcript.")
    return SpeechReply(
        text=read.prose(keys["text"], limit=MAX_TEXT),
        content=content,
        format=response_format,
        language=read.text(keys.get("language"), limit=40),
        seconds=_seconds(keys, response_format),
        usage=_tokens(read.mapping(keys.get("usage"))),
        response_id=read.text(key, limit=200),
        request_sha256=sha256(request).hexdigest(),
        response_sha256=sha256(body).hexdigest(),
    )


def _seconds(keys: dict[str, Any], response_format: str) -> Decimal | None:
    """The stated length: of the usage, else of the reply, else the end of the last subtitle."""
    if response_format not in _JSON:
        return _last_cue(keys["text"])
    usage = read.decimal(read.mapping(keys.get("usage")).get("seconds"))
    return read.decimal(keys.get("duration")) if usage is None else usage


def _last_cue(subtitles: str) -> Decimal | None:
    ends = _CUE_END.findall(subtitles)
    if not ends:
        return None
    hours, minutes, seconds, thousandths = (int(part or 0) for part in ends[-1])
    return Decimal(hours * 3600 + minutes * 60 + seconds) + Decimal(thousandths) / 1000


def _tokens(usage: dict[str, Any]) -> Usage | None:
    if usage.get("type") != "tokens":
        return None
    heard, written = read.count(usage.get("input_tokens")), read.count(usage.get("output_tokens"))
    return None if heard is None and written is None else Usage(heard or 0, written or 0)
