"""A provider without a socket for tests: deterministic, really signed, faulty on demand.

Its replies are bytes that pass through the SDK's own decoding, pricing and classification; only
the wire is missing. Contract tests hold it to the behaviour of the real client.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from zgcompute import _fake_media as media
from zgcompute._fake_async import AsyncFakeProvider
from zgcompute._fake_chat import FakeStream, break_off
from zgcompute._fake_faults import NOT_FOUND, REFUSALS, Fault
from zgcompute.amounts import Neuron
from zgcompute.answers import ChatReply
from zgcompute.errors import ProviderUnreachable
from zgcompute.fees import image_fee, speech_fee
from zgcompute.jobs import Job, parse_job
from zgcompute.model_cards import ModelCard, parse_cards
from zgcompute.pictures import ImageReply, parse_images, parse_pictures
from zgcompute.providers import authorization
from zgcompute.refusals import refusal
from zgcompute.signers import LocalSigner
from zgcompute.transcripts import SpeechReply, parse_transcript
from zgcompute.types import Address, Service
from zgcompute.uploads import Form
from zgcompute.verification import SignatureRecord

__all__ = [
    "DEFAULT_ANSWER",
    "STRANGERS_KEY",
    "TEE_KEY",
    "AsyncFakeProvider",
    "FakeProvider",
    "Fault",
    "fake_service",
]

TEE_KEY = "0x" + "7e" * 32
STRANGERS_KEY = "0x" + "5f" * 32
DEFAULT_ANSWER = "Hello from a **test** provider."


@lru_cache(maxsize=1)
def _tee() -> LocalSigner:
    return LocalSigner(TEE_KEY)


def fake_service(**changes: Any) -> Service:
    """Return the service of a FakeProvider, with `changes` to its fields."""
    service = Service(
        provider=Address("0x3333333333333333333333333333333333333333"),
        service_type="chatbot",
        url="https://aurora.example",
        input_price=Neuron(400_000_000_000),
        output_price=Neuron(1_600_000_000_000),
        updated_at=1_750_000_000,
        model="test-chat",
        verifiability="TeeML",
        additional_info='{"TEEVerifier":"dstack"}',
        tee_signer=_tee().address,
        tee_signer_acknowledged=True,
    )
    return replace(service, **changes)


class FakeProvider:
    """Stands in for Provider, and for AsyncProvider's streams; `fault` may change at any time.

    `bodies` holds what was sent, `unsettled` the neuron not yet settled. The fault acts on answers
    begun while it is set. `delay` is seconds before each chunk of a stream. An `older_build` signs
    the reply's body also where it holds pictures.
    """

    def __init__(
        self,
        service: Service | None = None,
        *,
        answer: str = DEFAULT_ANSWER,
        reasoning: str = "",
        fault: Fault | None = None,
        delay: float = 0.0,
        older_build: bool = False,
    ) -> None:
        self.service = service or fake_service()
        self.answer = answer
        self.reasoning = reasoning
        self.fault = fault
        self.delay = delay
        self.older_build = older_build
        self.bodies: list[bytes] = []
        self.unsettled = 0
        self._records: dict[str, SignatureRecord] = {}
        self._late: set[str] = set()
        self._jobs: dict[str, tuple[bytes, int]] = {}  # the reply, and of how many pictures
        self._seen: set[str] = set()

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
            raise refusal(400, NOT_FOUND)
        return self._records[key]

    def unsettled_fee(self, user: str, api_key: str) -> Neuron:
        self._require_reachable()
        authorization(api_key)
        return Neuron(self.unsettled)

    def chat(self, api_key: str, body: bytes) -> ChatReply:
        stream = FakeStream(self, self._accept(api_key, body), body)
        deltas = list(stream)
        text = "".join(delta.text for delta in deltas)
        return ChatReply(text, "".join(delta.reasoning for delta in deltas), stream.outcome)

    @asynccontextmanager
    async def stream_chat(self, api_key: str, body: bytes) -> AsyncIterator[FakeStream]:
        yield FakeStream(self, self._accept(api_key, body), body)

    @contextmanager
    def stream(self, api_key: str, body: bytes) -> Iterator[FakeStream]:
        yield FakeStream(self, self._accept(api_key, body), body)

    def images(self, api_key: str, body: bytes) -> ImageReply:
        return self._draw(api_key, body, *media.ordered(body))

    def edit_image(self, api_key: str, form: Form) -> ImageReply:
        prompt, wanted = (media.field(form, name) for name in ("prompt", "response_format"))
        return self._draw(api_key, form.body, prompt, 1, wanted)

    def order_images(self, api_key: str, body: bytes) -> Job:
        prompt, count, _ = media.ordered(body)
        return self._order(api_key, body, media.drawn(prompt, count))

    def order_edit(self, api_key: str, form: Form) -> Job:
        return self._order(api_key, form.body, media.drawn(media.field(form, "prompt"), 1))

    def job(self, api_key: str, job_id: str) -> Job:
        """The job, which is done at the second look; that look bills it."""
        self._require_reachable()
        authorization(api_key)
        if job_id not in self._jobs:
            raise refusal(404, b'{"error":"job not found"}')
        reply, count = self._jobs[job_id]
        stated: dict[str, Any] = {"jobId": job_id, "status": "processing"}
        if job_id in self._seen:
            stated |= {"status": "completed", "data": json.loads(reply)}
        else:
            self.unsettled += image_fee(self.service, count).total
        self._seen.add(job_id)
        return parse_job(json.dumps(stated).encode(), key=job_id)

    def job_pictures(self, job: Job, request_sha256: str) -> ImageReply:
        def fetch(path: str) -> bytes:
            raise ProviderUnreachable(path)

        return parse_pictures(
            self.service, request_sha256, job.reply, key=job.response_id, fetch=fetch
        )

    def _order(self, api_key: str, request: bytes, pictures: list[bytes]) -> Job:
        job_id = self._accept(api_key, request)
        reply = media.images_body(self.service, job_id, pictures, "b64_json")
        self._jobs[job_id] = reply, len(pictures)
        self._keep_signed(job_id, media.images_text(request, pictures), self.fault)
        return parse_job(json.dumps({"jobId": job_id, "status": "pending"}).encode(), key="")

    def transcribe(self, api_key: str, form: Form, response_format: str) -> SpeechReply:
        response_id, seconds = self._accept(api_key, form.body), media.seconds_of(form)
        body = media.transcript_body(self.answer, seconds, response_format)
        billed = media.billed_seconds(seconds, response_format)
        self.unsettled += speech_fee(self.service, seconds=billed).total
        self.keep_signature(response_id, form.body, body, self.fault)
        if self.fault is Fault.TAMPERED_ANSWER:
            body = media.transcript_body(f"~{self.answer}", seconds, response_format)
        return parse_transcript(form.body, self._sent(body), response_format, key=response_id)

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
        text = f"{sha256(request).hexdigest()}:{sha256(response).hexdigest()}"
        self._keep_signed(response_id, text, fault)

    def _keep_signed(self, response_id: str, text: str, fault: Fault | None) -> None:
        if fault is Fault.NO_SIGNATURE:
            return
        if fault is Fault.LATE_SIGNATURE:
            self._late.add(response_id)
        signer = LocalSigner(STRANGERS_KEY) if fault is Fault.WRONG_SIGNER else _tee()
        claimed = self.service.expected_signer
        signature = signer.sign_message(text.encode())
        self._records[response_id] = SignatureRecord(text, signature, claimed, "ecdsa")

    def _draw(
        self, api_key: str, request: bytes, prompt: str, count: int, wanted: str
    ) -> ImageReply:
        response_id = self._accept(api_key, request)
        pictures = media.drawn(prompt, count)
        self.unsettled += image_fee(self.service, count).total
        body = media.images_body(self.service, response_id, pictures, wanted)
        if self.older_build:
            self.keep_signature(response_id, request, body, self.fault)
        else:
            self._keep_signed(response_id, media.images_text(request, pictures), self.fault)
        if self.fault is Fault.TAMPERED_ANSWER:
            pictures = media.drawn(f"not {prompt}", count)
            body = media.images_body(self.service, response_id, pictures, wanted)
        return parse_images(
            self.service,
            request,
            self._sent(body),
            key=response_id,
            fetch=lambda path: pictures[int(path.rpartition("/")[2])],
        )

    def _sent(self, body: bytes) -> bytes:
        """The bytes of a whole reply as they arrive."""
        break_off(self.fault)
        return body[: len(body) // 2] if self.fault is Fault.BAD_CHUNK else body

    def _require_reachable(self) -> None:
        if self.fault is Fault.UNREACHABLE:
            raise ProviderUnreachable("aurora.example cannot be reached.")

    def _accept(self, api_key: str, body: bytes) -> str:
        """Take a request, or refuse it; returns the answer's id."""
        self._require_reachable()
        authorization(api_key)
        if self.fault is not None and self.fault in REFUSALS:
            raise refusal(*REFUSALS[self.fault])
        self.bodies.append(body)
        return f"00000000-0000-4000-8000-{len(self.bodies):012d}"
