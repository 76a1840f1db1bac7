"""What a provider does, told once and asked of two: the fake, and the client with a real server."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import pytest
import uvicorn

from devnet import faults
from devnet.fleet import config
from tests.devnet.bench import ALICE, bench, session
from tests.zgcompute.raw_server import Exchange, serving
from zgcompute._fake_media import tiny_png
from zgcompute.answers import ChatDelta, ChatOutcome, ChatReply
from zgcompute.bodies import chat_body, image_body
from zgcompute.checks import (
    async_check_images,
    async_check_response,
    check_images,
    check_response,
)
from zgcompute.errors import (
    InvalidToken,
    MalformedReply,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnreachable,
    RateLimited,
    ReserveTooLow,
    SessionExpired,
    SignatureNotFound,
    UpstreamFailed,
)
from zgcompute.fees import chat_fee, image_fee, speech_fee
from zgcompute.pictures import ImageReply
from zgcompute.providers import AsyncProvider, Provider
from zgcompute.testing_providers import AsyncFakeProvider, FakeProvider, Fault, fake_service
from zgcompute.transcripts import FORMATS, SpeechReply
from zgcompute.types import Service
from zgcompute.uploads import Upload, form
from zgcompute.verification import Outcome, Verdict

pytestmark = pytest.mark.usefixtures("local_server")


MEDIA = {"prisma": "text-to-image", "retouch": "image-editing", "echo": "speech-to-text"}


@dataclass
class Subject:
    """A provider under test; `fault` makes its next answers misbehave."""

    sync: Any
    streamed: Any
    switch: Any
    in_loop: Any = None  # makes the provider whose checks run in an event loop

    @property
    def service(self) -> Service:
        service: Service = self.sync.service
        return service

    def body(self, question: str = "hello", *, stream: bool = True) -> bytes:
        messages = [{"role": "user", "content": question}]
        return chat_body(self.service.model, messages, stream=stream)

    def whole(self) -> ChatReply:
        reply: ChatReply = self.sync.chat(session(), self.body(stream=False))
        return reply

    def stream(self, body: bytes | None = None) -> tuple[list[ChatDelta], ChatOutcome]:
        deltas: list[ChatDelta] = []
        return deltas, asyncio.run(self._stream(body or self.body(), deltas))

    async def _stream(self, body: bytes, deltas: list[ChatDelta]) -> ChatOutcome:
        try:
            async with self.streamed.stream_chat(session(), body) as answer:
                async for delta in answer:
                    deltas.append(delta)  # noqa: PERF401 - must be kept when the loop raises
                outcome: ChatOutcome = answer.outcome
                return outcome
        finally:
            await self.streamed.aclose()

    def check(self, outcome: ChatOutcome | SpeechReply) -> Verdict:
        facts = {
            "request_sha256": outcome.request_sha256,
            "response_sha256": outcome.response_sha256,
            "model": self.service.model,
        }
        if self.in_loop is None:
            return check_response(self.sync, outcome.response_id, **facts)
        return run_in_loop(
            self.in_loop, lambda p: async_check_response(p, outcome.response_id, **facts)
        )

    def read(self, body: bytes) -> tuple[list[ChatDelta], ChatOutcome]:
        with self.sync.stream(session(), body) as reading:
            return list(reading), reading.outcome

    def draw(self, n: int = 1, response_format: str = "b64_json") -> ImageReply:
        choices = {"n": n, "size": "64x64", "response_format": response_format}
        body = image_body(self.service.model, "A lighthouse <at> dusk", **choices)
        reply: ImageReply = self.sync.images(session(), body)
        return reply

    def draw_as_job(self, n: int) -> ImageReply:
        choices = {"n": n, "size": "64x64", "response_format": "b64_json"}
        body = image_body(self.service.model, "A lighthouse", **choices)
        job = self.sync.order_images(session(), body)
        assert job.is_open
        while job.is_open:
            time.sleep(0.05)
            job = self.sync.job(session(), job.job_id)
        reply: ImageReply = self.sync.job_pictures(job, sha256(body).hexdigest())
        return reply

    def edit(self) -> ImageReply:
        fields = {"prompt": "Make it violet ü", "response_format": "b64_json"}
        order = form(fields, "image", Upload.picture(tiny_png("any")))
        reply: ImageReply = self.sync.edit_image(session(), order)
        return reply

    def hear(self, response_format: str = "json") -> SpeechReply:
        order = form({"response_format": response_format}, "file", Upload.recording(wav(5.0)))
        reply: SpeechReply = self.sync.transcribe(session(), order, response_format)
        return reply

    def check_pictures(self, reply: ImageReply) -> Verdict:
        model = self.service.model
        if self.in_loop is None:
            return check_images(self.sync, reply, model=model)
        return run_in_loop(self.in_loop, lambda p: async_check_images(p, reply, model=model))

    def owed(self) -> int:
        fee: int = self.sync.unsettled_fee(ALICE.address, session())
        return fee

    def fault(self, fault: Fault) -> None:
        self.switch(fault)


def run_in_loop(make: Callable[[], Any], question: Callable[[Any], Awaitable[Any]]) -> Any:
    """Ask a provider that lives in an event loop of its own."""

    async def run() -> Any:
        provider = make()
        try:
            return await question(provider)
        finally:
            await provider.aclose()

    return asyncio.run(run())


class Looped:
    """An asynchronous provider under a blocking one's names; only `stream` is another's."""

    def __init__(self, make: Callable[[], Any], blocking: Any) -> None:
        self._make = make
        self.stream = blocking.stream
        self.service = blocking.service

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args: run_in_loop(self._make, lambda p: getattr(p, name)(*args))


def looped(blocking: Subject, make: Callable[[], Any]) -> Subject:
    """The same subject, asked in an event loop."""
    return replace(blocking, sync=Looped(make, blocking.sync), in_loop=make)


@contextmanager
def fake(name: str) -> Iterator[Subject]:
    if name in MEDIA:
        provider = FakeProvider(
            fake_service(service_type=MEDIA[name], input_price=7, output_price=9)
        )
        yield Subject(provider, provider, lambda fault: setattr(provider, "fault", fault))
        return
    keys = {"TargetSeparated": True, "TargetTeeAddress": fake_service().tee_signer}
    is_separated = name == "cumulus"
    service = fake_service(additional_info=json.dumps(keys)) if is_separated else fake_service()
    provider = FakeProvider(service, reasoning="Let me think. " if is_separated else "")
    yield Subject(provider, provider, lambda fault: setattr(provider, "fault", fault))


@contextmanager
def real(name: str) -> Iterator[Subject]:
    served = bench(name, tokens_per_second=0.0, signature_delay=0.05)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config(served.app))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    registered = served.chain.registered
    assert registered is not None
    service = replace(registered, url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    served.provider.url = service.url
    while not server.started:
        time.sleep(0.01)
    provider = Provider(service, local=True)
    switch = served.provider.faults
    try:
        yield Subject(
            provider,
            AsyncProvider(service, local=True),
            lambda fault: switch.set(faults.Fault(str(fault))),
        )
    finally:
        provider.close()
        server.should_exit = True
        thread.join(10)


@contextmanager
def fake_in_loop(name: str) -> Iterator[Subject]:
    with fake(name) as subject:
        yield looped(subject, lambda: AsyncFakeProvider(subject.sync))


@contextmanager
def real_in_loop(name: str) -> Iterator[Subject]:
    with real(name) as subject:
        yield looped(subject, lambda: AsyncProvider(subject.service, local=True))


KINDS = {"fake": fake, "real": real, "fake in loop": fake_in_loop, "real in loop": real_in_loop}


@pytest.fixture(params=KINDS)
def aurora(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with KINDS[request.param]("aurora") as subject:
        yield subject


@pytest.fixture(params=KINDS)
def cumulus(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Reasons, and its model server signs with a key of its own."""
    with KINDS[request.param]("cumulus") as subject:
        yield subject


