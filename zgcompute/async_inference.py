"""Asking a provider in an event loop: `inference.Inference`, awaited.

Requests to providers are asynchronous all the way; reads of the chain, and signing, run in threads.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from zgcompute import _orders
from zgcompute._clients import AsyncProviderClient
from zgcompute._orders import Source, require_key_for
from zgcompute.amounts import Neuron
from zgcompute.answer_streams import AsyncAnswerStream
from zgcompute.answers import ChatReply
from zgcompute.checks import async_check_response
from zgcompute.inference import REFUSED_SESSION, Inference, address_of
from zgcompute.priced_answers import (
    AsyncAnswer,
    AsyncImageAnswer,
    AsyncTranscript,
    Origin,
    async_check,
)
from zgcompute.session import SessionToken
from zgcompute.types import Address, Receipt, Service
from zgcompute.verification import Verdict

if TYPE_CHECKING:
    from zgcompute.async_broker import AsyncBroker


class AsyncInference:
    """Sessions, questions to providers, and the verification of their answers.

    Every method does what the one of `Inference` with its name does.
    """

    def __init__(self, broker: AsyncBroker, blocking: Inference) -> None:
        self._broker = broker
        self._blocking = blocking
        self.sessions = blocking.sessions
        self._signing: defaultdict[Address, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def session(self, provider: str | Service) -> SessionToken:
        """Return a session of up to 24 hours, reused while an hour of it is left."""
        address = address_of(provider)
        async with self._signing[address]:  # however many ask, one session is signed
            token = self.sessions.usable(address)
            if token is None:
                token = await asyncio.to_thread(self._blocking.session, address)
            return token

    async def api_key(
        self, provider: str | Service, token_id: int, lifetime: timedelta | None = None
    ) -> SessionToken:
        """Return a new API key with the id `token_id` (0..254); None lives for ever."""
        return await asyncio.to_thread(self._blocking.api_key, provider, token_id, lifetime)

    async def revoke(self, provider: str | Service, *token_ids: int) -> Receipt:
        """Revoke the API keys with these ids, by one transaction."""
        return await asyncio.to_thread(self._blocking.revoke, provider, *token_ids)

    async def revoke_all(self, provider: str | Service) -> Receipt:
        """Revoke every key and session with `provider`, by one transaction."""
        return await asyncio.to_thread(self._blocking.revoke_all, provider)

    async def chat(
        self,
        provider: str | Service,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str = "",
        api_key: str = "",
        **parameters: Any,
    ) -> AsyncAnswer:
        """Ask `provider` and return the answer with its fee and verdict."""
        client = await self._broker.provider(provider)
        order = _orders.chat(
            client.service, messages, model=model, stream=False, parameters=parameters
        )
        async with self._key(client.service.provider, api_key) as key:
            reply = await client.chat(key, order.body)
        return await self._answer(client, order.model, reply, streamed=False)

    async def stream(
        self,
        provider: str | Service,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str = "",
        api_key: str = "",
        **parameters: Any,
    ) -> AsyncAnswerStream:
        """Ask `provider` and give the answer's text as it arrives: `async for` over what it is."""
        client = await self._broker.provider(provider)
        order = _orders.chat(
            client.service, messages, model=model, stream=True, parameters=parameters
        )
        stack = AsyncExitStack()
        async with self._key(client.service.provider, api_key) as key:
            reading = await stack.enter_async_context(client.stream_chat(key, order.body))
        return AsyncAnswerStream(
            reading, lambda reply: self._answer(client, order.model, reply, streamed=True), stack
        )

    async def images(
        self,
        provider: str | Service,
        prompt: str,
        *,
        n: int = 1,
        size: str = "",
        response_format: str = "b64_json",
        model: str = "",
        api_key: str = "",
        **parameters: Any,
    ) -> AsyncImageAnswer:
        """Have `n` pictures made of `prompt`; `size` is written like "512x512"."""
        client = await self._broker.provider(provider)
        choices = {"size": size, "response_format": response_format, **parameters}
        order = _orders.images(client.service, prompt, n=n, model=model, parameters=choices)
        async with self._key(client.service.provider, api_key) as key:
            reply = await client.images(key, order.body)
        verdict = await async_check(client, reply, order.model)
        origin = self._origin(client, order.model)
        return AsyncImageAnswer.of(reply, verdict, origin, billed=order.billed)

    async def edit(
        self,
        provider: str | Service,
        image: Source,
        prompt: str,
        *,
        size: str = "",
        response_format: str = "b64_json",
        model: str = "",
        api_key: str = "",
        **parameters: str,
    ) -> AsyncImageAnswer:
        """Have the picture `image` (bytes or a path) changed as `prompt` says."""
        client = await self._broker.provider(provider)
        choices = {"size": size, "response_format": response_format, **parameters}
        order = await asyncio.to_thread(  # it may read a file
            _orders.edit, client.service, image, prompt, model=model, parameters=choices
        )
        async with self._key(client.service.provider, api_key) as key:
            reply = await client.edit_image(key, order.form)
        verdict = await async_check(client, reply, order.model)
        origin = self._origin(client, order.model)
        return AsyncImageAnswer.of(reply, verdict, origin, billed=order.billed)

    async def transcribe(
        self,
        provider: str | Service,
        recording: Source,
        *,
        response_format: str = "json",
        language: str = "",
        model: str = "",
        api_key: str = "",
        **parameters: str,
    ) -> AsyncTranscript:
        """Have `recording` (bytes or a path) written down, in a form of `transcripts.FORMATS`."""
        client = await self._broker.provider(provider)
        choices = {"response_format": response_format, "language": language, **parameters}
        order = await asyncio.to_thread(  # it may read a file
            _orders.transcription, client.service, recording, model=model, parameters=choices
        )
        async with self._key(client.service.provider, api_key) as key:
            reply = await client.transcribe(key, order.form, response_format)
        verdict = await async_check(client, reply, order.model)
        return AsyncTranscript.of(reply, verdict, self._origin(client, order.model))

    async def verify_response(
        self,
        provider: str | Service,
        response_id: str,
        *,
        request_sha256: str,
        response_sha256: str,
        model: str = "",
    ) -> Verdict:
        """Fetch the signature of an answer and judge it against the bytes that were received."""
        return await async_check_response(
            await self._broker.provider(provider),
            response_id,
            request_sha256=request_sha256,
            response_sha256=response_sha256,
            model=model,
        )

    async def unsettled_fee(self, provider: str | Service) -> Neuron:
        """Neuron that the provider says the wallet owes and has not settled yet."""
        client = await self._broker.provider(provider)
        token = await self.session(client.service)
        return await client.unsettled_fee(self._broker.address(), token.api_key)

    @asynccontextmanager
    async def _key(self, provider: Address, api_key: str) -> AsyncIterator[str]:
        """The key to send: the given one, or a session's, which is forgotten once refused."""
        if api_key:
            yield require_key_for(provider, api_key)
            return
        key = (await self.session(provider)).api_key
        try:
            yield key
        except REFUSED_SESSION:
            self.sessions.forget(provider, key)  # the next call signs a new one
            raise

    async def _answer(
        self, client: AsyncProviderClient, model: str, reply: ChatReply, *, streamed: bool
    ) -> AsyncAnswer:
        verdict = await async_check(client, reply.outcome, model)
        return AsyncAnswer.of(reply, verdict, self._origin(client, model), streamed=streamed)

    def _origin(self, client: AsyncProviderClient, model: str) -> Origin:
        return Origin.of(self._broker.network, client, model)
