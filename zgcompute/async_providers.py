"""Calls to one provider's service in an event loop: the same as `providers.Provider`'s."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from zgcompute import _exchanges
from zgcompute._destinations import AddressPolicy
from zgcompute._exchanges import MAX_REFUSAL, Exchange
from zgcompute._http import AsyncDoor, AsyncReply
from zgcompute._limits import CHAT, Limits
from zgcompute.amounts import Neuron
from zgcompute.answers import ChatAssembler, ChatDelta, ChatOutcome, ChatReply
from zgcompute.errors import ProviderError
from zgcompute.jobs import Job
from zgcompute.model_cards import ModelCard
from zgcompute.pictures import ImageReply
from zgcompute.refusals import refusal
from zgcompute.transcripts import SpeechReply
from zgcompute.types import Service
from zgcompute.uploads import Form
from zgcompute.verification import SignatureRecord

_T = TypeVar("_T")


def async_door(*, local: bool = False) -> AsyncDoor:
    """Return a door to share among the providers of one event loop; `local` as for `door`."""
    return AsyncDoor(AddressPolicy(allow_private=local))


class AsyncProvider:
    """Calls to the provider of `service`, in one event loop; each is explained at `Provider`.

    `limits` says how long to wait for a streamed answer and how many bytes of it are read.
    """

    def __init__(
        self,
        service: Service,
        *,
        local: bool = False,
        door: AsyncDoor | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.service = service
        self._limits = limits or CHAT
        self._door = AsyncDoor(AddressPolicy(allow_private=local)) if door is None else door
        self._owns_door = door is None

    async def models(self) -> tuple[ModelCard, ...]:
        """The models the provider lists (GET /v1/models; older builds have no such list)."""
        return await self._done(_exchanges.models(self.service))

    async def quote(self) -> bytes:
        """The provider's attestation report as sent (GET /v1/quote)."""
        return await self._done(_exchanges.report(self.service))

    async def attestation_report(self, model: str) -> bytes:
        """The model server's own report as sent (GET /v1/proxy/attestation/report)."""
        return await self._done(_exchanges.attestation_report(self.service, model))

    async def signature(self, response_id: str, model: str = "") -> SignatureRecord:
        """The signature of a finished answer (GET /v1/proxy/signature/{id}).

        Raises SignatureNotFound where the provider has none: not yet, or after 20 minutes.
        """
        return await self._done(_exchanges.signature(self.service, response_id, model))

    async def unsettled_fee(self, user: str, api_key: str) -> Neuron:
        """Neuron of `user`'s fees that the provider says it has not settled yet."""
        return await self._done(_exchanges.unsettled_fee(self.service, user, api_key))

    async def chat(self, api_key: str, body: bytes) -> ChatReply:
        """Send a chat request and return the whole answer; it is billed even if reading fails."""
        return await self._done(_exchanges.chat(self.service, api_key, body))

    @asynccontextmanager
    async def stream_chat(self, api_key: str, body: bytes) -> AsyncIterator[ChatStream]:
        """Send a chat request and give the answer as it arrives.

        Leaving early ends the reading, not the billing. Raises ProviderRefused subclasses on
        entry, and any ProviderError while reading; the deltas given until then stay valid.
        """
        request = _exchanges.chat_request(self.service, api_key, body)
        async with self._door.post(request.url, self._limits, request.headers, body) as reply:
            if reply.status != 200:
                raise refusal(reply.status, await read_refusal(reply), reply.headers)
            key = reply.headers.get("zg-res-key", "")
            yield ChatStream(reply, ChatAssembler(body, key=key))

    async def images(self, api_key: str, body: bytes) -> ImageReply:
        """Order pictures with a JSON body (POST /v1/proxy/images/generations); it is billed."""
        return await self._done(_exchanges.images(self.service, api_key, body))

    async def edit_image(self, api_key: str, form: Form) -> ImageReply:
        """Order the edit of the picture in `form` (POST /v1/proxy/images/edits); it is billed."""
        return await self._done(_exchanges.edit_image(self.service, api_key, form))

    async def order_images(self, api_key: str, body: bytes) -> Job:
        """Order pictures as a job (POST /v1/async/images/generations); billed once completed."""
        return await self._done(_exchanges.order_images(self.service, api_key, body))

    async def order_edit(self, api_key: str, form: Form) -> Job:
        """Order a picture's edit as a job (POST /v1/async/images/edits); billed once completed."""
        return await self._done(_exchanges.order_edit(self.service, api_key, form))

    async def job(self, api_key: str, job_id: str) -> Job:
        """How far the caller's own job is (GET /v1/async/jobs/{id})."""
        return await self._done(_exchanges.job(self.service, api_key, job_id))

    async def job_pictures(self, job: Job, request_sha256: str) -> ImageReply:
        """The pictures of a completed job, ordered by a request with that hash."""
        return await self._done(_exchanges.job_pictures(self.service, job, request_sha256))

    async def transcribe(self, api_key: str, form: Form, response_format: str) -> SpeechReply:
        """Have the recording in `form` written down (POST /v1/proxy/audio/transcriptions).

        It is billed. `response_format` is the one that the form asks for.
        """
        exchange = _exchanges.transcribe(self.service, api_key, form, response_format)
        return await self._done(exchange)

    async def aclose(self) -> None:
        """Close the connections, unless the door was given by somebody else."""
        if self._owns_door:
            await self._door.aclose()

    async def _done(self, exchange: Exchange[_T]) -> _T:
        """Carry out an exchange to its end."""
        try:
            request = next(exchange)
            while True:
                where = request.url, request.limits, request.headers
                try:
                    reply = await self._door.send(request.method, *where, request.content)
                except ProviderError as error:
                    request = exchange.throw(error)
                else:
                    request = exchange.send(reply)
        except StopIteration as done:
            value: _T = done.value
            return value


class ChatStream:
    """An answer on its way: iterate once over its deltas, then read `outcome`."""

    def __init__(self, reply: AsyncReply, assembler: ChatAssembler) -> None:
        self._reply = reply
        self._assembler = assembler

    async def __aiter__(self) -> AsyncIterator[ChatDelta]:
        async for chunk in self._reply.chunks():
            for delta in self._assembler.feed(chunk):
                yield delta
        for delta in self._assembler.finish():
            yield delta

    @property
    def outcome(self) -> ChatOutcome:
        """What is known so far; final once the iteration has ended by itself."""
        return self._assembler.outcome


async def read_refusal(reply: AsyncReply) -> bytes:
    """The words of a refusal as far as they come: its status alone tells enough."""
    body = b""
    with suppress(ProviderError):
        async for chunk in reply.chunks():
            body += chunk
            if len(body) >= MAX_REFUSAL:
                break
    return body[:MAX_REFUSAL]
