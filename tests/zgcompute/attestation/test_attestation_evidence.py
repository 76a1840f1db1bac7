"""Evidence of a provider's verification is judged again from its content, without the provider."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.zgcompute.attestation.workshop import (
    BROKER,
    MODEL_SERVER,
    devnet_reports,
    judge,
    profile,
    service_of,
)
from zgcompute.__main__ import main
from zgcompute.attestation import (
    Overall,
    ProviderVerdict,
    verify_provider_evidence,
    write_provider_evidence,
)
from zgcompute.errors import VerificationError


def verdict() -> ProviderVerdict:
    return judge(service_of(profile("cumulus")), devnet_reports())


def evidence(result: ProviderVerdict | None = None) -> dict[str, Any]:
    written = write_provider_evidence(result or verdict(), network="devnet", chain_id=31337)
    parsed: dict[str, Any] = json.loads(json.dumps(written))
    return parsed


def test_evidence_gives_the_same_verdict_again() -> None:
    before = verdict()
    assert verify_provider_evidence(evidence(before)) == before


def test_the_reports_are_kept_as_they_came() -> None:
    result = verdict()
    kept = [base64.b64decode(report["body_base64"]) for report in evidence(result)["reports"]]
    assert kept == [report.body for report in result.received]


def test_a_stated_verified_is_not_believed() -> None:
    forged = evidence() | {"overall": "verified"}
    with pytest.raises(VerificationError, match="its content gives 'failed'"):
        verify_provider_evidence(forged)


def test_passed_checks_written_into_it_change_nothing() -> None:
    forged = evidence()
    for check in forged["checks"]:
        check["verdict"] = "passed"
    assert verify_provider_evidence(forged).overall is Overall.FAILED


@pytest.mark.parametrize(
    "change",
    [
        {"format": "zgcompute-provider-evidence/2"},
        {"checked_at": -1},
        {"checked_at": 10**30},
        {"checked_at": "now"},
        {"listed": "yes"},
        {"service": {}},
        {"service": None},
        {"reports": [{"role": "broker", "body_base64": "***"}]},
    ],
)
def test_malformed_evidence_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        verify_provider_evidence(evidence() | change)


@pytest.mark.parametrize("collateral", ["{}", "null", "x", "[]", '{"tcb_info":1}'])
def test_lists_in_evidence_are_not_believed_either(collateral: str) -> None:
    changed = evidence()
    for report in changed["reports"]:
        report["collateral"] = collateral
    result = verify_provider_evidence(changed)
    assert {c.verdict for c in result.checks if c.key == "tcb-status"} == {"could not be checked"}


def test_evidence_without_its_reports_is_not_the_same_result() -> None:
    with pytest.raises(VerificationError):
        verify_provider_evidence(evidence() | {"reports": []})


def run(path: Path, content: object) -> int:
    file = path / "evidence.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return main(["verify-evidence", str(file)])


def test_the_command_tells_failed_from_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, evidence()) == 5
    out = capsys.readouterr().out
    assert "failed  broker: quote-signature" in out
    assert "reason: The quote carries no signature" in out
    unknown = judge(service_of(profile("cumulus")), {})
    assert run(tmp_path, evidence(unknown)) == 1
    assert run(tmp_path, evidence() | {"overall": "verified"}) == 5
    assert run(tmp_path, {"format": "other"}) == 1
    assert run(tmp_path, "<html>") == 1
    assert main(["verify-evidence", str(tmp_path / "missing.json")]) == 1


def test_the_command_says_verified_with_status_zero(tmp_path: Path) -> None:
    from tests.zgcompute.attestation.test_attestation import genuine_world

    world = genuine_world()
    assert run(tmp_path, evidence(judge(world.service, world.reports))) == 0


def test_the_command_reads_evidence_of_an_answer(tmp_path: Path) -> None:
    from zgcompute.testing import fake_service
    from zgcompute.verification import judge_response

    unsigned = judge_response(
        fake_service(), None, request_sha256="", response_sha256="", not_checked_reason="none yet"
    )
    written = unsigned.to_evidence(network="devnet", chain_id=31337, response_id="x", checked_at=1)
    assert run(tmp_path, written) == 1


def test_roles_are_told_apart_in_evidence() -> None:
    roles = [report["role"] for report in evidence()["reports"]]
    assert roles == [BROKER, MODEL_SERVER]
