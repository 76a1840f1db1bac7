"""What a provider needs from the chain, and the cached way in which the broker looks at it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from zgcompute.types import Address, Service, SubAccount


class SettlementStatus(IntEnum):
    """InferenceServing's verdict on one settlement item."""

    SUCCESS = 0
    PARTIAL = 1
    PROVIDER_MISMATCH = 2
    NO_TEE_SIGNER = 3
    INVALID_NONCE = 4
    INVALID_SIGNATURE = 5


@dataclass(frozen=True, slots=True)
class SettlementItem:
    """One user's fees in neuron, as InferenceServing.settleFeesWithTEE takes them."""

    user: Address
    provider: Address
    total_fee: int
    requests_hash: bytes
    nonce: int
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class SettlementResult:
    """The event TEESettlementResult; `unsettled` neuron are still owed."""

    user: Address
    status: SettlementStatus
    unsettled: int


class OnChain(Protocol):
    """The chain as one provider uses it. Blocking: called in a thread. Raises zgcompute.Error."""

    @property
    def chain_id(self) -> int: ...

    @property
    def inference(self) -> Address:
        """The serving contract."""

    def account(self, user: Address) -> SubAccount | None:
        """The user's sub-account with this provider, or None where there is none."""

    def service(self) -> Service | None:
        """This provider's registered service, or None."""

    def send_settlement(self, items: Sequence[SettlementItem]) -> str:
        """Send settleFeesWithTEE; returns the transaction's hash."""

    def settlement_results(self, transaction_hash: str) -> tuple[SettlementResult, ...] | None:
        """What the mined transaction did for each item; None while it is not mined."""


class CachedChain:
    """The broker's view: accounts and its own service are remembered for `age` seconds.

    The real broker's age is up to ten minutes, which is why a revocation or an acknowledgement
    takes that long to bite.
    """

    def __init__(
        self, chain: OnChain, *, age: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.chain = chain
        self.age = age
        self._clock = clock
        self._accounts: dict[Address, tuple[float, SubAccount | None]] = {}
        self._service: tuple[float, Service | None] | None = None

    async def account(self, user: Address, *, fresh: bool = False) -> SubAccount | None:
        """The user's sub-account, or None where the chain has none; `fresh` re-reads it."""
        known = self._accounts.get(user)
        if known is not None and not fresh and self._clock() - known[0] < self.age:
            return known[1]
        account = await asyncio.to_thread(self.chain.account, user)
        self._accounts[user] = (self._clock(), account)
        return account

    async def service(self) -> Service | None:
        """The provider's own registered service, or None where it is not registered."""
        if self._service is None or self._clock() - self._service[0] >= self.age:
            self._service = (self._clock(), await asyncio.to_thread(self.chain.service))
        return self._service[1]

    def forget(self) -> None:
        """Drop everything remembered."""
        self._accounts.clear()
        self._service = None
