"""What an answer cost and what its signature proves, for headers, comments and /v1/verify."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from zgcompute import _reading as read
from zgcompute.async_providers import AsyncProvider
from zgcompute.checks import async_check_images, async_check_response
from zgcompute.errors import Error
from zgcompute.fees import Fee, chat_fee, image_fee, speech_fee
from zgcompute.jobs import Job
from zgcompute.serving.attempts import Opened
from zgcompute.serving.calls import CHAT_CALL, SPEECH_CALL, Call
from zgcompute.serving.streams import Tally
from zgcompute.serving.targets import ProviderTarget
from zgcompute.transcripts import FORMATS, parse_transcript
from zgcompute.verification import Outcome, Verdict

ELSEWHERE = "This fallback is no provider of the network: it signs nothing."
MOST_KEPT = 10_000  # answers whose hashes are remembered; a few hundred bytes each


@dataclass(frozen=True, slots=True)
class Proof:
    """The facts about one answer; hashes are lower-case hex, `fee` None where nobody can tell."""

    response_id: str
    target: str
    model: str
    outcome: Outcome
    reason: str
    fee: Fee | None = None
    request_sha256: str = ""
    response_sha256: str = ""
    can_retry: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a whole reply."""
        headers = {"zg-verification": self.outcome.value, "zg-verification-reason": self.words}
        return headers | self._fee_headers

    @property
    def comment(self) -> bytes:
        """The comment lines after a stream's last event."""
        lines = [f": zg-verification {self.outcome.value}; {self.words}"]
        lines += [f": {name} {value}" for name, value in self._fee_headers.items()]
        return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")

    @property
    def words(self) -> str:
        """The reason on one line of ASCII."""
        return read.text(self.reason, limit=300).encode("ascii", "replace").decode()

    @property
    def _fee_headers(self) -> dict[str, str]:
        if self.fee is None:
            return {}
        bound = {"zg-fee-is-upper-bound": "true"} if self.fee.is_upper_bound else {}
        return {"zg-fee-neuron": str(self.fee.total), **bound}

    @property
    def in_json(self) -> dict[str, object]:
        """What POST /v1/verify answers; `isValid` is the official server's name for verified."""
        return {
            "id": self.response_id,
            "isValid": self.outcome is Outcome.VERIFIED,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "provider": self.target,
            "model": self.model,
            "fee_neuron": None if self.fee is None else str(self.fee.total),
            "request_sha256": self.request_sha256,
            "response_sha256": self.response_sha256,
        }


