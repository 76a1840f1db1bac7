"""What a script gets that brings a key and no wallet: answers with fee and verdict."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zgcompute._fake_media import tiny_png
from zgcompute.amounts import parse
from zgcompute.broker import Broker
from zgcompute.errors import (
    ConfigurationError,
    Error,
    InvalidBody,
    InvalidToken,
    ModelNotServed,
    ProviderUnreachable,
    RateLimited,
)
from zgcompute.evidence import verify_evidence
from zgcompute.networks import DEVNET
from zgcompute.session import SessionRequest
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain, FakeProvider, Fault, fake_service
from zgcompute.types import Address
from zgcompute.verification import Outcome

ALICE = LocalSigner("11" * 32)
HELLO = [{"role": "user", "content": "Hello"}]
PNG = tiny_png("mine")
WAV = b"RIFF\0\0\0\0WAVE" + b"\0" * 48_000
ELSEWHERE = "0x4444444444444444444444444444444444444444"


class Stage:
    """A broker without a signer, one provider of `service_type`, and Alice's key for it."""

    def __init__(self, service_type: str, **changes: Any) -> None:
        chain = FakeChain()
        service = fake_service(
            service_type=service_type,
            input_price=parse("0.001"),
            output_price=parse("0.002"),
            **changes,
        )
        self.provider = FakeProvider(chain.register(service))
        self.address = service.provider
        self.api_key = key_for(self.address)
        self.ask = Broker(DEVNET, chain=chain, connect=lambda service: self.provider).inference


def key_for(provider: str) -> str:
    request = SessionRequest.new(ALICE.address, provider, generation=0, token_id=3)
    return request.signed_by(ALICE).api_key


@pytest.fixture
def chat() -> Stage:
    return Stage("chatbot")


@pytest.fixture
def painter() -> Stage:
    return Stage("text-to-image")


@pytest.fixture
def editor() -> Stage:
    return Stage("image-editing")


@pytest.fixture
def listener() -> Stage:
    return Stage("speech-to-text")


def test_a_key_is_enough_to_chat(chat: Stage) -> None:
    answer = chat.ask.chat(chat.address, HELLO, api_key=chat.api_key)
    assert answer.text == chat.provider.answer
    assert answer.verdict.outcome is Outcome.VERIFIED
    assert answer.fee.total == chat.provider.unsettled > 0


def test_without_key_and_signer_nothing_is_asked(chat: Stage) -> None:
    with pytest.raises(ConfigurationError, match="needs a wallet"):
        chat.ask.stream(chat.address, HELLO)
    assert chat.provider.bodies == []


def test_a_key_for_another_provider_is_never_sent(chat: Stage) -> None:
    with pytest.raises(InvalidToken, match=ELSEWHERE) as refused:
        chat.ask.chat(chat.address, HELLO, api_key=key_for(ELSEWHERE))
    assert "made for this provider" in refused.value.advice
    with pytest.raises(InvalidToken):
        chat.ask.chat(chat.address, HELLO, api_key="app-sk-AAAA")
    assert chat.provider.bodies == []


def test_a_stream_gives_text_and_then_the_whole_answer(chat: Stage) -> None:
    stream = chat.ask.stream(chat.address, HELLO, api_key=chat.api_key, temperature=0)
    pieces = list(stream)
    assert len(pieces) > 3
    assert stream.answer.text == "".join(pieces) == chat.provider.answer
    assert stream.answer.verdict.outcome is Outcome.VERIFIED
    assert stream.answer.verdict.request_matches is True
    assert stream.answer.fee.total == chat.provider.unsettled
    assert b'"include_usage":true' in chat.provider.bodies[0]
    assert b'"temperature":0' in chat.provider.bodies[0]


def test_an_answer_is_there_only_when_all_of_it_was_read(chat: Stage) -> None:
    with chat.ask.stream(chat.address, HELLO, api_key=chat.api_key) as stream:
        for _ in stream:
            break
        with pytest.raises(Error, match="not complete"):
            stream.answer  # noqa: B018 - reading it is what raises
        with pytest.raises(Error, match="read already"):
            list(stream)


def test_a_broken_stream_keeps_what_it_gave(chat: Stage) -> None:
    chat.provider.fault = Fault.DISCONNECT
    said = io.StringIO()
    stream = chat.ask.stream(chat.address, HELLO, api_key=chat.api_key)
    with pytest.raises(ProviderUnreachable):
        said.writelines(stream)
    assert chat.provider.answer.startswith(said.getvalue())
    assert said.getvalue()


def test_a_stream_is_refused_before_its_first_word(chat: Stage) -> None:
    chat.provider.fault = Fault.RATE_LIMITED
    with pytest.raises(RateLimited):
        chat.ask.stream(chat.address, HELLO, api_key=chat.api_key)


@pytest.mark.parametrize("response_format", ["b64_json", "url"])
def test_pictures_come_with_their_fee_and_verdict(painter: Stage, response_format: str) -> None:
    answer = painter.ask.images(
        painter.address,
        "A sea",
        n=2,
        size="64x64",
        response_format=response_format,
        api_key=painter.api_key,
    )
    assert len({picture.content for picture in answer.pictures}) == 2
    assert answer.fee.total == 2 * parse("0.002") == painter.provider.unsettled
    assert answer.verdict.outcome is Outcome.VERIFIED
    wanted = f'"n":2,"prompt":"A sea","response_format":"{response_format}","size":"64x64"'
    assert wanted.encode() in painter.provider.bodies[0]


