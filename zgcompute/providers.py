"""Calls to one provider's service (PROTOCOL §3): blocking, and chat streamed in an event loop.

Everything that comes back is a claim of the provider. Errors are ProviderError subclasses only.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from urllib.parse import quote

from zgcompute import _reading as read
from zgcompute._destinations import AddressPolicy
from zgcompute._http import AsyncDoor, AsyncReply, HttpDoor, Reply
from zgcompute._limits import (
    CHAT,
    IMAGES,
    METADATA,
    PICTURE,
    REPORT,
    SIGNATURE,
    SPEECH,
    HttpReply,
    Limits,
)
from zgcompute.addresses import checksum
from zgcompute.answers import ChatAssembler, ChatDelta, ChatOutcome, ChatReply
from zgcompute.checks import check_response
from zgcompute.errors import InvalidToken, MalformedReply, ProviderError
from zgcompute.jobs import Job, parse_job
from zgcompute.model_cards import ModelCard, parse_cards
from zgcompute.pictures import ImageReply, parse_images, parse_pictures
from zgcompute.refusals import refusal
from zgcompute.transcripts import SpeechReply, parse_transcript
from zgcompute.types import Service
from zgcompute.uploads import Form
from zgcompute.verification import SignatureRecord

__all__ = [
    "CHAT",
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
    "check_response",
    "door",
]

_API_KEY = re.compile(r"app-sk-[A-Za-z0-9+/]+={0,2}", re.ASCII)
_MAX_REFUSAL = 65_536  # bytes of an error reply that are read at all


def door(*, local: bool = False) -> HttpDoor:
    """Return a door to share among providers: it keeps connections.

    `local` allows private addresses and http, and is for networks on this machine only.
    """
    return HttpDoor(AddressPolicy(allow_private=local))


def async_door(*, local: bool = False) -> AsyncDoor:
    """Return a door for streams to share among the providers of one event loop."""
    return AsyncDoor(AddressPolicy(allow_private=local))


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
        return parse_cards(self._get("/v1/models", METADATA).body)

    def quote(self) -> bytes:
        """The provider's attestation report as sent (GET /v1/quote)."""
        return self._get("/v1/quote", REPORT).body

    def attestation_report(self, model: str) -> bytes:
        """The model server's own report as sent (GET /v1/proxy/attestation/report)."""
        query = f"?model={quote(model, safe='')}" if model else ""
        return self._get(f"/v1/proxy/attestation/report{query}", REPORT).body

    def signature(self, response_id: str, model: str = "") -> SignatureRecord:
        """The signature of a finished answer (GET /v1/proxy/signature/{id}).

        Raises SignatureNotFound where the provider has none: not yet, or after 20 minutes.
        """
        query = f"?model={quote(model, safe='')}" if model else ""
        path = f"/v1/proxy/signature/{quote(response_id, safe='')}{query}"
        return SignatureRecord.parse(self._get(path, SIGNATURE).body)

    def unsettled_fee(self, user: str, api_key: str) -> int:
        """Neuron of `user`'s fees that the provider says it has not settled yet."""
        path = f"/v1/user/{checksum(user)}/unsettledfee"
        reply = self._get(path, METADATA, authorization(api_key))
        fee = read.neuron(read.mapping(read.json_object(reply.body)).get("unsettledFee"))
        if fee is None:
            raise MalformedReply("The provider's statement of unsettled fees is not an amount.")
        return fee

    def chat(self, api_key: str, body: bytes) -> ChatReply:
        """Send a chat request and return the whole answer; it is billed even if reading fails."""
        url, headers = _chat_request(self.service, api_key)
        reply = _accepted(self._door.post(url, CHAT, headers, body))
        assembler = ChatAssembler(body, key=reply.headers.get("zg-res-key", ""))
        deltas = [*assembler.feed(reply.body), *assembler.finish()]
        text = "".join(delta.text for delta in deltas)
        return ChatReply(text, "".join(delta.reasoning for delta in deltas), assembler.outcome)

    @contextmanager
    def stream(self, api_key: str, body: bytes) -> Iterator[ChatReading]:
        """Send a chat request and give the answer as it arrives; see `AsyncProvider.stream_chat`.

        Leaving early ends the reading, not the billing.
        """
        url, headers = _chat_request(self.service, api_key)
        with self._door.stream(url, CHAT, headers, body) as reply:
            if reply.status != 200:
                raise refusal(reply.status, _refusal_of(reply), reply.headers)
            key = reply.headers.get("zg-res-key", "")
            yield ChatReading(reply.chunks(), ChatAssembler(body, key=key))

    def images(self, api_key: str, body: bytes) -> ImageReply:
        """Order pictures with a JSON body (POST /v1/proxy/images/generations); it is billed."""
        return self._pictures(
            "/v1/proxy/images/generations", api_key, Form("application/json", body)
        )

    def edit_image(self, api_key: str, form: Form) -> ImageReply:
        """Order the edit of the picture in `form` (POST /v1/proxy/images/edits); it is billed."""
        return self._pictures("/v1/proxy/images/edits", api_key, form)

    def order_images(self, api_key: str, body: bytes) -> Job:
        """Order pictures as a job (POST /v1/async/images/generations); billed once completed."""
        return self._ordered(
            "/v1/async/images/generations", api_key, Form("application/json", body)
        )

    def order_edit(self, api_key: str, form: Form) -> Job:
        """Order a picture's edit as a job (POST /v1/async/images/edits); billed once completed."""
        return self._ordered("/v1/async/images/edits", api_key, form)

    def job(self, api_key: str, job_id: str) -> Job:
        """How far the caller's own job is (GET /v1/async/jobs/{id})."""
        path = f"/v1/async/jobs/{quote(job_id, safe='')}"
        reply = self._get(path, IMAGES, authorization(api_key))
        return parse_job(reply.body, key=reply.headers.get("zg-res-key", ""))

    def job_pictures(self, job: Job, request_sha256: str) -> ImageReply:
        """The pictures of a completed job, ordered by a request with that hash."""
        return parse_pictures(
            self.service, request_sha256, job.reply, key=job.response_id, fetch=self._picture
        )

    def transcribe(self, api_key: str, form: Form, response_format: str) -> SpeechReply:
        """Have the recording in `form` written down (POST /v1/proxy/audio/transcriptions).

        It is billed. `response_format` is the one that the form asks for.
        """
        reply = self._post("/v1/proxy/audio/transcriptions", SPEECH, api_key, form)
        key = reply.headers.get("zg-res-key", "")
        return parse_transcript(form.body, reply.body, response_format, key=key)

    def close(self) -> None:
        """Close the connections, unless the door was given by somebody else."""
        if self._owns_door:
            self._door.close()

    def _pictures(self, path: str, api_key: str, form: Form) -> ImageReply:
        reply = self._post(path, IMAGES, api_key, form)
        key = reply.headers.get("zg-res-key", "")
        return parse_images(self.service, form.body, reply.body, key=key, fetch=self._picture)

    def _ordered(self, path: str, api_key: str, form: Form) -> Job:
        headers = {"content-type": form.content_type, **authorization(api_key)}
        reply = self._door.post(_url(self.service, path), METADATA, headers, form.body)
        return parse_job(_accepted(reply, 202).body, key="")

    def _picture(self, path: str) -> bytes:
        return self._get(path, PICTURE).body

    def _post(self, path: str, limits: Limits, api_key: str, form: Form) -> HttpReply:
        headers = {"content-type": form.content_type, **authorization(api_key)}
        return _accepted(self._door.post(_url(self.service, path), limits, headers, form.body))

    def _get(
        self, path: str, limits: Limits, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        return _accepted(self._door.get(_url(self.service, path), limits, headers))


class AsyncProvider:
    """Streamed chat with the provider of `service`, in one event loop.

    `limits` says how long to wait for an answer and how many bytes of it are read.
    """

    def __init__(
        self,
        service: Service,
        *,
        local: bool = False,
        door: AsyncDoor | None = None,
        limits: Limits = CHAT,
    ) -> None:
        self.service = service
        self._limits = limits
        self._door = AsyncDoor(AddressPolicy(allow_private=local)) if door is None else door
        self._owns_door = door is None

    @asynccontextmanager
    async def stream_chat(self, api_key: str, body: bytes) -> AsyncIterator[ChatStream]:
        """Send a chat request and give the answer as it arrives.

        Leaving early ends the reading, not the billing. Raises ProviderRefused subclasses on
        entry, and any ProviderError while reading; the deltas given until then stay valid.
        """
        url, headers = _chat_request(self.service, api_key)
        async with self._door.post(url, self._limits, headers, body) as reply:
            if reply.status != 200:
                raise refusal(reply.status, await _read_refusal(reply), reply.headers)
            key = reply.headers.get("zg-res-key", "")
            yield ChatStream(reply, ChatAssembler(body, key=key))

    async def aclose(self) -> None:
        """Close the connections, unless the door was given by somebody else."""
        if self._owns_door:
            await self._door.aclose()


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


def _url(service: Service, path: str) -> str:
    return service.url.rstrip("/") + path


def _chat_request(service: Service, api_key: str) -> tuple[str, dict[str, str]]:
    headers = {"content-type": "application/json", **authorization(api_key)}
    return _url(service, "/v1/proxy/chat/completions"), headers


def authorization(api_key: str) -> dict[str, str]:
    """The header that carries `api_key`; raises InvalidToken if it is no key."""
    if not _API_KEY.fullmatch(api_key):
        raise InvalidToken("An API key begins with app-sk- and is one line of base64.")
    return {"authorization": f"Bearer {api_key}"}


def _accepted(reply: HttpReply, status: int = 200) -> HttpReply:
    if reply.status != status:
        raise refusal(reply.status, reply.body[:_MAX_REFUSAL], reply.headers)
    return reply


def _refusal_of(reply: Reply) -> bytes:
    """The words of a refusal as far as they come: its status alone tells enough."""
    body = b""
    with suppress(ProviderError):
        for chunk in reply.chunks():
            body += chunk
            if len(body) >= _MAX_REFUSAL:
                break
    return body[:_MAX_REFUSAL]


async def _read_refusal(reply: AsyncReply) -> bytes:
    body = b""
    with suppress(ProviderError):
        async for chunk in reply.chunks():
            body += chunk
            if len(body) >= _MAX_REFUSAL:
                break
    return body[:_MAX_REFUSAL]
