"""What the brokers need of a provider: `providers.Provider`, or a fake of `testing`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from zgcompute.amounts import Neuron
from zgcompute.answers import ChatDelta, ChatOutcome, ChatReply
from zgcompute.checks import AsyncSignatureSource, SignatureSource
from zgcompute.model_cards import ModelCard
from zgcompute.pictures import ImageReply
from zgcompute.transcripts import SpeechReply
from zgcompute.uploads import Form


class Reading(Protocol):
    """An answer that is being read: its deltas once, then its outcome."""

    def __iter__(self) -> Iterator[ChatDelta]: ...

    @property
    def outcome(self) -> ChatOutcome: ...


class AsyncReading(Protocol):
    """The same in an event loop."""

    def __aiter__(self) -> AsyncIterator[ChatDelta]: ...

    @property
    def outcome(self) -> ChatOutcome: ...


class ProviderClient(SignatureSource, Protocol):
    """Blocking calls to one provider."""

    def models(self) -> tuple[ModelCard, ...]: ...

    def quote(self) -> bytes: ...

    def attestation_report(self, model: str) -> bytes: ...

    def chat(self, api_key: str, body: bytes) -> ChatReply: ...

    def stream(self, api_key: str, body: bytes) -> AbstractContextManager[Reading]: ...

    def images(self, api_key: str, body: bytes) -> ImageReply: ...

    def edit_image(self, api_key: str, form: Form) -> ImageReply: ...

    def transcribe(self, api_key: str, form: Form, response_format: str) -> SpeechReply: ...

    def unsettled_fee(self, user: str, api_key: str) -> Neuron: ...


class AsyncProviderClient(AsyncSignatureSource, Protocol):
    """Calls to one provider in an event loop."""

    async def models(self) -> tuple[ModelCard, ...]: ...

    async def chat(self, api_key: str, body: bytes) -> ChatReply: ...

    def stream_chat(
        self, api_key: str, body: bytes
    ) -> AbstractAsyncContextManager[AsyncReading]: ...

    async def images(self, api_key: str, body: bytes) -> ImageReply: ...

    async def edit_image(self, api_key: str, form: Form) -> ImageReply: ...

    async def transcribe(self, api_key: str, form: Form, response_format: str) -> SpeechReply: ...

    async def unsettled_fee(self, user: str, api_key: str) -> Neuron: ...
