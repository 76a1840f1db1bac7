"""What may be claimed about a service's answers, in plain words and never more than is so.

A listing is a provider's own claim. Nothing here says "verified": only a single answer, whose
signature and bytes were compared, can be that.
"""

from __future__ import annotations

from dataclasses import dataclass

from zgcompute.types import Service


@dataclass(frozen=True, slots=True)
class Trust:
    """`word` for a label beside `icon`, `tone` a state's colour, `meaning` the plain explanation."""

    word: str
    icon: str
    tone: str
    meaning: str


def assess(service: Service) -> Trust:
    """Return what a reader may expect of the answers of `service`."""
    match service.verifiability:
        case "TeeML":
            return _SEPARATED if service.info.separate_signer else _TEE_ML
        case "TeeTLS":
            return _TEE_TLS
        case "standard" | "":
            return _STANDARD
    return _UNKNOWN


_LIMITS = (
    "It does not by itself prove that the hardware is genuine or which model ran: that is for the"
    " provider's attestation report, which is a check of its own."
)
_TEE_ML = Trust(
    "Answers can be verified",
    "shield-check",
    "",
    "The provider says that its model runs inside a trusted execution environment (TEE) that signs"
    " every answer. An answer is shown as verified when that key, registered on chain, signed"
    f" exactly the bytes that we received. {_LIMITS}",
)
_SEPARATED = Trust(
    "Answers can be verified",
    "shield-check",
    "",
    "The provider says that its model server runs inside a trusted execution environment (TEE) of"
    " its own and signs every answer with its own key, which the provider's listing names. An"
    " answer is shown as verified when that key signed exactly the bytes that we received."
    f" {_LIMITS}",
)
_TEE_TLS = Trust(
    "Answers cannot be verified",
    "shield-exclamation",
    "wait",
    "The provider forwards requests to a service elsewhere. Its trusted execution environment (TEE)"
    " can vouch for the connection to that service, not for the model behind it, so answers are"
    " shown as not verifiable.",
)
_STANDARD = Trust(
    "Answers cannot be verified",
    "shield-exclamation",
    "wait",
    "The provider claims no trusted execution environment. Nothing proves what its answers were"
    " made by, so they are shown as not verifiable.",
)
_UNKNOWN = Trust(
    "Answers cannot be verified",
    "question-mark-circle",
    "wait",
    "The listing names a kind of proof that this site does not know, so answers are shown as not"
    " verifiable.",
)