@pytest.fixture(params=KINDS)
def prisma(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Draws pictures."""
    with KINDS[request.param]("prisma") as subject:
        yield subject


@pytest.fixture(params=KINDS)
def retouch(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Edits pictures."""
    with KINDS[request.param]("retouch") as subject:
        yield subject


@pytest.fixture(params=KINDS)
def echo(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Writes recordings down."""
    with KINDS[request.param]("echo") as subject:
        yield subject


def test_a_streamed_answer_is_complete_and_verified(aurora: Subject) -> None:
    deltas, outcome = aurora.stream()
    assert len(deltas) > 2
    assert all(delta.text for delta in deltas)
    assert (outcome.saw_done, outcome.bad_chunks, outcome.finish_reason) == (True, 0, "stop")
    assert outcome.model == aurora.service.model
    verdict = aurora.check(outcome)
    assert verdict.outcome is Outcome.VERIFIED
    assert (verdict.response_matches, verdict.request_matches) == (True, True)


def test_a_stream_read_in_blocking_code_is_the_same(aurora: Subject) -> None:
    streamed, _ = aurora.stream()
    deltas, outcome = aurora.read(aurora.body())
    assert [delta.text for delta in deltas] == [delta.text for delta in streamed]
    assert outcome.saw_done
    assert aurora.check(outcome).outcome is Outcome.VERIFIED


def test_a_blocking_stream_ends_where_it_is_cut(aurora: Subject) -> None:
    aurora.fault(Fault.DISCONNECT)
    with aurora.sync.stream(session(), aurora.body()) as reading:
        deltas = iter(reading)
        assert next(deltas).text
        with pytest.raises(ProviderUnreachable):
            list(deltas)


def test_a_whole_answer_is_complete_and_verified(aurora: Subject) -> None:
    reply = aurora.whole()
    assert reply.text
    assert aurora.check(reply.outcome).outcome is Outcome.VERIFIED


def test_a_separate_model_server_signs_itself(cumulus: Subject) -> None:
    deltas, outcome = cumulus.stream()
    assert any(delta.reasoning for delta in deltas)
    assert any(delta.text for delta in deltas)
    assert cumulus.check(outcome).outcome is Outcome.VERIFIED


def test_a_fee_computed_here_is_the_one_owed_there(aurora: Subject) -> None:
    key = session()
    before = aurora.sync.unsettled_fee(ALICE.address, key)
    deltas, outcome = aurora.stream()
    text = "".join(delta.text for delta in deltas)
    expected = chat_fee(aurora.service, outcome.usage, text).total
    assert expected > 0
    assert (
        aurora.check(outcome).outcome is Outcome.VERIFIED
    )  # the fee is booked before the signature
    assert aurora.sync.unsettled_fee(ALICE.address, key) - before == expected


def test_without_usage_the_fee_is_by_words_on_both_sides(aurora: Subject) -> None:
    aurora.fault(Fault.NO_USAGE)
    deltas, outcome = aurora.stream()
    assert outcome.usage is None
    fee = chat_fee(aurora.service, None, "".join(delta.text for delta in deltas))
    assert fee.basis == "words"
    aurora.check(outcome)
    assert aurora.sync.unsettled_fee(ALICE.address, session()) == fee.total


def test_the_models_are_listed_with_the_contracts_prices(aurora: Subject) -> None:
    (card,) = aurora.sync.models()
    assert card.id == aurora.service.model
    prices = aurora.service.input_price, aurora.service.output_price
    assert (card.prompt_price, card.completion_price) == prices


def test_reports_come_as_bytes(aurora: Subject) -> None:
    assert aurora.sync.quote().startswith(b"{")
    assert aurora.sync.attestation_report("m").startswith(b"{")


def test_a_tampered_answer_fails(aurora: Subject) -> None:
    aurora.fault(Fault.TAMPERED_ANSWER)
    _, outcome = aurora.stream()
    verdict = aurora.check(outcome)
    assert (verdict.outcome, verdict.response_matches) == (Outcome.FAILED, False)


def test_a_strangers_signature_fails(aurora: Subject) -> None:
    aurora.fault(Fault.WRONG_SIGNER)
    _, outcome = aurora.stream()
    verdict = aurora.check(outcome)
    assert (verdict.outcome, verdict.response_matches) == (Outcome.FAILED, True)


def test_a_late_signature_is_waited_for(aurora: Subject) -> None:
    aurora.fault(Fault.LATE_SIGNATURE)
    _, outcome = aurora.stream()
    assert aurora.check(outcome).outcome is Outcome.VERIFIED


def test_a_missing_signature_is_its_own_error(aurora: Subject) -> None:
    aurora.fault(Fault.NO_SIGNATURE)
    _, outcome = aurora.stream()
    with pytest.raises(SignatureNotFound):
        aurora.sync.signature(outcome.response_id)


def test_ids_are_found_in_any_case(aurora: Subject) -> None:
    _, outcome = aurora.stream()
    assert aurora.check(outcome).outcome is Outcome.VERIFIED
    assert aurora.sync.signature(outcome.response_id.upper()).text


def test_a_cut_keeps_what_was_given(aurora: Subject) -> None:
    aurora.fault(Fault.DISCONNECT)
    deltas: list[ChatDelta] = []
    with pytest.raises(ProviderUnreachable):
        asyncio.run(aurora._stream(aurora.body(), deltas))
    assert deltas


def test_a_bad_chunk_is_skipped_and_counted(aurora: Subject) -> None:
    aurora.fault(Fault.BAD_CHUNK)
    deltas, outcome = aurora.stream()
    assert outcome.bad_chunks == 1
    assert deltas
    assert aurora.check(outcome).outcome is Outcome.VERIFIED


def test_a_missing_end_mark_is_noticed(aurora: Subject) -> None:
    aurora.fault(Fault.NO_DONE)
    assert not aurora.stream()[1].saw_done


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.RATE_LIMITED, RateLimited),
        (Fault.BUSY, ProviderBusy),
        (Fault.SERVER_ERROR, UpstreamFailed),
        (Fault.HTML, UpstreamFailed),
        (Fault.EXPIRED_SESSION, SessionExpired),
        (Fault.RESERVE, ReserveTooLow),
    ],
)
def test_refusals_are_told_apart(
    aurora: Subject, fault: Fault, kind: type[ProviderRefused]
) -> None:
    aurora.fault(fault)
    with pytest.raises(kind) as streamed:
        aurora.stream()
    with pytest.raises(kind) as whole:
        aurora.whole()
    with pytest.raises(kind) as read:
        aurora.read(aurora.body())
    assert str(streamed.value) == str(whole.value) == str(read.value)
    assert streamed.value.advice
    assert "<" not in str(streamed.value)


def test_pictures_are_verified_and_billed_each(prisma: Subject) -> None:
    reply = prisma.draw(n=2)
    assert [picture.media_type for picture in reply.pictures] == ["image/png", "image/png"]
    assert reply.pictures[0].content != reply.pictures[1].content
    verdict = prisma.check_pictures(reply)
    assert verdict.outcome is Outcome.VERIFIED
    assert (verdict.response_matches, verdict.request_matches) == (True, True)
    assert prisma.owed() == image_fee(prisma.service, 2).total > 0


def test_pictures_of_a_job_are_verified_and_billed_each(prisma: Subject) -> None:
    reply = prisma.draw_as_job(n=2)
    assert len(reply.pictures) == 2
    verdict = prisma.check_pictures(reply)
    assert verdict.outcome is Outcome.VERIFIED
    assert (verdict.response_matches, verdict.request_matches) == (True, True)
    assert prisma.owed() == image_fee(prisma.service, 2).total


def test_nobody_knows_a_job_that_was_never_ordered(prisma: Subject) -> None:
    with pytest.raises(ProviderRefused) as caught:
        prisma.sync.job(session(), "00000000-0000-4000-8000-000000000000")
    assert caught.value.status == 404


def test_pictures_behind_addresses_are_fetched_and_verified(prisma: Subject) -> None:
    stored = prisma.draw(n=2, response_format="url")
    assert not stored.holds_pictures
    assert prisma.check_pictures(stored).outcome is Outcome.VERIFIED
    assert stored.pictures == prisma.draw(n=2).pictures


def test_an_edited_picture_is_verified_with_the_very_form_that_was_sent(retouch: Subject) -> None:
    verdict = retouch.check_pictures(retouch.edit())
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.request_matches is True
    assert retouch.owed() == image_fee(retouch.service, 1).total


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault.TAMPERED_ANSWER, Outcome.FAILED),
        (Fault.WRONG_SIGNER, Outcome.FAILED),
        (Fault.LATE_SIGNATURE, Outcome.VERIFIED),
    ],
)
def test_pictures_are_judged_like_answers(prisma: Subject, fault: Fault, outcome: Outcome) -> None:
    prisma.fault(fault)
    assert prisma.check_pictures(prisma.draw()).outcome is outcome


def test_a_broken_reply_holds_no_pictures(prisma: Subject) -> None:
    prisma.fault(Fault.BAD_CHUNK)
    with pytest.raises(MalformedReply):
        prisma.draw()


@pytest.mark.parametrize("response_format", FORMATS)
def test_a_transcript_is_verified_and_billed_by_what_it_states(
    echo: Subject, response_format: str
) -> None:
    reply = echo.hear(response_format)
    assert len(reply.text) > 5
    assert echo.check(reply).outcome is Outcome.VERIFIED
    fee = speech_fee(echo.service, seconds=reply.seconds or 0)
    assert echo.owed() == fee.total > 0


def test_a_tampered_transcript_fails(echo: Subject) -> None:
    echo.fault(Fault.TAMPERED_ANSWER)
    assert echo.check(echo.hear()).outcome is Outcome.FAILED


@pytest.mark.parametrize("fault", [Fault.DISCONNECT, Fault.RATE_LIMITED, Fault.RESERVE])
def test_refusals_of_pictures_and_recordings_are_errors(
    prisma: Subject, retouch: Subject, echo: Subject, fault: Fault
) -> None:
    for subject, ask in ((prisma, prisma.draw), (retouch, retouch.edit), (echo, echo.hear)):
        subject.fault(fault)
        with pytest.raises(ProviderError):
            ask()


def test_a_long_refusal_of_a_stream_is_not_read_to_its_end() -> None:
    def script(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n")
        with suppress(OSError):
            while True:
                exchange.chunk(b"no" * 10_000)

    with serving(script) as server:
        provider = Provider(replace(fake_service(), url=server.url), local=True)
        with pytest.raises(ProviderRefused) as refused, provider.stream(session(), b"{}"):
            pass
        assert len(refused.value.detail) <= 500
        provider.close()


def test_what_is_no_key_is_not_sent(aurora: Subject) -> None:
    with pytest.raises(InvalidToken):
        aurora.sync.chat("sk-other", aurora.body(stream=False))


def test_a_provider_that_is_down_is_unreachable() -> None:
    provider = FakeProvider(fault=Fault.UNREACHABLE)
    for call in (provider.models, provider.quote, lambda: provider.signature("x")):
        with pytest.raises(ProviderUnreachable):
            call()
    down = replace(fake_service(), url="http://127.0.0.1:1")
    with pytest.raises(ProviderUnreachable):
        Provider(down, local=True).models()


def test_a_fake_stall_is_a_timeout() -> None:
    with pytest.raises(ProviderError, match="in time"):
        FakeProvider(fault=Fault.STALL).chat(session(), b"{}")


def wav(seconds: float, rate: int = 8000) -> bytes:
    data = bytes(int(seconds * rate) * 2)
    kind = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    body = b"WAVE" + kind + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def test_a_settlement_clears_what_the_fake_is_owed() -> None:
    provider = FakeProvider()
    provider.chat(session(), b"{}")
    owed = provider.unsettled
    assert provider.settle() == owed > 0
    assert provider.unsettled_fee(ALICE.address, session()) == 0
    assert len(provider.bodies) == 1
    provider.close()
