"""Evidence of a provider's verification: one JSON object that anybody can check again (pure).

It holds the reports as received, so nothing is asked of the provider again. That the service
record is the chain's has to be compared with the contract at `network` and `chain_id`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from typing import Any

from zgcompute import _reading as read
from zgcompute.attestation.provider import ProviderVerdict, Received, check_provider
from zgcompute.attestation.reports import MAX_REPORT
from zgcompute.errors import VerificationError
from zgcompute.evidence import read_service, write_service

FORMAT = "zgcompute-provider-evidence/1"
_LATEST = 1 << 40  # Unix seconds far beyond any certificate


def write_provider_evidence(
    verdict: ProviderVerdict, *, network: str, chain_id: int
) -> dict[str, Any]:
    """Return `verdict` and all it rests on as a JSON-able object."""
    return {
        "format": FORMAT,
        "network": network,
        "chain_id": chain_id,
        "checked_at": verdict.checked_at,
        "service": write_service(verdict.service),
        "listed": verdict.listed,
        "reports": [_written(report) for report in verdict.received],
        "overall": verdict.overall.value,
        "checks": [asdict(check) for check in verdict.checks],
    }


def verify_provider_evidence(evidence: object) -> ProviderVerdict:
    """Run every check again over the reports in `evidence`; its stated results are not believed.

    Certificates are judged at the stated `checked_at`. Raises VerificationError if it is not
    evidence in the known form, or if it states another overall result than its content gives.
    """
    keys = read.mapping(evidence)
    if keys.get("format") != FORMAT:
        raise VerificationError("This is not evidence in a known form.")
    checked_at, listed = read.count(keys.get("checked_at")), keys.get("listed")
    if checked_at is None or checked_at > _LATEST or not isinstance(listed, bool):
        raise VerificationError("This is not evidence in a known form.")
    verdict = check_provider(
        read_service(read.mapping(keys.get("service"))),
        [_read(read.mapping(report)) for report in read.items(keys.get("reports"), limit=8)],
        checked_at=checked_at,
        listed=listed,
    )
    if keys.get("overall") != verdict.overall:
        stated = read.text(keys.get("overall"))
        raise VerificationError(
            f"The evidence states {stated!r}, but its content gives {verdict.overall.value!r}."
        )
    return verdict


def _written(report: Received) -> dict[str, Any]:
    body = None if report.body is None else base64.b64encode(report.body).decode()
    keys = asdict(report)
    del keys["body"]
    return {**keys, "body_base64": body}


def _read(keys: dict[str, Any]) -> Received:
    body = keys.get("body_base64")
    collateral = keys.get("collateral")
    try:
        decoded = base64.b64decode(body, validate=True) if isinstance(body, str) else None
    except (binascii.Error, ValueError) as error:
        raise VerificationError("A report in the evidence is not base64.") from error
    return Received(
        role=read.text(keys.get("role")),
        body=decoded,
        problem=read.text(keys.get("problem"), limit=1000),
        refused=keys.get("refused") is True,
        collateral=collateral
        if isinstance(collateral, str) and len(collateral) < MAX_REPORT
        else "",
        collateral_problem=read.text(keys.get("collateral_problem")),
    )
