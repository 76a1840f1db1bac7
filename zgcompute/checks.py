"""Fetching what verification needs from a provider, and judging it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from zgcompute.errors import ProviderError, SignatureNotFound, Transient
from zgcompute.pictures import ImageReply
from zgcompute.types import Service
from zgcompute.verification import (
    SignatureRecord,
    Verdict,
    can_be_verified,
    judge_images,
    judge_response,
)

FIRST_WAIT = 0.2  # seconds; the signature is stored a moment after the answer's last byte
LONGEST_WAIT = 3.0


class SignatureSource(Protocol):
    """Who can be asked for signatures: a Provider."""

    @property
    def service(self) -> Service: ...

    def signature(self, response_id: str, model: str = "") -> SignatureRecord: ...


def check_response(
    provider: SignatureSource,
    response_id: str,
    *,
    request_sha256: str,
    response_sha256: str,
    model: str = "",
    budget: float = 8.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Fetch the signature of an answer and judge it; see `judge_response` for the hashes.

    Asks again for at most `budget` seconds in all while there is no signature yet. Where none can
    be had the outcome is NOT_CHECKED, with `can_retry` set if a later attempt may succeed.
    """
    found = _find(provider, response_id, model, budget, sleep)
    return judge_response(
        provider.service,
        found.record,
        request_sha256=request_sha256,
        response_sha256=response_sha256,
        not_checked_reason=found.reason,
        can_retry=found.can_retry,
    )


def check_images(
    provider: SignatureSource,
    reply: ImageReply,
    *,
    model: str = "",
    budget: float = 8.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Fetch the signature of an answer of pictures and judge it, as `check_response` does."""
    found = _find(provider, reply.response_id, model, budget, sleep)
    return judge_images(
        provider.service,
        found.record,
        reply,
        not_checked_reason=found.reason,
        can_retry=found.can_retry,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """A signature, or why there is none."""

    record: SignatureRecord | None = None
    reason: str = ""
    can_retry: bool = False


def _find(
    provider: SignatureSource,
    response_id: str,
    model: str,
    budget: float,
    sleep: Callable[[float], None],
) -> _Found:
    if can_be_verified(provider.service) is not None:
        return _Found()
    try:
        return _Found(_fetch(provider, response_id, model, budget, sleep))
    except ProviderError as error:
        return _Found(reason=str(error), can_retry=isinstance(error, Transient))


def _fetch(
    provider: SignatureSource,
    response_id: str,
    model: str,
    budget: float,
    sleep: Callable[[float], None],
) -> SignatureRecord:
    if not response_id:
        raise ProviderError("The provider gave the answer no id, so no signature can be asked for.")
    began, wait, waited = time.monotonic(), FIRST_WAIT, 0.0
    while True:
        try:
            return provider.signature(response_id, model)
        except SignatureNotFound:
            spent = max(waited, time.monotonic() - began)  # slow refusals count too
            if spent + wait > budget:
                raise
        sleep(wait)
        waited, wait = waited + wait, min(2 * wait, LONGEST_WAIT)
