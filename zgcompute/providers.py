"""Calls to one provider's service (PROTOCOL §3): blocking, and in an event loop.

Everything that comes back is a claim of the provider. Errors are ProviderError subclasses only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from zgcompute import _exchanges
from zgcompute._destinations import AddressPolicy
from zgcompute._exchanges import MAX_REFUSAL, Exchange, Request, authorization
from zgcompute._http import AsyncDoor, HttpDoor, Reply
from zgcompute._limits import HttpReply, Limits
from zgcompute.amounts import Neuron
from zgcompute.answers import ChatAssembler, ChatDelta, ChatOutcome, ChatReply
from zgcompute.async_providers import AsyncProvider, ChatStream, async_door
from zgcompute.checks import check_response
from zgcompute.errors import ProviderError
from zgcompute.jobs import Job
from zgcompute.model_cards import ModelCard
from zgcompute.pictures import ImageReply
from zgcompute.refusals import refusal
from zgcompute.transcripts import SpeechReply
from zgcompute.types import Service
from zgcompute.uploads import Form
from zgcompute.verification import SignatureRecord

__all__ = [
    "AsyncDoor",
    "AsyncProvider",
    "ChatDelta",
    "ChatOutcome",
    "ChatReading",
    "ChatReply",
    "ChatStream",
    "HttpDoor",
    "Limits",
    "ModelCard",
    "Provider",
    "SignatureRecord",
    "async_door",
    "authorization",
    "check_response",
    "door",
]

_T = TypeVar("_T")


def door(*, local: bool = False) -> HttpDoor:
    """Return a door to share among providers: it keeps connections.

    `local` allows private addresses and http, and is for networks on this machine only.
    """
    return HttpDoor(AddressPolicy(allow_private=local))


class Provider:
    """Blocking calls to the provider of `service`; safe to use from several threads."""

    def __init__(
        self, service: Service, *, local: bool = False, door: HttpDoor | None = None
    ) -> None:
        self.service = service
        self._door = HttpDoor(AddressPolicy(allow_private=local)) if door is None else door
        self._owns_door = door is None

    def models(self) -> tuple[ModelCard, ...]:
        """The models the provider lists (GET /v1/models; older builds have no such list)."""
        return self._done(_exchanges.models(self.service))

    def quote(self) -> bytes:
        """The provider's attestation report as sent (GET /v1/quote)."""
        return self._done(_exchanges.report(self.service))

    def attestation_report(self, model: str) -> bytes:
        """The model server's own report as sent (GET /v1/proxy/attestation/report)."""
        return self._done(_exchanges.attestation_report(self.service, model))

    def signature(self, response_id: str, model: str = "") -> SignatureRecord:
        """The signature of a finished answer (GET /v1/proxy/signature/{id}).

        Raises SignatureNotFound where the provider has none: not yet, or after 20 minutes.
        """
        return self._done(_exchanges.signature(self.service, response_id, model))

    def unsettled_fee(self, user: str, api_key: str) -> Neuron:
        """Neuron of `user`'s fees that the provider says it has not settled yet."""
        return self._done(_exchanges.unsettled_fee(self.service, user, api_key))

    def chat(self, api_key: str, body: bytes) -> ChatReply:
        """Send a chat request and return the whole answer; it is billed even if reading fails."""
        return self._done(_exchanges.chat(self.service, api_key, body))

    @contextmanager
    def stream(self, api_key: str, body: bytes) -> Iterator[ChatReading]:
        """Send a chat request and give the answer as it arrives; see `AsyncProvider.stream_chat`.

        Leaving early ends the reading, not the billing.
        """
        request = _exchanges.chat_request(self.service, api_key, body)
        with self._door.stream(request.url, request.limits, request.headers, body) as reply:
            if reply.status != 200:
                raise refusal(reply.status, _refusal_of(reply), reply.headers)
            key = reply.headers.get("zg-res-key", "")
            yield ChatReading(reply.chunks(), ChatAssembler(body, key=key))

    def images(self, api_key: str, body: bytes) -> ImageReply:
        """Order pictures with a JSON body (POST /v1/proxy/images/generations); it is billed."""
        return self._done(_exchanges.images(self.service, api_key, body))

    def edit_image(self, api_key: str, form: Form) -> ImageReply:
        """Order the edit of the picture in `form` (POST /v1/proxy/images/edits); it is billed."""
        return self._done(_exchanges.edit_image(self.service, api_key, form))

    def order_images(self, api_key: str, body: bytes) -> Job:
        """Order pictures as a job (POST /v1/async/images/generations); billed once completed."""
        return self._done(_exchanges.order_images(self.service, api_key, body))

    def order_edit(self, api_key: str, form: Form) -> Job:
        """Order a picture's edit as a job (POST /v1/async/images/edits); billed once completed."""
        return self._done(_exchanges.order_edit(self.service, api_key, form))

    def job(self, api_key: str, job_id: str) -> Job:
        """How far the caller's own job is (GET /v1/async/jobs/{id})."""
        return self._done(_exchanges.job(self.service, api_key, job_id))

    def job_pictures(self, job: Job, request_sha256: str) -> ImageReply:
        """The pictures of a completed job, ordered by a request with that hash."""
        return self._done(_exchanges.job_pictures(self.service, job, request_sha256))

    def transcribe(self, api_key: str, form: Form, response_format: str) -> SpeechReply:
        """Have the recording in `form` written down (POST /v1/proxy/audio/transcriptions).

        It is billed. `response_format` is the one that the form asks for.
        """
        return self._done(_exchanges.transcribe(self.service, api_key, form, response_format))

    def close(self) -> None:
        """Close the connections, unless the door was given by somebody else."""
        if self._owns_door:
            self._door.close()

    def _done(self, exchange: Exchange[_T]) -> _T:
        """Carry out an exchange to its end."""
        try:
            request = next(exchange)
            while True:
                try:
                    reply = self._reply_to(request)
                except ProviderError as error:
                    request = exchange.throw(error)
                else:
                    request = exchange.send(reply)
        except StopIteration as done:
            value: _T = done.value
            return value

    def _reply_to(self, request: Request) -> HttpReply:
        where = request.url, request.limits, request.headers
        if request.method == "GET":
            return self._door.get(*where)
        return self._door.post(*where, request.content)


class ChatReading:
    """An answer that is being read: iterate once over its deltas, then read `outcome`."""

    def __init__(self, chunks: Iterable[bytes], assembler: ChatAssembler) -> None:
        self._chunks = chunks
        self._assembler = assembler

    def __iter__(self) -> Iterator[ChatDelta]:
        for chunk in self._chunks:
            yield from self._assembler.feed(chunk)
        yield from self._assembler.finish()

    @property
    def outcome(self) -> ChatOutcome:
        """What is known so far; final once the iteration has ended by itself."""
        return self._assembler.outcome


def _refusal_of(reply: Reply) -> bytes:
    """The words of a refusal as far as they come: its status alone tells enough."""
    body = b""
    with suppress(ProviderError):
        for chunk in reply.chunks():
            body += chunk
            if len(body) >= MAX_REFUSAL:
                break
    return body[:MAX_REFUSAL]
