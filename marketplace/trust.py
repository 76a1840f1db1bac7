"""What may be claimed about a service's answers, in plain words and never more than is so.

A listing is a provider's own claim. Nothing here says "verified": only a single answer, whose
signature and bytes were compared, can be that.
"""

from __future__ import annotations

from dataclasses import dataclass

from zgcompute.types import Service
from zgcompute.verification import can_be_verified


@dataclass(frozen=True, slots=True)
class Trust:
    """`word` stands beside `icon` in the `tone` of a state; `meaning` explains it in full."""

    word: str
    icon: str
    tone: str
    meaning: str


def assess(service: Service) -> Trust:
    """Return what a reader may expect of the answers of `service`."""
    if reason := can_be_verified(service):
        return Trust("Answers cannot be verified", "shield-exclamation", "wait", _shown_as(reason))
    signed_by = _MODEL_SERVER if service.info.separate_signer else _PROVIDER
    return Trust("Answers can be verified", "shield-check", "", f"{signed_by} {_WHAT_IT_PROVES}")


def _shown_as(reason: str) -> str:
    return f"{reason} Answers are shown as not verifiable."


_PROVIDER = (
    "The provider says that its model runs inside a trusted execution environment (TEE), which"
    " signs every answer with the key that it registered on chain."
)
_MODEL_SERVER = (
    "The provider says that its model server runs inside a trusted execution environment (TEE) of"
    " its own, which signs every answer with a key named in the provider's listing."
)
_WHAT_IT_PROVES = (
    "An answer is shown as verified when that key signed exactly the bytes that we received. That"
    " does not by itself prove that the hardware is genuine or which model ran: for that there is"
    " the provider's attestation report, which is a check of its own."
)