class Proofs:
    """Proves answers, and remembers for `seconds` what was found of the latest ones."""

    def __init__(
        self, seconds: float, budget: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._budget = budget
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Proof, ProviderTarget]] = OrderedDict()

    async def of_chat(self, opened: Opened, tally: Tally, *, streamed: bool) -> Proof:
        """Price and check a chat answer whose bytes `tally` has."""
        counted = tally.counted(opened.key)
        target = opened.target
        if not isinstance(target, ProviderTarget):
            return _elsewhere(opened, counted.response_id)
        fee = chat_fee(
            target.service,
            counted.usage,
            counted.text,
            streamed=streamed,
            card=target.card(opened.model),
        )
        return await self._checked(opened, target, counted.response_id, tally.sha256, fee)

    async def of_body(self, call: Call, opened: Opened, body: bytes) -> Proof:
        """Price and check a whole answer of any kind."""
        if call.kind is CHAT_CALL:
            tally = Tally()
            tally.feed(body)
            return await self.of_chat(opened, tally, streamed=False)
        target = opened.target
        if not isinstance(target, ProviderTarget):
            return _elsewhere(opened, opened.key)
        if call.kind is SPEECH_CALL:
            digest = sha256(body).hexdigest()
            fee = _speech_fee(call, target, opened, body)
            return await self._checked(opened, target, opened.key, digest, fee)
        fee = image_fee(target.service, call.pictures)
        return await self.of_pictures(
            target, opened.model, opened.request_sha256, body, opened.key, fee
        )

    async def of_pictures(
        self,
        target: ProviderTarget,
        model: str,
        request_sha256: str,
        body: bytes,
        key: str,
        fee: Fee | None,
    ) -> Proof:
        """Check the pictures in `body`; those that it only names are fetched for it."""
        proof = Proof(key, target.name, model, Outcome.NOT_CHECKED, "", fee, request_sha256)
        provider = target.provider
        try:
            done = Job("", "completed", response_id=key, reply=body)
            reply = await provider.job_pictures(done, request_sha256)
            verdict = await _by_present_signer(
                target,
                lambda provider: async_check_images(
                    provider, reply, model=model, budget=self._budget
                ),
            )
        except Error as error:
            return self._keep(replace(proof, reason=str(error)), target)
        found = replace(proof, response_sha256=verdict.response_sha256)
        return self._keep(_judged(found, verdict), target)

    async def again(self, response_id: str) -> Proof | None:
        """What is known of an earlier answer, checked once more where that may help."""
        kept = self._kept.get(response_id.lower())
        if kept is None or kept[0] < self._clock():
            return None
        proof, target = kept[1], kept[2]
        if not proof.can_retry or not proof.response_sha256:
            return proof
        return self._keep(_judged(proof, await self._verdict(target, proof)), target)

    async def _checked(
        self, opened: Opened, target: ProviderTarget, key: str, digest: str, fee: Fee | None
    ) -> Proof:
        proof = Proof(
            response_id=key,
            target=target.name,
            model=opened.model,
            outcome=Outcome.NOT_CHECKED,
            reason="",
            fee=fee,
            request_sha256=opened.request_sha256,
            response_sha256=digest,
        )
        return self._keep(_judged(proof, await self._verdict(target, proof)), target)

    async def _verdict(self, target: ProviderTarget, proof: Proof) -> Verdict:
        return await _by_present_signer(
            target,
            lambda provider: async_check_response(
                provider,
                proof.response_id,
                request_sha256=proof.request_sha256,
                response_sha256=proof.response_sha256,
                model=proof.model,
                budget=self._budget,
            ),
        )

    def _keep(self, proof: Proof, target: ProviderTarget) -> Proof:
        if proof.response_id:
            name = proof.response_id.lower()
            self._kept[name] = (self._clock() + self._seconds, proof, target)
            self._kept.move_to_end(name)
            self._drop_old()
        return proof

    def _drop_old(self) -> None:
        while self._kept:
            until = next(iter(self._kept.values()))[0]
            if len(self._kept) <= MOST_KEPT and until >= self._clock():
                return
            self._kept.popitem(last=False)


async def _by_present_signer(
    target: ProviderTarget, check: Callable[[AsyncProvider], Awaitable[Verdict]]
) -> Verdict:
    """The verdict of `check`, given again where it failed and the service changed meanwhile."""
    service = target.service
    verdict = await check(target.provider)
    if verdict.outcome is Outcome.FAILED and await target.renewed(service):
        verdict = await check(target.provider)
    return verdict


def _judged(proof: Proof, verdict: Verdict) -> Proof:
    return replace(
        proof, outcome=verdict.outcome, reason=verdict.reason, can_retry=verdict.can_retry
    )


def _elsewhere(opened: Opened, response_id: str) -> Proof:
    return Proof(response_id, opened.target.name, opened.model, Outcome.NOT_VERIFIABLE, ELSEWHERE)


def _speech_fee(call: Call, target: ProviderTarget, opened: Opened, body: bytes) -> Fee | None:
    wanted = str(call.fields.get("response_format") or "json")
    if wanted not in FORMATS:
        return None
    try:
        reply = parse_transcript(b"", body, wanted, key=opened.key)
    except Error:
        return None
    return speech_fee(target.service, seconds=reply.seconds or 0, usage=reply.usage)
