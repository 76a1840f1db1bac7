"""What is asked of a provider and how its replies are read, for any way of sending (pure).

Every call is a generator: it yields the requests to make, is sent the replies (or thrown the
ProviderError that came instead), and returns the value. `Provider` and `AsyncProvider` carry the
same ones out, each in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeAlias, TypeVar
from urllib.parse import quote

from zgcompute import _reading as read
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
from zgcompute.amounts import Neuron
from zgcompute.answers import ChatAssembler, ChatReply
from zgcompute.errors import InvalidToken, MalformedReply, ProviderError
from zgcompute.jobs import Job, parse_job
from zgcompute.model_cards import ModelCard, parse_cards
from zgcompute.pictures import ImageReply, reading_pictures
from zgcompute.refusals import refusal
from zgcompute.transcripts import SpeechReply, parse_transcript
from zgcompute.types import Service
from zgcompute.uploads import Form
from zgcompute.verification import SignatureRecord

MAX_REFUSAL = 65_536  # bytes of an error reply that are read at all
_API_KEY = re.compile(r"app-sk-[A-Za-z0-9+/]+={0,2}", re.ASCII)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to a provider; a POST is never repeated, it may be billed."""

    method: str
    url: str
    limits: Limits
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


Exchange: TypeAlias = Generator[Request, HttpReply, _T]


def models(service: Service) -> Exchange[tuple[ModelCard, ...]]:
    """GET /v1/models."""
    reply = yield _get(service, "/v1/models", METADATA)
    return parse_cards(accepted(reply).body)


def report(service: Service) -> Exchange[bytes]:
    """GET /v1/quote."""
    reply = yield _get(service, "/v1/quote", REPORT)
    return accepted(reply).body


def attestation_report(service: Service, model: str) -> Exchange[bytes]:
    """GET /v1/proxy/attestation/report."""
    reply = yield _get(service, f"/v1/proxy/attestation/report{_of(model)}", REPORT)
    return accepted(reply).body


def signature(service: Service, response_id: str, model: str) -> Exchange[SignatureRecord]:
    """GET /v1/proxy/signature/{id}."""
    path = f"/v1/proxy/signature/{quote(response_id, safe='')}{_of(model)}"
    reply = yield _get(service, path, SIGNATURE)
    return SignatureRecord.parse(accepted(reply).body)


def unsettled_fee(service: Service, user: str, api_key: str) -> Exchange[Neuron]:
    """GET /v1/user/{address}/unsettledfee."""
    path = f"/v1/user/{checksum(user)}/unsettledfee"
    reply = yield _get(service, path, METADATA, authorization(api_key))
    body = accepted(reply).body
    fee = read.neuron(read.mapping(read.json_object(body)).get("unsettledFee"))
    if fee is None:
        raise MalformedReply("The provider's statement of unsettled fees is not an amount.")
    return fee


def chat(service: Service, api_key: str, body: bytes) -> Exchange[ChatReply]:
    """POST /v1/proxy/chat/completions, read as a whole."""
    reply = accepted((yield chat_request(service, api_key, body)))
    assembler = ChatAssembler(body, key=_key(reply))
    deltas = [*assembler.feed(reply.body), *assembler.finish()]
    text = "".join(delta.text for delta in deltas)
    return ChatReply(text, "".join(delta.reasoning for delta in deltas), assembler.outcome)


def chat_request(service: Service, api_key: str, body: bytes) -> Request:
    """The request of a chat, also for whoever reads its reply as it arrives."""
    form = Form("application/json", body)
    return _post(service, "/v1/proxy/chat/completions", CHAT, api_key, form)


def images(service: Service, api_key: str, body: bytes) -> Exchange[ImageReply]:
    """POST /v1/proxy/images/generations."""
    form = Form("application/json", body)
    return (yield from _pictures(service, "/v1/proxy/images/generations", api_key, form))


def edit_image(service: Service, api_key: str, form: Form) -> Exchange[ImageReply]:
    """POST /v1/proxy/images/edits."""
    return (yield from _pictures(service, "/v1/proxy/images/edits", api_key, form))


