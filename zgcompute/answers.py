"""A chat answer, from the bytes of the provider's reply to text, usage and hashes (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from zgcompute import _reading as read
from zgcompute._sse import EventDecoder, SseEvent
from zgcompute.errors import MalformedReply
from zgcompute.refusals import refusal_in_stream
from zgcompute.types import Usage


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """The next piece of an answer; either part may be empty, never both."""

    text: str
    reasoning: str


@dataclass(frozen=True, slots=True)
class ChatOutcome:
    """What is known when an answer is complete.

    The hashes are lower-case sha256 hex: of the request body as sent and of the reply's bytes as
    received. `bad_chunks` counts the events that could not be read and were skipped.
    """

    response_id: str
    model: str
    usage: Usage | None
    finish_reason: str
    saw_done: bool
    request_sha256: str
    response_sha256: str
    bad_chunks: int


@dataclass(frozen=True, slots=True)
class ChatReply:
    """A whole answer."""

    text: str
    reasoning: str
    outcome: ChatOutcome


class ChatAssembler:
    """Takes a reply's raw bytes, gives deltas, and keeps what verification and billing need.

    `key` is the reply's header ZG-Res-Key. Understands both an event stream and one JSON
    completion, whichever was asked for, by the first byte that is not space.
    """

    def __init__(self, request_body: bytes, *, key: str = "") -> None:
        self._request_sha256 = sha256(request_body).hexdigest()
        self._received = sha256()
        self._key = read.text(key, limit=200)
        self._is_json: bool | None = None
        self._json: list[bytes] = []
        self._events = EventDecoder()
        self._is_empty = True
        self._id = self._model = self._finish_reason = ""
        self._usage: Usage | None = None
        self._saw_done = False
        self._bad_chunks = 0

    def feed(self, chunk: bytes) -> list[ChatDelta]:
        """Take the next bytes; raises a ProviderRefused subclass for an error among them."""
        self._received.update(chunk)
        if self._is_json is None and (start := chunk.lstrip()):
            self._is_json = start.startswith(b"{")
        if self._is_json:
            self._json.append(chunk)
            return []
        return self._deltas(self._events.feed(chunk))

    def finish(self) -> list[ChatDelta]:
        """Take the end of the reply; raises MalformedReply if there was no answer in it."""
        deltas = self._whole() if self._is_json else self._deltas(self._events.finish())
        if self._is_empty:
            raise MalformedReply("The provider's reply holds no answer.")
        return deltas

    @property
    def outcome(self) -> ChatOutcome:
        """The facts so far; final after `finish`."""
        return ChatOutcome(
            response_id=self._key or self._id,
            model=self._model,
            usage=self._usage,
            finish_reason=self._finish_reason,
            saw_done=self._saw_done,
            request_sha256=self._request_sha256,
            response_sha256=self._received.hexdigest(),
            bad_chunks=self._bad_chunks,
        )

    def _whole(self) -> list[ChatDelta]:
        completion = read.json_object(b"".join(self._json))
        if completion is None:
            raise MalformedReply("The provider's reply is neither a stream nor an answer.")
        delta = self._chunk(completion, "message")
        self._saw_done = not self._is_empty
        return [delta] if delta else []

    def _deltas(self, events: list[SseEvent]) -> list[ChatDelta]:
        return [delta for event in events if (delta := self._event(event)) is not None]

    def _event(self, event: SseEvent) -> ChatDelta | None:
        if self._saw_done:
            return None
        if event.data.strip() == "[DONE]":
            self._saw_done = True
            return None
        chunk = read.json_object(event.data)
        if chunk is None:
            self._bad_chunks += 1
            return None
        return self._chunk(chunk, "delta")

    def _chunk(self, chunk: dict[str, Any], part: str) -> ChatDelta | None:
        if chunk.get("error"):
            raise refusal_in_stream(chunk["error"])
        self._id = self._id or read.text(chunk.get("id"), limit=200)
        self._model = self._model or read.text(chunk.get("model"))
        self._count(parse_usage(chunk.get("usage")))
        choices = read.items(chunk.get("choices"), limit=1)
        if not choices:
            return None
        self._is_empty = False
        return self._choice(read.mapping(choices[0]), part)

    def _count(self, usage: Usage | None) -> None:
        if usage is not None and not (usage.is_empty and self._usage):
            self._usage = usage

    def _choice(self, choice: dict[str, Any], part: str) -> ChatDelta | None:
        self._finish_reason = read.text(choice.get("finish_reason")) or self._finish_reason
        message = read.mapping(choice.get(part))
        reasoning = read.prose(message.get("reasoning_content")) or read.prose(
            message.get("reasoning")
        )
        delta = ChatDelta(read.prose(message.get("content")), reasoning)
        return delta if delta.text or delta.reasoning else None


def parse_usage(value: object) -> Usage | None:
    """Read an OpenAI `usage` object; None if it is none or counts neither prompt nor answer."""
    usage = read.mapping(value)
    prompt = read.count(usage.get("prompt_tokens"))
    completion = read.count(usage.get("completion_tokens"))
    if prompt is None and completion is None:
        return None
    details = read.mapping(usage.get("prompt_tokens_details"))
    return Usage(
        prompt_tokens=prompt or 0,
        completion_tokens=completion or 0,
        cached_tokens=read.count(details.get("cached_tokens")) or 0,
        cache_write_tokens=read.count(usage.get("cache_write_tokens")) or 0,
        cache_write_1h_tokens=read.count(usage.get("cache_write_1h_tokens")) or 0,
    )
