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

    is_verifiable: bool
    word: str
    icon: str
    tone: str
    meaning: str


def assess(service: Service) -> Trust:
    """Return what a reader may expect of the answers of `service`."""
    one, several = _NOUNS.get(service.service_type, ("answer", "answers"))
    if reason := can_be_verified(service):
        meaning = f"{reason} {several.capitalize()} are shown as not verifiable."
        word = f"{several.capitalize()} cannot be verified"
        return Trust(False, word, "shield-exclamation", "wait", meaning)
    signed_by = _MODEL_SERVER if service.info.separate_signer else _PROVIDER
    meaning = f"{signed_by} {_WHAT_IT_PROVES}".format(one=one)
    return Trust(True, f"{several.capitalize()} can be verified", "shield-check", "", meaning)


_NOUNS = {  # what a service makes, by its type
    "text-to-image": ("picture", "pictures"),
    "image-editing": ("picture", "pictures"),
    "speech-to-text": ("transcript", "transcripts"),
}

_PROVIDER = (
    "The provider says that its model runs inside a trusted execution environment (TEE), which"
    " signs every {one} with the key that it registered on chain."
)
_MODEL_SERVER = (
    "The provider says that its model server runs inside a trusted execution environment (TEE) of"
    " its own, which signs every {one} with a key named in the provider's listing."
)
_WHAT_IT_PROVES = (
    "The {one} is shown as verified when that key signed exactly the bytes that we received. That"
    " does not by itself prove that the hardware is genuine or which model ran: for that there is"
    " the provider's attestation report, which is a check of its own."
)
