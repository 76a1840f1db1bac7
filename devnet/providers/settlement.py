"""Taking fees on chain in batches signed by the TEE key (PROTOCOL §5.4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from devnet.providers.billing import UnsettledRequest
from devnet.providers.onchain import SettlementItem, SettlementResult, SettlementStatus
from devnet.providers.provider import Provider
from devnet.providers.signatures import TeeKey
from zgcompute.errors import Error
from zgcompute.types import Address

BATCH = 50
RETRY_PARTIAL = 3600.0  # seconds until what a drained account still owes is tried again
NONCES_PER_SECOND = 10**7
MINED_WITHIN = 30.0  # seconds; later batches wait until the fate of this one is known

_TYPES = {
    "TEESettlement": [
        {"name": "requestsHash", "type": "bytes32"},
        {"name": "nonce", "type": "uint256"},
        {"name": "provider", "type": "address"},
        {"name": "user", "type": "address"},
        {"name": "totalFee", "type": "uint256"},
    ]
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """What one settlement did for one user; amounts in neuron."""

    user: Address
    fee: int
    status: SettlementStatus
    unsettled: int
    transaction_hash: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A sent transaction and the requests it pays for."""

    transaction_hash: str
    requests: dict[Address, tuple[UnsettledRequest, ...]]


class Settler:
    """Settles the fees of one provider, one batch at a time."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._lock = asyncio.Lock()
        self._last_nonce = 0
        self._sent: Batch | None = None

    async def run(self, every: float) -> None:
        """Settle every `every` seconds until cancelled; an unreachable chain is tried again."""
        while True:
            await asyncio.sleep(every)
            try:
                for done in await self.settle():
                    log.info(
                        "%s settled %d neuron of %s: %s",
                        self._provider.profile.name,
                        done.fee - done.unsettled,
                        done.user,
                        done.status.name,
                    )
            except Error as error:
                log.warning("%s could not settle: %s", self._provider.profile.name, error)

    async def settle(self) -> list[Settled]:
        """Settle everything that is due now; raises zgcompute.Error if the chain is away."""
        async with self._lock:
            results = await self._finish_sent()
            for users in _batches(self._due()):
                if self._sent is not None:
                    break
                await self._send(users)
                results += await self._finish_sent()
            return results

    def _due(self) -> dict[Address, tuple[UnsettledRequest, ...]]:
        by_user = self._provider.book.by_user(self._provider.clock())
        least = self._provider.options.settle_minimum
        return {user: due for user, due in by_user.items() if total(due) >= least}

    async def _send(self, users: dict[Address, tuple[UnsettledRequest, ...]]) -> None:
        items = await asyncio.to_thread(self._items, users)
        sent = await asyncio.to_thread(self._provider.chain.chain.send_settlement, items)
        self._sent = Batch(sent, users)

    async def _finish_sent(self) -> list[Settled]:
        """Wait for the batch that was sent last and book what it did."""
        batch = self._sent
        if batch is None:
            return []
        results = await self._results(batch.transaction_hash)
        if results is None:
            return []
        self._sent = None
        return [self._book(batch, result) for result in results if result.user in batch.requests]

    async def _results(self, sent: str) -> tuple[SettlementResult, ...] | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + MINED_WITHIN
        while loop.time() < deadline:
            found = await asyncio.to_thread(self._provider.chain.chain.settlement_results, sent)
            if found is not None:
                return found
            await asyncio.sleep(0.1)
        return None

    def _book(self, batch: Batch, result: SettlementResult) -> Settled:
        requests = batch.requests[result.user]
        if result.status in (SettlementStatus.SUCCESS, SettlementStatus.PARTIAL):
            self._provider.book.settle(
                requests,
                owed=result.unsettled if result.status is SettlementStatus.PARTIAL else 0,
                retry_at=self._provider.clock() + RETRY_PARTIAL,
            )
        return Settled(
            user=result.user,
            fee=total(requests),
            status=result.status,
            unsettled=result.unsettled,
            transaction_hash=batch.transaction_hash,
        )

    def _items(
        self, users: dict[Address, tuple[UnsettledRequest, ...]]
    ) -> tuple[SettlementItem, ...]:
        chain = self._provider.chain.chain
        nonce = max(int(self._provider.clock() * NONCES_PER_SECOND), self._last_nonce + 1)
        self._last_nonce = nonce
        return tuple(
            signed(
                SettlementItem(
                    user=user,
                    provider=self._provider.address,
                    total_fee=total(requests),
                    requests_hash=requests_hash(requests),
                    nonce=nonce,
                ),
                key=self._provider.profile.tee_key,
                chain_id=chain.chain_id,
                inference=chain.inference,
            )
            for user, requests in users.items()
        )


def total(requests: Sequence[UnsettledRequest]) -> int:
    """The neuron that `requests` cost together."""
    return sum(request.fee for request in requests)


def requests_hash(requests: Sequence[UnsettledRequest]) -> bytes:
    """keccak256 over the text of every request's hash, user and fees, one after the other."""
    from eth_utils.crypto import keccak

    text = "".join(
        f"{request.request_hash}{request.user}{request.fee}{request.input_fee}{request.output_fee}"
        for request in requests
    )
    return bytes(keccak(text=text))


def signed(
    item: SettlementItem, *, key: TeeKey, chain_id: int, inference: Address
) -> SettlementItem:
    """Return `item` with the TEE key's EIP-712 signature."""
    from eth_account import Account

    domain = {
        "name": "0G Inference Serving",
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": inference,
    }
    message = {
        "requestsHash": item.requests_hash,
        "nonce": item.nonce,
        "provider": item.provider,
        "user": item.user,
        "totalFee": item.total_fee,
    }
    signature = Account.sign_typed_data(key.private_key, domain, _TYPES, message).signature
    return replace(item, signature=bytes(signature))


def _batches(
    due: dict[Address, tuple[UnsettledRequest, ...]],
) -> Iterator[dict[Address, tuple[UnsettledRequest, ...]]]:
    users = list(due.items())
    for start in range(0, len(users), BATCH):
        yield dict(users[start : start + BATCH])