def test_an_older_build_signs_the_whole_reply(painter: Stage) -> None:
    painter.provider.older_build = True
    answer = painter.ask.images(painter.address, "A sea", api_key=painter.api_key)
    assert answer.verdict.outcome is Outcome.VERIFIED
    painter.provider.fault = Fault.TAMPERED_ANSWER
    other = painter.ask.images(painter.address, "A sea", api_key=painter.api_key)
    assert other.verdict.outcome is Outcome.FAILED


def test_signed_addresses_prove_nothing_of_the_pictures_behind_them(painter: Stage) -> None:
    painter.provider.older_build = True
    address, key = painter.address, painter.api_key
    answer = painter.ask.images(address, "A sea", response_format="url", api_key=key)
    assert answer.verdict.outcome is Outcome.NOT_CHECKED
    assert "Only the pictures' addresses are signed" in answer.verdict.reason
    painter.provider.fault = Fault.WRONG_SIGNER
    forged = painter.ask.images(address, "A sea", response_format="url", api_key=key)
    assert forged.verdict.outcome is Outcome.FAILED


@pytest.mark.parametrize(("response_format", "older_build"), [("b64_json", False), ("url", True)])
def test_the_evidence_of_pictures_is_judged_again_to_the_same_end(
    painter: Stage, response_format: str, older_build: bool
) -> None:
    painter.provider.older_build = older_build
    answer = painter.ask.images(
        painter.address, "A sea", n=2, response_format=response_format, api_key=painter.api_key
    )
    facts = {"network": "devnet", "chain_id": 31337, "checked_at": 1}
    evidence = answer.verdict.to_evidence(response_id=answer.reply.response_id, **facts)
    again = verify_evidence(json.loads(json.dumps(evidence)))
    assert again.outcome is answer.verdict.outcome
    assert again.response_sha256 == answer.verdict.response_sha256


@pytest.mark.parametrize("n", [0, 65, True])
def test_an_order_is_for_a_number_of_pictures(painter: Stage, n: int) -> None:
    with pytest.raises(InvalidBody):
        painter.ask.images(painter.address, "A sea", n=n, api_key=painter.api_key)


def test_a_picture_is_edited_from_bytes_or_a_path(editor: Stage, tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(PNG)
    for source in (PNG, tmp_path / "mine.png", str(tmp_path / "mine.png")):
        answer = editor.ask.edit(editor.address, source, "Violet", api_key=editor.api_key)
        assert answer.pictures[0].content != PNG
        assert answer.verdict.outcome is Outcome.VERIFIED
        assert answer.verdict.request_matches is True
        assert answer.fee.total == parse("0.002")
    assert all(PNG in body for body in editor.provider.bodies)


def test_a_recording_becomes_text(listener: Stage) -> None:
    listener.provider.answer = "Good morning."
    answer = listener.ask.transcribe(listener.address, WAV, language="en", api_key=listener.api_key)
    assert answer.text == "Good morning."
    assert answer.fee.total == 3 * parse("0.001") == listener.provider.unsettled
    assert answer.verdict.outcome is Outcome.VERIFIED
    assert b'name="language"\r\n\r\nen\r\n' in listener.provider.bodies[0]


def test_a_recording_becomes_subtitles(listener: Stage) -> None:
    answer = listener.ask.transcribe(
        listener.address, WAV, response_format="vtt", api_key=listener.api_key
    )
    assert answer.text.startswith("WEBVTT\n")
    assert answer.fee.total == 3 * parse("0.001")


@pytest.mark.parametrize(
    "ask",
    [
        lambda stage: stage.ask.chat(stage.address, HELLO, api_key=stage.api_key),
        lambda stage: stage.ask.images(stage.address, "A sea", api_key=stage.api_key),
        lambda stage: stage.ask.edit(stage.address, PNG, "x", api_key=stage.api_key),
        lambda stage: stage.ask.transcribe(stage.address, WAV, api_key=stage.api_key),
    ],
)
def test_another_kind_of_service_is_refused_before_asking(ask: Callable[[Stage], object]) -> None:
    stage = Stage("embedding")
    with pytest.raises(ModelNotServed, match="'embedding'") as refused:
        ask(stage)
    assert refused.value.advice.startswith("Choose a provider of ")
    assert stage.provider.bodies == []


def test_a_provider_of_many_models_may_be_asked_for_any_kind() -> None:
    stage = Stage("chatbot", additional_info='{"MultiModel":true}')
    answer = stage.ask.images(stage.address, "A sea", model="painter", api_key=stage.api_key)
    assert answer.pictures
    assert b'"model":"painter"' in stage.provider.bodies[0]


def test_addresses_may_be_written_in_lower_case(chat: Stage) -> None:
    provider = Address(chat.address.lower())
    assert chat.ask.chat(provider, HELLO, api_key=chat.api_key).text
