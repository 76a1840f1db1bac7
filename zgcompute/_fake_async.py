"""A fake provider for code that runs in an event loop."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from zgcompute._fake_chat import FakeStream
from zgcompute.amounts import Neuron
from zgcompute.answers import ChatReply
from zgcompute.jobs import Job
from zgcompute.model_cards import ModelCard
from zgcompute.pictures import ImageReply
from zgcompute.transcripts import SpeechReply
from zgcompute.types import Service
from zgcompute.uploads import Form
from zgcompute.verification import SignatureRecord

if TYPE_CHECKING:
    from zgcompute.testing_providers import FakeProvider


class AsyncFakeProvider:
    """Stands in for AsyncProvider; what `fake` does in blocking code, this does in a loop."""

    def __init__(self, fake: FakeProvider) -> None:
        self.fake = fake

    @property
    def service(self) -> Service:
        return self.fake.service

    async def models(self) -> tuple[ModelCard, ...]:
        return self.fake.models()

    async def quote(self) -> bytes:
        return self.fake.quote()

    async def attestation_report(self, model: str) -> bytes:
        return self.fake.attestation_report(model)

    async def signature(self, response_id: str, model: str = "") -> SignatureRecord:
        return self.fake.signature(response_id, model)

    async def unsettled_fee(self, user: str, api_key: str) -> Neuron:
        return self.fake.unsettled_fee(user, api_key)

    async def chat(self, api_key: str, body: bytes) -> ChatReply:
        return self.fake.chat(api_key, body)

    def stream_chat(self, api_key: str, body: bytes) -> AbstractAsyncContextManager[FakeStream]:
        return self.fake.stream_chat(api_key, body)

    async def images(self, api_key: str, body: bytes) -> ImageReply:
        return self.fake.images(api_key, body)

    async def edit_image(self, api_key: str, form: Form) -> ImageReply:
        return self.fake.edit_image(api_key, form)

    async def order_images(self, api_key: str, body: bytes) -> Job:
        return self.fake.order_images(api_key, body)

    async def order_edit(self, api_key: str, form: Form) -> Job:
        return self.fake.order_edit(api_key, form)

    async def job(self, api_key: str, job_id: str) -> Job:
        return self.fake.job(api_key, job_id)

    async def job_pictures(self, job: Job, request_sha256: str) -> ImageReply:
        return self.fake.job_pictures(job, request_sha256)

    async def transcribe(self, api_key: str, form: Form, response_format: str) -> SpeechReply:
        return self.fake.transcribe(api_key, form, response_format)

    async def aclose(self) -> None:
        """Nothing is held."""
