"""What the evidence in an imported file proves, judged again from its signature and hashes."""

from __future__ import annotations

import json
from typing import Any

from django.utils import timezone

from chat.models import Receipt
from chat.reading import clean_text
from marketplace.models import Service
from marketplace.network import served
from zgcompute.addresses import same
from zgcompute.errors import VerificationError
from zgcompute.evidence import verify_evidence
from zgcompute.verification import Outcome, Verdict

_NO_EVIDENCE = "The file holds no evidence for this answer."
_ELSEWHERE = "The evidence in the file is of another provider or network."
_OTHER_SIGNER = (
    "The evidence in the file holds, but its signer is not the one that the chain names for this "
    "provider now, as this site last read it: anybody could have made it."
)


AT_ONCE = 200  # pieces of evidence that an import waits for; each takes some milliseconds
IN_A_ROUND = 300  # of the workers
_WAITING = "The evidence in the file waits to be judged."


def judge_waiting(network: str) -> int:
    """Judge evidence that no import has waited for; returns how many were judged."""
    waiting = Receipt.objects.exclude(claim="").select_related("message__conversation")
    receipts = list(waiting.filter(message__conversation__network=network)[:IN_A_ROUND])
    judge = Judge(network) if receipts else None
    for receipt in receipts:
        assert judge is not None
        found = judge.judge(json.loads(receipt.claim), receipt.message.conversation.provider)
        Receipt.objects.filter(pk=receipt.pk).update(claim="", checked_at=timezone.now(), **found)
    return len(receipts)


class Judge:
    """Judges the evidence of one file; reads each provider's service once."""

    def __init__(self, network: str) -> None:
        self._network = served()[network]
        self._judged = 0
        rows = Service.objects.on(network)
        self._signers = {row.provider: row.snapshot().expected_signer for row in rows}

    def judge_or_wait(self, evidence: object, provider: str) -> dict[str, Any]:
        """As `judge` for the first ones of a file; the claim to be judged later for the rest."""
        self._judged += isinstance(evidence, dict)
        if self._judged <= AT_ONCE or not isinstance(evidence, dict):
            return self.judge(evidence, provider)
        return _found(Outcome.NOT_CHECKED, _WAITING) | {"claim": json.dumps(evidence)}

    def judge(self, evidence: object, provider: str) -> dict[str, Any]:
        """Return outcome, reason, evidence and service as a receipt holds them.

        The evidence is written anew from what was understood of it; nothing else is kept.
        """
        if not isinstance(evidence, dict):
            return _found(Outcome.NOT_CHECKED, _NO_EVIDENCE)
        cleaned: dict[str, Any] = _clean(evidence)
        try:
            verdict = verify_evidence(cleaned)
        except VerificationError as error:
            return _found(Outcome.FAILED, f"The evidence in the file does not hold. {error}"[:500])
        if not self._is_of(cleaned, verdict, provider):
            return _found(Outcome.NOT_CHECKED, _ELSEWHERE)
        kept = self._rewritten(cleaned, verdict)
        if verdict.outcome == Outcome.VERIFIED and not self._is_known(verdict):
            return _found(Outcome.NOT_CHECKED, _OTHER_SIGNER) | kept
        return _found(verdict.outcome, verdict.reason[:500]) | kept

    def _is_of(self, evidence: dict[str, Any], verdict: Verdict, provider: str) -> bool:
        where = (evidence.get("network"), evidence.get("chain_id"))
        here = (self._network.slug, self._network.chain_id)
        return where == here and same(verdict.service.provider, provider)

    def _is_known(self, verdict: Verdict) -> bool:
        signer = self._signers.get(verdict.service.provider)
        return signer is not None and same(signer, verdict.expected_signer)

    def _rewritten(self, evidence: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
        response_id, checked_at = evidence.get("response_id"), evidence.get("checked_at")
        written = verdict.to_evidence(
            network=self._network.slug,
            chain_id=self._network.chain_id,
            response_id=response_id[:200] if isinstance(response_id, str) else "",
            checked_at=checked_at if type(checked_at) is int and 0 <= checked_at < 2**40 else 0,
        )
        return {"evidence": written, "service": written["service"]}


def _found(outcome: Outcome, reason: str) -> dict[str, Any]:
    return {"outcome": outcome.value, "reason": reason, "evidence": None}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    return {key: _clean(part) for key, part in value.items()} if isinstance(value, dict) else value
