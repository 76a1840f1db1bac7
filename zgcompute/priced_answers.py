"""Answers as callers get them: with their exact fee, their evidence and what it proves.

Those of an AsyncBroker are the same, but that `verify` is awaited.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

from zgcompute.answers import ChatOutcome, ChatReply
from zgcompute.checks import (
    AsyncSignatureSource,
    SignatureSource,
    async_check_images,
    async_check_response,
    check_images,
    check_response,
)
from zgcompute.fees import Fee, chat_fee, image_fee, speech_fee
from zgcompute.networks import Network
from zgcompute.pictures import ImageReply, Picture
from zgcompute.transcripts import SpeechReply
from zgcompute.verification import Verdict, judge_images, judge_response

Signed: TypeAlias = ChatOutcome | SpeechReply | ImageReply  # whose hashes a signature is of


class Origin:
    """Where an answer came from, for checking it again: its network, and the provider's client.

    A pickled or copied one forgets the client, which holds connections.
    """

    __slots__ = ("chain_id", "client", "model", "network")

    def __init__(self, network: str, chain_id: int, model: str, client: Any = None) -> None:
        self.network, self.chain_id = network, chain_id
        self.model, self.client = model, client

    @classmethod
    def of(cls, network: Network, client: Any, model: str) -> Origin:
        return cls(network.slug, network.chain_id, model, client)

    def __reduce__(self) -> tuple[type[Origin], tuple[str, int, str]]:
        return Origin, (self.network, self.chain_id, self.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Priced:
    fee: Fee
    verdict: Verdict
    checked_at: int
    origin: Origin = field(repr=False, compare=False)

    @property
    def signed(self) -> Signed:
        """The facts that a signature is compared with."""
        raise NotImplementedError

    @property
    def response_id(self) -> str:
        """The id under which the provider keeps the signature, for about 20 minutes."""
        return self.signed.response_id

    @property
    def evidence(self) -> dict[str, Any]:
        """What `verdict` rests on, ready for JSON: `evidence.verify_evidence` judges it again.

        Written to a file it is what `python -m zgcompute verify-evidence FILE` checks.
        """
        return self.verdict.to_evidence(
            network=self.origin.network,
            chain_id=self.origin.chain_id,
            response_id=self.response_id,
            checked_at=self.checked_at,
        )

    @property
    def _awaits_signature(self) -> bool:
        return self.verdict.can_retry and self.origin.client is not None

    def _judged(self) -> Verdict:
        """Judge again what is here already."""
        verdict, signed = self.verdict, self.signed
        if isinstance(signed, ImageReply):
            return judge_images(
                verdict.service, verdict.record, signed, not_checked_reason=verdict.reason
            )
        return judge_response(
            verdict.service,
            verdict.record,
            request_sha256=signed.request_sha256,
            response_sha256=signed.response_sha256,
            not_checked_reason=verdict.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verifiable(_Priced):
    def verify(self) -> Verdict:
        """Judge the answer again from the kept hashes and signature, asking nobody.

        Where the signature could not be had, and still may be, the provider is asked for it.
        """
        if not self._awaits_signature:
            return self._judged()
        return check(self.origin.client, self.signed, self.origin.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AsyncVerifiable(_Priced):
    async def verify(self) -> Verdict:
        """Judge the answer again from the kept hashes and signature, asking nobody.

        Where the signature could not be had, and still may be, the provider is asked for it.
        """
        if not self._awaits_signature:
            return self._judged()
        return await async_check(self.origin.client, self.signed, self.origin.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChatAnswer(_Priced):
    text: str
    reasoning: str
    outcome: ChatOutcome

    @property
    def signed(self) -> ChatOutcome:
        return self.outcome

    @classmethod
    def of(cls, reply: ChatReply, verdict: Verdict, origin: Origin, *, streamed: bool) -> Self:
        """Price a chat answer whose signature gave `verdict`."""
        return cls(
            text=reply.text,
            reasoning=reply.reasoning,
            outcome=reply.outcome,
            fee=chat_fee(verdict.service, reply.outcome.usage, reply.text, streamed=streamed),
            verdict=verdict,
            checked_at=_now(),
            origin=origin,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ImageAnswer(_Priced):
    pictures: tuple[Picture, ...]
    reply: ImageReply

    @property
    def signed(self) -> ImageReply:
        return self.reply

    @classmethod
    def of(cls, reply: ImageReply, verdict: Verdict, origin: Origin, *, billed: int) -> Self:
        """Price `billed` pictures whose signature gave `verdict`."""
        return cls(
            pictures=reply.pictures,
            reply=reply,
            fee=image_fee(verdict.service, billed),
            verdict=verdict,
            checked_at=_now(),
            origin=origin,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transcript(_Priced):
    text: str
    reply: SpeechReply

    @property
    def signed(self) -> SpeechReply:
        return self.reply

    @classmethod
    def of(cls, reply: SpeechReply, verdict: Verdict, origin: Origin) -> Self:
        """Price a transcript whose signature gave `verdict`."""
        return cls(
            text=reply.text,
            reply=reply,
            fee=speech_fee(verdict.service, seconds=reply.seconds or 0, usage=reply.usage),
            verdict=verdict,
            checked_at=_now(),
            origin=origin,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(_ChatAnswer, _Verifiable):
    """A whole answer with its exact fee and what its signature proves.

    `checked_at` is when `verdict` was given, in Unix seconds.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnswer(_ImageAnswer, _Verifiable):
    """Pictures with their exact fee and what their signature proves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript(_Transcript, _Verifiable):
    """What was said in a recording, with its exact fee and what its signature proves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncAnswer(_ChatAnswer, _AsyncVerifiable):
    """An Answer of an AsyncBroker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncImageAnswer(_ImageAnswer, _AsyncVerifiable):
    """An ImageAnswer of an AsyncBroker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncTranscript(_Transcript, _AsyncVerifiable):
    """A Transcript of an AsyncBroker."""


def check(client: SignatureSource, signed: Signed, model: str) -> Verdict:
    """Fetch the signature of an answer and judge it."""
    if isinstance(signed, ImageReply):
        return check_images(client, signed, model=model)
    return check_response(
        client,
        signed.response_id,
        request_sha256=signed.request_sha256,
        response_sha256=signed.response_sha256,
        model=model,
    )


async def async_check(client: AsyncSignatureSource, signed: Signed, model: str) -> Verdict:
    """As `check`, in an event loop."""
    if isinstance(signed, ImageReply):
        return await async_check_images(client, signed, model=model)
    return await async_check_response(
        client,
        signed.response_id,
        request_sha256=signed.request_sha256,
        response_sha256=signed.response_sha256,
        model=model,
    )


def _now() -> int:
    return int(time.time())
