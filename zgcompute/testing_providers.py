"""A provider without a socket for tests: deterministic, really signed, faulty on demand.

Its replies are bytes that pass through the SDK's own decoding, pricing and classification; only
the wire is missing. Contract tests hold it to the behaviour of the real client.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Any

from zgcompute import _reading as read
from zgcompute.answers import ChatAssembler, ChatDelta, ChatOutcome, ChatReply
from zgcompute.errors import ProviderTimeout, ProviderUnreachable
from zgcompute.fees import chat_fee
from zgcompute.model_cards import ModelCard, parse_cards
from zgcompute.providers import authorization
from zgcompute.refusals import refusal
from zgcompute.signers import LocalSigner
from zgcompute.types import Address, Service, Usage
from zgcompute.verification import SignatureRecord

TEE_KEY = "0x" + "7e" * 32
STRANGERS_KEY = "0x" + "5f" * 32
DEFAULT_ANSWER = "Hello from a **test** provider."


class Fault(StrEnum):
    """What goes wrong; the names are the devnet's."""

    TAMPERED_ANSWER = "tampered-answer"
    WRONG_SIGNER = "wrong-signer"
    NO_SIGNATURE = "no-signature"
    LATE_SIGNATURE = "late-signature"
    DISCONNECT = "disconnect"
    STALL = "stall"
    BAD_CHUNK = "bad-chunk"
    RATE_LIMITED = "rate-limited"
    BUSY = "busy"
    SERVER_ERROR = "server-error"
    HTML = "html"
    NO_USAGE = "no-usage"
    NO_DONE = "no-done"
    EXPIRED_SESSION = "expired-session"
    RESERVE = "reserve"
    UNREACHABLE = "unreachable"


