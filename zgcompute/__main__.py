"""`python -m zgcompute verify-evidence FILE`: check saved evidence again, without a network.

Exit status: 0 verified, 5 failed, 1 for everything else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from zgcompute import _reading as read
from zgcompute.attestation import Overall, ProviderVerdict, verify_provider_evidence
from zgcompute.attestation.evidence import FORMAT as PROVIDER_FORMAT
from zgcompute.errors import Error, VerificationError
from zgcompute.evidence import FORMAT as ANSWER_FORMAT
from zgcompute.evidence import verify_evidence
from zgcompute.verification import Outcome

VERIFIED, FAILED, OTHERWISE = 0, 5, 1
_MAX_FILE = 64 << 20  # bytes; two reports of the largest size in base64, with lists


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m zgcompute")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify-evidence", help="check saved evidence again, offline")
    verify.add_argument("file", type=Path)
    return _verify(parser.parse_args(arguments).file)


def _verify(path: Path) -> int:
    try:
        return _judge(_load(path))
    except (Error, OSError) as error:
        print(f"Not verified: {error}", file=sys.stderr)
        return FAILED if isinstance(error, VerificationError) else OTHERWISE


def _load(path: Path) -> dict[str, object]:
    if path.stat().st_size > _MAX_FILE:
        raise Error("The file is larger than any evidence.")
    evidence = read.json_object(path.read_bytes())
    if evidence is None:
        raise Error("The file is not a JSON object.")
    return evidence


def _judge(evidence: dict[str, object]) -> int:
    if evidence.get("format") == PROVIDER_FORMAT:
        return _report(verify_provider_evidence(evidence))
    if evidence.get("format") != ANSWER_FORMAT:
        raise Error("The file is not evidence in a known form.")
    verdict = verify_evidence(evidence)
    print(f"{verdict.outcome.value}: {verdict.reason}")
    return _status(verdict.outcome == Outcome.VERIFIED, verdict.outcome == Outcome.FAILED)


def _report(verdict: ProviderVerdict) -> int:
    for check in verdict.checks:
        print(f"{check.verdict.value:20} {check.name}  {check.reason}".rstrip())
    print(f"{verdict.overall.value}: {verdict.service.provider}. {verdict.scope}")
    return _status(verdict.overall is Overall.VERIFIED, verdict.overall is Overall.FAILED)


def _status(verified: bool, failed: bool) -> int:
    if verified:
        return VERIFIED
    return FAILED if failed else OTHERWISE


if __name__ == "__main__":
    sys.exit(main())
