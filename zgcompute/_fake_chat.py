"""The chat answers of a fake provider, as the bytes that a real one would send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from zgcompute import _reading as read
from zgcompute._fake_faults import Fault
from zgcompute.answers import ChatAssembler, ChatDelta, ChatOutcome
from zgcompute.errors import ConnectionBroken, ProviderTimeout
from zgcompute.fees import chat_fee
from zgcompute.types import Usage

if TYPE_CHECKING:
    from zgcompute.testing_providers import FakeProvider


class FakeStream:
    """The answer of a FakeProvider; like ChatStream and ChatReading, to be iterated once."""

    def __init__(self, provider: FakeProvider, response_id: str, body: bytes) -> None:
        self._provider = provider
        self._id = response_id
        self._body = body
        self._fault = provider.fault
        self._is_separated = bool(provider.service.info.separate_signer)
        self._assembler = ChatAssembler(body, key="" if self._is_separated else response_id)

    def __iter__(self) -> Iterator[ChatDelta]:
        for chunk in self._wire():
            yield from self._assembler.feed(chunk)
        yield from self._assembler.finish()

    async def __aiter__(self) -> AsyncIterator[ChatDelta]:
        for delta in self:
            await asyncio.sleep(self._provider.delay)
            yield delta

    @property
    def outcome(self) -> ChatOutcome:
        return self._assembler.outcome

    def _wire(self) -> Iterator[bytes]:
        """The bytes as delivered; the signature exists once the last of them is taken."""
        chunks = list(self._chunks())
        for index, chunk in enumerate(chunks):
            if index == len(chunks) // 2:
                break_off(self._fault)
            yield self._delivered(chunk)
        self._provider.keep_signature(self._id, self._body, b"".join(chunks), self._fault)

    def _delivered(self, chunk: bytes) -> bytes:
        if self._fault is not Fault.TAMPERED_ANSWER:
            return chunk
        return chunk.replace(b'"content":"', b'"content":"~')

    def _chunks(self) -> Iterator[bytes]:
        provider = self._provider
        usage = self._usage()
        yield self._event({"role": "assistant", "content": ""})
        for word in _words(provider.reasoning):
            yield self._event({"reasoning_content": word})
        for word in _words(provider.answer):
            yield self._event({"content": word})
        if self._fault is Fault.BAD_CHUNK:
            yield b'data: {"choices": [{"delta\n\n'
        yield self._event({}, finish="stop")
        if self._fault is not Fault.NO_USAGE:
            yield self._sse({"choices": [], "usage": usage})
        counted = None if self._fault is Fault.NO_USAGE else Usage(**usage)
        provider.unsettled += chat_fee(provider.service, counted, provider.answer).total
        if self._fault is not Fault.NO_DONE:
            yield b"data: [DONE]\n\n"

    def _usage(self) -> dict[str, int]:
        messages = read.items(read.mapping(read.json_object(self._body)).get("messages"))
        asked = sum(len(str(read.mapping(message).get("content")).split()) for message in messages)
        answered = len([*_words(self._provider.reasoning), *_words(self._provider.answer)])
        return {"prompt_tokens": asked, "completion_tokens": answered}

    def _event(self, delta: dict[str, str], *, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return self._sse({"choices": [choice]})

    def _sse(self, chunk: dict[str, Any]) -> bytes:
        frame = {"id": self._id, "model": self._provider.service.model, **chunk}
        return f"data: {json.dumps(frame, separators=(',', ':'))}\n\n".encode()


def break_off(fault: Fault | None) -> None:
    """Raise what a reader sees where `fault` cuts an answer in the middle."""
    if fault is Fault.DISCONNECT:
        raise ConnectionBroken("aurora.example broke the connection.")
    if fault is Fault.STALL:
        raise ProviderTimeout("aurora.example did not answer in time.")


def _words(text: str) -> Iterator[str]:
    """The text in pieces that join to it again."""
    yield from (word for word in text.replace(" ", " \0").split("\0") if word)
