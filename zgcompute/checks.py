"""Fetching what verification needs from a provider, and judging it; also in an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
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
BUDGET = 8.0  # seconds that a missing signature is asked for


class SignatureSource(Protocol):
    """Who can be asked for signatures: a Provider."""

    @property
    def service(self) -> Service: ...

    def signature(self, response_id: str, model: str = "") -> SignatureRecord: ...


class AsyncSignatureSource(Protocol):
    """Who can be asked for signatures in an event loop: an AsyncProvider."""

    @property
    def service(self) -> Service: ...

    async def signature(self, response_id: str, model: str = "") -> SignatureRecord: ...


def check_response(
    provider: SignatureSource,
    response_id: str,
    *,
    request_sha256: str,
    response_sha256: str,
    model: str = "",
    budget: float = BUDGET,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Fetch the signature of an answer and judge it; see `judge_response` for the hashes.

    Asks again for at most `budget` seconds in all while there is no signature yet. Where none can
    be had the outcome is NOT_CHECKED, with `can_retry` set if a later attempt may succeed.
    """
    found = _find(provider, response_id, model, budget, sleep)
    return _judged(provider.service, found, request_sha256, response_sha256)


async def async_check_response(
    provider: AsyncSignatureSource,
    response_id: str,
    *,
    request_sha256: str,
    response_sha256: str,
    model: str = "",
    budget: float = BUDGET,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Verdict:
    """As `check_response`, in an event loop."""
    found = await _async_find(provider, response_id, model, budget, sleep)
    return _judged(provider.service, found, request_sha256, response_sha256)


def check_images(
    provider: SignatureSource,
    reply: ImageReply,
    *,
    model: str = "",
    budget: float = BUDGET,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Fetch the signature of an answer of pictures and judge it, as `check_response` does."""
    found = _find(provider, reply.response_id, model, budget, sleep)
    return _judged_images(provider.service, found, reply)


async def async_check_images(
    provider: AsyncSignatureSource,
    reply: ImageReply,
    *,
    model: str = "",
    budget: float = BUDGET,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Verdict:
    """As `check_images`, in an event loop."""
    found = await _async_find(provider, reply.response_id, model, budget, sleep)
    return _judged_images(provider.service, found, reply)


@dataclass(frozen=True, slots=True)
class _Found:
    """A signature, or why there is none."""

    record: SignatureRecord | None = None
    reason: str = ""
    can_retry: bool = False


# Yields None to ask for the signature, and is sent it or the provider's error; yields seconds to
# wait before it asks again.
_Search = Generator[float | None, SignatureRecord | ProviderError | None, _Found]


def _search(service: Service, response_id: str, budget: float) -> _Search:
    """When to ask for a signature, and when to stop asking."""
    if can_be_verified(service) is not None:
        return _Found()
    if not response_id:
        reason = "The provider gave the answer no id, so no signature can be asked for."
        return _Found(reason=reason)
    began, wait, waited = time.monotonic(), FIRST_WAIT, 0.0
    while True:
        answer = yield None
        if isinstance(answer, SignatureRecord):
            return _Found(answer)
        spent = max(waited, time.monotonic() - began)  # slow refusals count too
        if not isinstance(answer, SignatureNotFound) or spent + wait > budget:
            return _Found(reason=str(answer), can_retry=isinstance(answer, Transient))
        yield wait
        waited, wait = waited + wait, min(2 * wait, LONGEST_WAIT)


def _find(
    provider: SignatureSource,
    response_id: str,
    model: str,
    budget: float,
    sleep: Callable[[float], None],
) -> _Found:
    search = _search(provider.service, response_id, budget)
    answer: SignatureRecord | ProviderError | None = None
    try:
        while True:
            wait = search.send(answer)
            if wait is not None:
                sleep(wait)
                answer = None
                continue
            try:
                answer = provider.signature(response_id, model)
            except ProviderError as error:
                answer = error
    except StopIteration as done:
        found: _Found = done.value
        return found


async def _async_find(
    provider: AsyncSignatureSource,
    response_id: str,
    model: str,
    budget: float,
    sleep: Callable[[float], Awaitable[None]],
) -> _Found:
    search = _search(provider.service, response_id, budget)
    answer: SignatureRecord | ProviderError | None = None
    try:
        while True:
            wait = search.send(answer)
            if wait is not None:
                await sleep(wait)
                answer = None
                continue
            try:
                answer = await provider.signature(response_id, model)
            except ProviderError as error:
                answer = error
    except StopIteration as done:
        found: _Found = done.value
        return found


def _judged(service: Service, found: _Found, request_sha256: str, response_sha256: str) -> Verdict:
    return judge_response(
        service,
        found.record,
        request_sha256=request_sha256,
        response_sha256=response_sha256,
        not_checked_reason=found.reason,
        can_retry=found.can_retry,
    )


def _judged_images(service: Service, found: _Found, reply: ImageReply) -> Verdict:
    return judge_images(
        service,
        found.record,
        reply,
        not_checked_reason=found.reason,
        can_retry=found.can_retry,
    )
