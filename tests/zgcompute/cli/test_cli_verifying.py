from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.zgcompute.cli.desk import Desk, json_of, shape
from zgcompute.testing import Fault

CHECK = {
    "name": "str",
    "title": "str",
    "verdict": "str",
    "required": "bool",
    "expected": "str",
    "found": "str",
    "reason": "str",
}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_every_check_is_told_and_the_evidence_is_kept(desk: Desk, tmp_path: Path) -> None:
    result = desk.ask("verify", "--output-dir", str(tmp_path / "new"), key=None)
    assert result.exit_code == 1
    assert "passed  contract: contract-record" in result.stdout
    assert "could not be checked  broker: format" in result.stdout
    assert f"could not be checked: {desk.service.provider}." in result.stdout
    assert "Fetching the report of the broker" in result.stderr
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert written == {
        "broker_attestation_report.json",
        f"evidence-{desk.service.provider}.json",
    }


def test_the_evidence_can_be_checked_again_to_the_same_end(desk: Desk, tmp_path: Path) -> None:
    first = desk.ask("verify", "--output-dir", str(tmp_path), "--json")
    (evidence,) = tmp_path.glob("evidence-*.json")
    for again in (
        desk.run("verify-evidence", str(evidence), "--json"),
        desk.run("inference", "verify-evidence", str(evidence), "--json"),
    ):
        assert again.exit_code == first.exit_code == 1
        assert json_of(again)["checks"] == json_of(first)["checks"]


def test_a_provider_that_failed_ends_with_5(tmp_path: Path) -> None:
    desk = Desk(tee_signer_acknowledged=False)
    result = desk.ask("verify", "--output-dir", str(tmp_path))
    assert result.exit_code == 5
    assert "failed  contract: acknowledgement" in result.stdout


def test_a_provider_that_is_down_could_not_be_checked(desk: Desk, tmp_path: Path) -> None:
    desk.provider.fault = Fault.UNREACHABLE
    result = desk.ask("verify", "--output-dir", str(tmp_path), "--json")
    assert result.exit_code == 1
    assert json_of(result)["overall"] == "could not be checked"


def test_a_verification_has_a_stable_json(desk: Desk, tmp_path: Path) -> None:
    found = json_of(desk.ask("verify", "--output-dir", str(tmp_path), "--json"))
    assert shape(found) == {
        "provider": "str",
        "overall": "str",
        "scope": "str",
        "checked_at": "int",
        "checks": [CHECK],
        "manual_steps": [{"title": "str", "explanation": "str", "commands": ["str"]}],
        "files": ["str"],
    }


def test_a_chain_that_is_down_ends_with_4(desk: Desk, tmp_path: Path) -> None:
    desk.chain.down = True
    assert desk.ask("verify", "--output-dir", str(tmp_path)).exit_code == 4


def test_a_report_is_saved_as_it_came(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    result = desk.ask("download-report", "--output", str(file), key=None)
    assert result.exit_code == 0
    assert "not checked" in result.stdout
    assert file.read_bytes() == desk.provider.quote()
    found = json_of(desk.ask("download-report", "--output", str(file), "--json"))
    assert shape(found) == {"provider": "str", "file": "str", "bytes": "int"}


def test_a_report_that_cannot_be_had_or_kept_is_an_error(desk: Desk, tmp_path: Path) -> None:
    assert desk.ask("download-report").exit_code == 2
    missing = str(tmp_path / "none" / "report.json")
    assert desk.ask("download-report", "--output", missing).exit_code == 1
    desk.provider.fault = Fault.UNREACHABLE
    assert desk.ask("download-report", "--output", str(tmp_path / "r")).exit_code == 4


def saved_answer(desk: Desk, path: Path, fault: Fault | None = None) -> Path:
    """Evidence of an answer, as the site gives it out."""
    from zgcompute.broker import Broker
    from zgcompute.networks import DEVNET

    desk.provider.fault = fault
    broker = Broker(DEVNET, chain=desk.chain, connect=lambda service: desk.provider)
    hello = [{"role": "user", "content": "Hello"}]
    answer = broker.inference.chat(desk.service.provider, hello, api_key=desk.api_key)
    evidence = answer.verdict.to_evidence(
        network="devnet",
        chain_id=31337,
        response_id=answer.outcome.response_id,
        checked_at=int(time.time()),
    )
    path.write_text(json.dumps(evidence))
    return path


@pytest.mark.parametrize(
    ("fault", "status", "outcome"),
    [(None, 0, "verified"), (Fault.TAMPERED_ANSWER, 5, "failed")],
)
def test_evidence_of_an_answer_is_judged_again(
    desk: Desk, tmp_path: Path, fault: Fault | None, status: int, outcome: str
) -> None:
    file = saved_answer(desk, tmp_path / "evidence.json", fault)
    result = desk.run("verify-evidence", str(file))
    assert result.exit_code == status
    assert result.stdout.startswith(f"{outcome}: ")
    found = json_of(desk.run("verify-evidence", "--json", str(file)))
    assert (found["kind"], found["outcome"]) == ("answer", outcome)


def test_altered_evidence_ends_with_5(desk: Desk, tmp_path: Path) -> None:
    file = saved_answer(desk, tmp_path / "evidence.json")
    evidence = json.loads(file.read_text())
    file.write_text(json.dumps(evidence | {"response_sha256": "00" * 32}))
    result = desk.run("verify-evidence", str(file))
    assert result.exit_code == 5
    assert result.stdout == ""


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"format":"other"}'])
def test_what_is_no_evidence_ends_with_1(desk: Desk, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "evidence.json"
    if content is not None:
        file.write_text(content)
    result = desk.run("verify-evidence", str(file))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