_REFUSALS: Mapping[Fault, tuple[int, bytes]] = {
    Fault.RATE_LIMITED: (
        429,
        b'{"error":{"type":"rate_limit_error","message":'
        b'"Rate limit exceeded. Please wait 5 seconds (limit: 30 requests/min)."}}',
    ),
    Fault.BUSY: (
        503,
        b'{"error":"Server is currently processing too many requests. Please try again later."}',
    ),
    Fault.SERVER_ERROR: (500, b'{"error":"Internal Server Error"}'),
    Fault.HTML: (502, b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    Fault.EXPIRED_SESSION: (400, b'{"error":"validate session: session token expired"}'),
    Fault.RESERVE: (
        400,
        b'{"error":"validate request: insufficient balance: your locked balance is 1.000000 0G, '
        b"but the required minimum is 1.001362 0G (breakdown: minimum reserve 1.000000 0G + "
        b"unsettled fees 0.001362 0G + current request fee 0.000000 0G). Please add more funds "
        b'with: 0g-compute-cli transfer-fund --provider 0x33 --amount 1"}',
    ),
}
_NOT_FOUND = b'{"error":"prepare HTTP request: Chat id not found or expired, chat_id_not_found"}'


@lru_cache(maxsize=1)
def _tee() -> LocalSigner:
    return LocalSigner(TEE_KEY)


def fake_service(**changes: Any) -> Service:
    """Return the service of a FakeProvider, with `changes` to its fields."""
    service = Service(
        provider=Address("0x3333333333333333333333333333333333333333"),
        service_type="chatbot",
        url="https://aurora.example",
        input_price=400_000_000_000,
        output_price=1_600_000_000_000,
        updated_at=1_750_000_000,
        model="test-chat",
        verifiability="TeeML",
        additional_info='{"TEEVerifier":"dstack"}',
        tee_signer=_tee().address,
        tee_signer_acknowledged=True,
    )
    return replace(service, **changes)


class FakeProvider:
    """Stands in for Provider and for AsyncProvider; `fault` may be changed at any time.

    `bodies` holds what was sent, `unsettled` the neuron not yet settled. The fault acts on answers
    begun while it is set. `delay` is seconds before each chunk of a stream.
    """

    def __init__(
        self,
        service: Service | None = None,
        *,
        answer: str = DEFAULT_ANSWER,
        reasoning: str = "",
        fault: Fault | None = None,
        delay: float = 0.0,
    ) -> None:
        self.service = service or fake_service()
        self.answer = answer
        self.reasoning = reasoning
        self.fault = fault
        self.delay = delay
        self.bodies: list[bytes] = []
        self.unsettled = 0
        self._records: dict[str, SignatureRecord] = {}
        self._late: set[str] = set()

    def models(self) -> tuple[ModelCard, ...]:
        self._require_reachable()
        pricing = {
            "prompt": str(self.service.input_price),
            "completion": str(self.service.output_price),
        }
        card = {"id": self.service.model, "type": self.service.service_type, "pricing": pricing}
        return parse_cards(json.dumps({"object": "list", "data": [card]}).encode())

    def quote(self) -> bytes:
        """A report that says openly that no hardware stands behind it."""
        self._require_reachable()
        return json.dumps({"quote": "", "note": "test provider, not hardware-backed"}).encode()

    def attestation_report(self, model: str) -> bytes:
        return self.quote()

    def signature(self, response_id: str, model: str = "") -> SignatureRecord:
        self._require_reachable()
        key = response_id.lower()
        if key not in self._records or key in self._late:
            self._late.discard(key)
            raise refusal(400, _NOT_FOUND)
        return self._records[key]

    def unsettled_fee(self, user: str, api_key: str) -> int:
        self._require_reachable()
        authorization(api_key)
        return self.unsettled

    def chat(self, api_key: str, body: bytes) -> ChatReply:
        stream = FakeStream(self, self._accept(api_key, body), body)
        deltas = list(stream.deltas())
        text = "".join(delta.text for delta in deltas)
        return ChatReply(text, "".join(delta.reasoning for delta in deltas), stream.outcome)

    @asynccontextmanager
    async def stream_chat(self, api_key: str, body: bytes) -> AsyncIterator[FakeStream]:
        yield FakeStream(self, self._accept(api_key, body), body)

    def close(self) -> None:
        """Nothing is held."""

    async def aclose(self) -> None:
        """Nothing is held."""

    def settle(self) -> int:
        """Forget the unsettled fees, as a settlement does; returns them in neuron."""
        settled, self.unsettled = self.unsettled, 0
        return settled

    def keep_signature(
        self, response_id: str, request: bytes, response: bytes, fault: Fault | None = None
    ) -> None:
        """Sign a finished answer, in the way that `fault` has it."""
        if fault is Fault.NO_SIGNATURE:
            return
        if fault is Fault.LATE_SIGNATURE:
            self._late.add(response_id)
        signer = LocalSigner(STRANGERS_KEY) if fault is Fault.WRONG_SIGNER else _tee()
        text = f"{sha256(request).hexdigest()}:{sha256(response).hexdigest()}"
        claimed = self.service.expected_signer
        signature = signer.sign_message(text.encode())
        self._records[response_id] = SignatureRecord(text, signature, claimed, "ecdsa")

    def _require_reachable(self) -> None:
        if self.fault is Fault.UNREACHABLE:
            raise ProviderUnreachable("aurora.example cannot be reached.")

    def _accept(self, api_key: str, body: bytes) -> str:
        """Take a request, or refuse it; returns the answer's id."""
        self._require_reachable()
        authorization(api_key)
        if self.fault is not None and self.fault in _REFUSALS:
            raise refusal(*_REFUSALS[self.fault])
        self.bodies.append(body)
        return f"00000000-0000-4000-8000-{len(self.bodies):012d}"


class FakeStream:
    """The answer of a FakeProvider; like ChatStream, to be iterated once."""

    def __init__(self, provider: FakeProvider, response_id: str, body: bytes) -> None:
        self._provider = provider
        self._id = response_id
        self._body = body
        self._fault = provider.fault
        self._is_separated = bool(provider.service.info.separate_signer)
        self._assembler = ChatAssembler(body, key="" if self._is_separated else response_id)

    def deltas(self) -> Iterator[ChatDelta]:
        """The answer at once, for callers that block."""
        for chunk in self._wire():
            yield from self._assembler.feed(chunk)
        yield from self._assembler.finish()

    async def __aiter__(self) -> AsyncIterator[ChatDelta]:
        for delta in self.deltas():
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
                self._break()
            yield self._delivered(chunk)
        self._provider.keep_signature(self._id, self._body, b"".join(chunks), self._fault)

    def _delivered(self, chunk: bytes) -> bytes:
        if self._fault is not Fault.TAMPERED_ANSWER:
            return chunk
        return chunk.replace(b'"content":"', b'"content":"~')

    def _break(self) -> None:
        if self._fault is Fault.DISCONNECT:
            raise ProviderUnreachable("aurora.example broke the connection.")
        if self._fault is Fault.STALL:
            raise ProviderTimeout("aurora.example did not answer in time.")

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


def _words(text: str) -> Iterator[str]:
    """The text in pieces that join to it again."""
    yield from (word for word in text.replace(" ", " \0").split("\0") if word)
