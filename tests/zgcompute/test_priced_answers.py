"""What answers carry: fee, evidence, and a check that can be made again."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.zgcompute.test_inference import HELLO, PNG, WAV, Stage
from zgcompute.evidence import verify_evidence
from zgcompute.testing import Fault
from zgcompute.verification import Outcome

ASK: dict[str, Any] = {
    "chatbot": lambda s: s.ask.chat(s.address, HELLO, api_key=s.api_key),
    "text-to-image": lambda s: s.ask.images(s.address, "A sea", n=2, api_key=s.api_key),
    "image-editing": lambda s: s.ask.edit(s.address, PNG, "Violet", api_key=s.api_key),
    "speech-to-text": lambda s: s.ask.transcribe(s.address, WAV, api_key=s.api_key),
}
PARTS = {
    "chatbot": "outcome",
    "text-to-image": "reply",
    "image-editing": "reply",
    "speech-to-text": "reply",
}


@pytest.mark.parametrize("kind", ASK)
def test_every_answer_is_judged_again_without_asking_anybody(kind: str) -> None:
    stage = Stage(kind)
    answer = ASK[kind](stage)
    stage.provider.fault = Fault.UNREACHABLE
    assert answer.verify().outcome is Outcome.VERIFIED
    assert answer.verify() == answer.verdict


@pytest.mark.parametrize("kind", ASK)
def test_the_evidence_of_every_answer_leads_to_its_verdict(kind: str) -> None:
    for fault in (None, Fault.WRONG_SIGNER, Fault.TAMPERED_ANSWER):
        stage = Stage(kind)
        stage.provider.fault = fault
        answer = ASK[kind](stage)
        evidence = json.loads(json.dumps(answer.evidence))
        assert verify_evidence(evidence).outcome is answer.verdict.outcome
        assert (evidence["network"], evidence["chain_id"]) == ("devnet", 31337)
        assert evidence["response_id"] == answer.response_id
        assert evidence["checked_at"] == answer.checked_at > 0


def test_the_evidence_file_is_what_the_command_checks(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps(ASK["chatbot"](Stage("chatbot")).evidence))
    command = [sys.executable, "-m", "zgcompute", "verify-evidence", str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("VERIFIED") or "verified" in run.stdout.lower()


@pytest.mark.parametrize("kind", ASK)
def test_changed_content_fails_the_second_check(kind: str) -> None:
    answer = ASK[kind](Stage(kind))
    part = getattr(answer, PARTS[kind])
    if hasattr(part, "pictures"):
        other = replace(part.pictures[0], content=PNG)
        forged = replace(part, pictures=(other, *part.pictures[1:]))
    else:
        forged = replace(part, response_sha256="00" * 32)
    assert replace(answer, **{PARTS[kind]: forged}).verify().outcome is Outcome.FAILED


@pytest.mark.parametrize("kind", ASK)
def test_a_signature_that_could_not_be_had_is_asked_for_again(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(kind)
    signature = stage.provider.signature
    down = [True]

    def interrupted(response_id: str, model: str = "") -> Any:
        if down:
            stage.provider.fault = Fault.UNREACHABLE
        return signature(response_id, model)

    monkeypatch.setattr(stage.provider, "signature", interrupted)
    answer = ASK[kind](stage)
    assert (answer.verdict.outcome, answer.verdict.can_retry) == (Outcome.NOT_CHECKED, True)
    assert verify_evidence(answer.evidence).outcome is Outcome.NOT_CHECKED
    down.clear()
    stage.provider.fault = None
    verdict = answer.verify()
    assert verdict.outcome is Outcome.VERIFIED
    assert verify_evidence(replace(answer, verdict=verdict).evidence).outcome is Outcome.VERIFIED


def test_an_answer_is_frozen_and_can_be_kept() -> None:
    answer = ASK["chatbot"](Stage("chatbot"))
    with pytest.raises(FrozenInstanceError):
        answer.text = "other"
    for twin in (pickle.loads(pickle.dumps(answer)), copy.deepcopy(answer)):
        assert twin == answer
        assert twin.verify().outcome is Outcome.VERIFIED
        assert twin.evidence == answer.evidence
    assert asdict(answer)["text"] == answer.text
    assert "app-sk" not in repr(answer)