def order_images(service: Service, api_key: str, body: bytes) -> Exchange[Job]:
    """POST /v1/async/images/generations."""
    form = Form("application/json", body)
    return (yield from _ordered(service, "/v1/async/images/generations", api_key, form))


def order_edit(service: Service, api_key: str, form: Form) -> Exchange[Job]:
    """POST /v1/async/images/edits."""
    return (yield from _ordered(service, "/v1/async/images/edits", api_key, form))


def job(service: Service, api_key: str, job_id: str) -> Exchange[Job]:
    """GET /v1/async/jobs/{id}."""
    path = f"/v1/async/jobs/{quote(job_id, safe='')}"
    reply = accepted((yield _get(service, path, IMAGES, authorization(api_key))))
    return parse_job(reply.body, key=_key(reply))


def job_pictures(service: Service, job: Job, request_sha256: str) -> Exchange[ImageReply]:
    """The pictures of a completed job; asks only for those that the provider stores."""
    return (yield from _fetched(service, request_sha256, job.reply, job.response_id))


def transcribe(
    service: Service, api_key: str, form: Form, response_format: str
) -> Exchange[SpeechReply]:
    """POST /v1/proxy/audio/transcriptions."""
    request = _post(service, "/v1/proxy/audio/transcriptions", SPEECH, api_key, form)
    reply = accepted((yield request))
    return parse_transcript(form.body, reply.body, response_format, key=_key(reply))


def authorization(api_key: str) -> dict[str, str]:
    """The header that carries `api_key`; raises InvalidToken if it is no key."""
    if not _API_KEY.fullmatch(api_key):
        raise InvalidToken("An API key begins with app-sk- and is one line of base64.")
    return {"authorization": f"Bearer {api_key}"}


def accepted(reply: HttpReply, status: int = 200) -> HttpReply:
    """Return `reply` if it has `status`; raises the ProviderRefused subclass that it means."""
    if reply.status != status:
        raise refusal(reply.status, reply.body[:MAX_REFUSAL], reply.headers)
    return reply


def _pictures(service: Service, path: str, api_key: str, form: Form) -> Exchange[ImageReply]:
    reply = accepted((yield _post(service, path, IMAGES, api_key, form)))
    request_sha256 = sha256(form.body).hexdigest()
    return (yield from _fetched(service, request_sha256, reply.body, _key(reply)))


def _fetched(service: Service, request_sha256: str, body: bytes, key: str) -> Exchange[ImageReply]:
    """Read a reply of pictures, and ask for each that it only names."""
    reading = reading_pictures(service, request_sha256, body, key=key)
    try:
        path = next(reading)
        while True:
            path = reading.send((yield from _picture(service, path)))
    except StopIteration as done:
        pictures: ImageReply = done.value
        return pictures


def _picture(service: Service, path: str) -> Exchange[bytes]:
    """The bytes of a picture that is made, and billed: no failure here says that it is free."""
    try:
        return accepted((yield _get(service, path, PICTURE))).body
    except ProviderError as error:
        raise MalformedReply(
            f"The provider made the pictures and did not hand one over. {error}"
        ) from error


def _ordered(service: Service, path: str, api_key: str, form: Form) -> Exchange[Job]:
    reply = yield _post(service, path, METADATA, api_key, form)
    return parse_job(accepted(reply, 202).body, key="")


def _get(
    service: Service, path: str, limits: Limits, headers: Mapping[str, str] | None = None
) -> Request:
    return Request("GET", _url(service, path), limits, headers or {})


def _post(service: Service, path: str, limits: Limits, api_key: str, form: Form) -> Request:
    headers = {"content-type": form.content_type, **authorization(api_key)}
    return Request("POST", _url(service, path), limits, headers, form.body)


def _url(service: Service, path: str) -> str:
    return service.url.rstrip("/") + path


def _of(model: str) -> str:
    return f"?model={quote(model, safe='')}" if model else ""


def _key(reply: HttpReply) -> str:
    return reply.headers.get("zg-res-key", "")
