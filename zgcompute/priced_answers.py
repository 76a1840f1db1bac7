"""Answers as callers get them: with their exact fee and what their signature proves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol

from zgcompute.amounts import Neuron
from zgcompute.answers import ChatDelta, ChatOutcome, ChatReply
from zgcompute.checks import SignatureSource, check_images, check_response
from zgcompute.errors import Error
from zgcompute.fees import Fee, chat_fee, image_fee, speech_fee
from zgcompute.model_cards import ModelCard
from zgcompute.pictures import ImageReply, Picture
from zgcompute.transcripts import SpeechReply
from zgcompute.uploads import Form
from zgcompute.verification import Verdict


class Reading(Protocol):
    """An answer that is being read: its deltas once, then its outcome."""

    def __iter__(self) -> Iterator[ChatDelta]: ...

    @property
    def outcome(self) -> ChatOutcome: ...


class ProviderClient(SignatureSource, Protocol):
    """What the broker needs of a provider: `providers.Provider` or `testing.FakeProvider`."""

    def models(self) -> tuple[ModelCard, ...]: ...

    def quote(self) -> bytes: ...

    def attestation_report(self, model: str) -> bytes: ...

    def chat(self, api_key: str, body: bytes) -> ChatReply: ...

    def stream(self, api_key: str, body: bytes) -> AbstractContextManager[Reading]: ...

    def images(self, api_key: str, body: bytes) -> ImageReply: ...

    def edit_image(self, api_key: str, form: Form) -> ImageReply: ...

    def transcribe(self, api_key: str, form: Form, response_format: str) -> SpeechReply: ...

    def unsettled_fee(self, user: str, api_key: str) -> Neuron: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with its exact fee and what its signature proves."""

    text: str
    reasoning: str
    fee: Fee
    verdict: Verdict
    outcome: ChatOutcome


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """Pictures with their exact fee and what their signature proves."""

    pictures: tuple[Picture, ...]
    fee: Fee
    verdict: Verdict
    reply: ImageReply


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a recording, with its exact fee and what its signature proves."""

    text: str
    fee: Fee
    verdict: Verdict
    reply: SpeechReply


class AnswerStream:
    """An answer on its way: iterate once over its text, then read `answer`.

    Reading to the end closes it; who leaves early closes it with `close`, or by `with`. Leaving
    ends the reading, not the billing.
    """

    def __init__(
        self, reading: Reading, conclude: Callable[[ChatReply], Answer], stack: ExitStack
    ) -> None:
        self._reading = reading
        self._conclude = conclude
        self._stack = stack
        self._is_begun = False
        self._answer: Answer | None = None

    def __iter__(self) -> Iterator[str]:
        if self._is_begun:
            raise Error("The answer was read already.", advice="Ask again, or keep its text.")
        self._is_begun = True
        return self._pieces()

    @property
    def answer(self) -> Answer:
        """The whole answer with its fee and verdict; raises Error until all of it was read."""
        if self._answer is None:
            raise Error("The answer is not complete.", advice="Read the stream to its end first.")
        return self._answer

    def close(self) -> None:
        """Stop reading."""
        self._stack.close()

    def __enter__(self) -> AnswerStream:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _pieces(self) -> Iterator[str]:
        deltas: list[ChatDelta] = []
        with self._stack:
            for delta in self._reading:
                deltas.append(delta)
                if delta.text:
                    yield delta.text
        text, reasoning = "".join(d.text for d in deltas), "".join(d.reasoning for d in deltas)
        self._answer = self._conclude(ChatReply(text, reasoning, self._reading.outcome))


def priced_answer(
    client: ProviderClient, model: str, reply: ChatReply, *, streamed: bool
) -> Answer:
    """Price a chat answer and check its signature."""
    fee = chat_fee(client.service, reply.outcome.usage, reply.text, streamed=streamed)
    verdict = _checked(client, model, reply.outcome)
    return Answer(reply.text, reply.reasoning, fee, verdict, reply.outcome)


def priced_images(
    client: ProviderClient, model: str, reply: ImageReply, *, billed: int
) -> ImageAnswer:
    """Price `billed` pictures and check their signature."""
    fee = image_fee(client.service, billed)
    return ImageAnswer(reply.pictures, fee, check_images(client, reply, model=model), reply)


def priced_transcript(client: ProviderClient, model: str, reply: SpeechReply) -> Transcript:
    """Price a transcript and check its signature."""
    fee = speech_fee(client.service, seconds=reply.seconds or 0, usage=reply.usage)
    return Transcript(reply.text, fee, _checked(client, model, reply), reply)


def _checked(client: ProviderClient, model: str, reply: ChatOutcome | SpeechReply) -> Verdict:
    return check_response(
        client,
        reply.response_id,
        request_sha256=reply.request_sha256,
        response_sha256=reply.response_sha256,
        model=model,
    )
