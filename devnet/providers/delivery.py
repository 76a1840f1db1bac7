"""Getting an answer out (with the fault that is on), then its fee, then its signature.

The order is the broker's: bytes first, fee accounting second, the signature last (PROTOCOL §4.2).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from devnet.faults import Fault
from devnet.providers.admission import Admission
from devnet.providers.fees import Fee
from devnet.providers.profiles import stranger_key
from devnet.providers.provider import Provider
from devnet.providers.signatures import KEPT_FOR, sha256, signed_record
from devnet.providers.wire import Headers, Outlet
from zgcompute.types import Address

LATE_SIGNATURE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Finished:
    """What is left to do for an answer whose bytes are out."""

    user: Address
    response_id: str
    signed_text: str
    request_body: bytes
    fee: Fee
    fault: Fault | None
    kept_for: float = KEPT_FOR


async def send_whole(
    provider: Provider,
    admission: Admission,
    outlet: Outlet,
    body: bytes,
    headers: Headers = (),
) -> None:
    """Send a reply that is not a stream."""
    if admission.fault is Fault.BAD_CHUNK:
        body = body[: len(body) // 2]
    if admission.fault is Fault.EMPTY_BODY:
        body = b""
    if admission.fault is Fault.HUGE_ANSWER:
        body = body + b" " * (provider.options.huge_megabytes * 1024 * 1024)
    half = len(body) // 2
    length = ("content-length", str(len(body)))
    await outlet.open(200, (*admission.headers, *headers, length))
    if admission.fault is Fault.EARLY_DISCONNECT:
        return
    if admission.fault is Fault.SLOW_START:
        await asyncio.sleep(provider.options.slow_seconds)
    await outlet.write(body[:half])
    if admission.fault is Fault.STALL:
        await stall(provider)
    if admission.fault is not Fault.DISCONNECT:
        await outlet.finish(body[half:])


async def stall(provider: Provider) -> None:
    """Say nothing until somebody turns the fault switch, or for `stall_seconds`."""
    turns = provider.faults.turns
    deadline = asyncio.get_running_loop().time() + provider.options.stall_seconds
    while provider.faults.turns == turns:
        if asyncio.get_running_loop().time() >= deadline:
            return
        await asyncio.sleep(0.05)


async def settle_up(provider: Provider, done: Finished) -> None:
    """Book the fee and store the signature of a delivered answer."""
    await asyncio.sleep(provider.options.signature_delay)
    request_hash = sha256(done.request_body)
    provider.book.add(done.user, request_hash, done.fee, at=provider.clock())
    if done.fault is Fault.LATE_SIGNATURE:
        await asyncio.sleep(LATE_SIGNATURE_SECONDS)
    if done.fault is Fault.NO_SIGNATURE:
        return
    key = provider.profile.answer_key
    is_forged = done.fault is Fault.WRONG_SIGNER
    record = await asyncio.to_thread(
        signed_record,
        done.signed_text,
        stranger_key() if is_forged else key,
        claimed=key.address,
    )
    provider.signatures.store(done.response_id, record, kept_for=done.kept_for)
