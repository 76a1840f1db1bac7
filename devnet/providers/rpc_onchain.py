"""The chain over JSON-RPC as a provider uses it: read by the SDK, settled by the node's key."""

from __future__ import annotations

from collections.abc import Sequence

from devnet.node import Node, NodeRefused, NodeUnreachable
from devnet.providers.onchain import SettlementItem, SettlementResult, SettlementStatus
from zgcompute._chain import RpcChain
from zgcompute.errors import RpcRefused, RpcUnreachable, ServiceMissing, SubAccountMissing
from zgcompute.types import Address, Service, SubAccount

_SETTLE = "settleFeesWithTEE((address,address,uint256,bytes32,uint256,bytes)[])"
_GAS_BASE, _GAS_PER_ITEM = 150_000, 250_000  # devnet only: its blocks have room for 50 items


class RpcOnChain:
    """Implements `OnChain` for one provider, whose wallet the devnet's node holds unlocked."""

    def __init__(self, chain: RpcChain, node: Node, provider: Address) -> None:
        self._chain = chain
        self._node = node
        self._provider = provider

    @property
    def chain_id(self) -> int:
        return self._chain.network.chain_id

    @property
    def inference(self) -> Address:
        return self._chain.contracts().inference

    def account(self, user: Address) -> SubAccount | None:
        try:
            return self._chain.sub_account(user, self._provider)
        except SubAccountMissing:
            return None

    def service(self) -> Service | None:
        try:
            return self._chain.service(self._provider)
        except ServiceMissing:
            return None

    def send_settlement(self, items: Sequence[SettlementItem]) -> str:
        transaction = {
            "from": self._provider,
            "to": self.inference,
            "data": _calldata(items),
            "gas": hex(_GAS_BASE + _GAS_PER_ITEM * len(items)),
        }
        try:
            return str(self._node.call("eth_sendTransaction", transaction))
        except NodeUnreachable as error:
            raise RpcUnreachable(str(error)) from error
        except NodeRefused as error:
            raise RpcRefused(str(error)) from error

    def settlement_results(self, transaction_hash: str) -> tuple[SettlementResult, ...] | None:
        receipt = self._chain.receipt(transaction_hash)
        if receipt is None:
            return None
        events = self._chain.events(receipt.block_number, receipt.block_number)
        return tuple(
            SettlementResult(
                user=event.arguments["user"],
                status=SettlementStatus(event.arguments["status"]),
                unsettled=event.arguments["unsettledAmount"],
            )
            for event in events
            if event.transaction_hash == transaction_hash and event.name == "TEESettlementResult"
        )


def _calldata(items: Sequence[SettlementItem]) -> str:
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

    rows = [
        (item.user, item.provider, item.total_fee, item.requests_hash, item.nonce, item.signature)
        for item in items
    ]
    encoded = encode(["(address,address,uint256,bytes32,uint256,bytes)[]"], [rows])
    return "0x" + (keccak(text=_SETTLE)[:4] + encoded).hex()
