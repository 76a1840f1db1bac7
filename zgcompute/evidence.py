"""Evidence of a check: one JSON object that anybody can judge again without a network (pure).

What it cannot show by itself is that the service record is the chain's: compare `service` with
the contract at `network` and `chain_id`.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, TypeVar

from zgcompute import _reading as read
from zgcompute.addresses import checksum
from zgcompute.amounts import Neuron
from zgcompute.errors import InvalidAddress, VerificationError
from zgcompute.types import Service
from zgcompute.verification import SignatureRecord, Verdict, judge_response

FORMAT = "zgcompute-response-evidence/1"
_T = TypeVar("_T")


def write_evidence(
    verdict: Verdict, *, network: str, chain_id: int, response_id: str, checked_at: int
) -> dict[str, Any]:
    """Return `verdict` and all it rests on as a JSON-able object; `checked_at` in Unix seconds.

    Prices are decimal text: JSON readers lose digits of large numbers.
    """
    return {
        "format": FORMAT,
        "network": network,
        "chain_id": chain_id,
        "checked_at": checked_at,
        "response_id": response_id,
        "service": write_service(verdict.service),
        "request_sha256": verdict.request_sha256,
        "response_sha256": verdict.response_sha256,
        "record": asdict(verdict.record) if verdict.record else None,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "expected_signer": verdict.expected_signer,
        "signer": verdict.signer,
        "response_matches": verdict.response_matches,
        "request_matches": verdict.request_matches,
    }


def verify_evidence(evidence: dict[str, Any]) -> Verdict:
    """Judge `evidence` again from its signature and hashes; its stated outcome is not believed.

    Raises VerificationError if it is not evidence in the known form, or if it states another
    outcome than its own content gives.
    """
    if read.mapping(evidence).get("format") != FORMAT:
        raise VerificationError("This is not evidence in a known form.")
    try:
        verdict = judge_response(
            _service(_part(evidence, "service", dict)),
            _record(evidence.get("record")),
            request_sha256=_part(evidence, "request_sha256", str),
            response_sha256=_part(evidence, "response_sha256", str),
            not_checked_reason=_part(evidence, "reason", str),
        )
        stated = _part(evidence, "outcome", str)
    except (KeyError, TypeError, ValueError, InvalidAddress) as error:
        raise VerificationError(f"This is not evidence in a known form ({error}).") from error
    if stated != verdict.outcome:
        raise VerificationError(
            f"The evidence states {read.text(stated)!r}, but its content gives {verdict.outcome!r}."
        )
    return verdict


def write_service(service: Service) -> dict[str, Any]:
    """Return a service record as evidence holds it."""
    keys = asdict(service)
    for name in ("input_price", "output_price"):
        keys[name] = str(keys[name])
    return keys


def read_service(keys: dict[str, Any]) -> Service:
    """Return the service record in `keys`; raises VerificationError."""
    try:
        return _service(keys)
    except (KeyError, TypeError, ValueError, InvalidAddress) as error:
        raise VerificationError(f"This is not evidence in a known form ({error}).") from error


def _part(keys: dict[str, Any], name: str, kind: type[_T]) -> _T:
    value = keys[name]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{name} has the wrong type")
    return value


def _service(keys: dict[str, Any]) -> Service:
    return Service(
        provider=checksum(_part(keys, "provider", str)),
        service_type=_part(keys, "service_type", str),
        url=_part(keys, "url", str),
        input_price=_neuron(keys, "input_price"),
        output_price=_neuron(keys, "output_price"),
        updated_at=_part(keys, "updated_at", int),
        model=_part(keys, "model", str),
        verifiability=_part(keys, "verifiability", str),
        additional_info=_part(keys, "additional_info", str),
        tee_signer=checksum(_part(keys, "tee_signer", str)),
        tee_signer_acknowledged=_part(keys, "tee_signer_acknowledged", bool),
    )


def _neuron(keys: dict[str, Any], name: str) -> Neuron:
    amount = read.neuron(keys[name])
    if amount is None:
        raise TypeError(f"{name} is not an amount")
    return amount


def _record(value: object) -> SignatureRecord | None:
    if value is None:
        return None
    keys = read.mapping(value)
    return SignatureRecord(
        **{part.name: _part(keys, part.name, str) for part in fields(SignatureRecord)}
    )
