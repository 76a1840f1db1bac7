"""Did genuine hardware sign the quote? Signature, quoting enclave, certificates, patch level."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from zgcompute.attestation import intel
from zgcompute.attestation.quotes import TdQuote
from zgcompute.attestation.verdicts import Check, CheckVerdict, Question
from zgcompute.errors import QuoteInvalid

SIGNATURE = Question(
    "quote-signature",
    "The quote is signed by its attestation key",
    "Without this signature anybody could have written the quote on any computer.",
)
ENCLAVE = Question(
    "quoting-enclave",
    "Intel's quoting enclave vouches for that key",
    "Only a key made inside Intel's enclave signs quotes of real virtual machines.",
)
CHAIN = Question(
    "certificate-chain",
    "The certificates lead to Intel's root",
    "They show that the processor is a genuine one. The root's key is fixed in this software, "
    "never taken from the report.",
)
TCB = Question(
    "tcb-status",
    "The platform is up to date and not revoked",
    "Old firmware can have known weaknesses, and a stolen key can be revoked. Both are known "
    "only from Intel's current lists.",
    required=False,
)
_CURRENT = ("UpToDate", "SWHardeningNeeded")


def check_hardware(quote: TdQuote, now: int) -> tuple[Check, Check, Check]:
    """Check signature, quoting enclave and certificate chain offline; `now` in Unix seconds."""
    try:
        signature = intel.parse_signature(quote.signature_section)
    except QuoteInvalid as error:
        missing = "There is no signature to check."
        return (
            SIGNATURE.failed(str(error)),
            ENCLAVE.unchecked(missing),
            CHAIN.unchecked(missing),
        )
    return (
        _verified(
            SIGNATURE, lambda: intel.verify_quote_signature(quote.signed, signature), "ECDSA P-256"
        ),
        _verified(
            ENCLAVE,
            lambda: intel.verify_quoting_enclave(quote.qe_vendor, signature),
            intel.QE_SIGNER.hex(),
        ),
        _verified(CHAIN, lambda: intel.verify_chain(signature, now), intel.INTEL_ROOT_KEY.hex()),
    )


def is_genuine(checks: tuple[Check, ...]) -> bool:
    """Tell whether all of `check_hardware` passed: then asking Intel about it makes sense."""
    return all(check.verdict is CheckVerdict.PASSED for check in checks)


def check_tcb(quote: bytes, collateral: str, problem: str, now: int) -> Check:
    """Judge the platform with Intel's signed lists (`collateral`, JSON text; "" where none).

    Only for quotes whose signature and chain hold. An outdated or revoked platform fails; one
    that asks for hardening in software passes, since that cannot be seen from outside.
    """
    if not collateral:
        return TCB.unchecked(problem or "Intel's lists were not at hand.")
    from dcap_qvl import QuoteCollateralV3, verify

    try:
        report = json.loads(verify(quote, QuoteCollateralV3.from_json(collateral), now).to_json())
    except (ValueError, RuntimeError, TypeError) as error:
        return TCB.failed(f"Intel's lists do not confirm this quote: {str(error)[:300]}")
    return judge_status(str(report.get("status", "")), report.get("advisory_ids", ()))


def judge_status(status: str, advisories: Iterable[str]) -> Check:
    """Judge what Intel says of a platform: only what is current passes."""
    known = ", ".join(advisories)[:300]
    if status in _CURRENT:
        return TCB.passed(expected="UpToDate", found=status, reason=known)
    reason = f"Intel calls this platform {status or 'nothing known'}. {known}".strip()
    return TCB.failed(reason, expected="UpToDate", found=status)


def _verified(question: Question, verify: Callable[[], None], expected: str) -> Check:
    try:
        verify()
    except QuoteInvalid as error:
        return question.failed(str(error), expected=expected)
    return question.passed(expected=expected, found=expected)
