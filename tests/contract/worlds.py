"""Two chains with the compute contracts on them: one played in memory, one on a real node."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from eth_account import Account

from devnet import accounts
from devnet.node import Node
from zgcompute._chain import RpcChain
from zgcompute._codec import inference_interface
from zgcompute.calls import Calls
from zgcompute.chain import Chain
from zgcompute.networks import DEVNET
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain, fake_service
from zgcompute.types import Address, Service, UnsignedCall

ZG = 10**18
TEE = LocalSigner("7e" * 32)
_numbers = itertools.count(1)


class World(Protocol):
    """A chain, and what tests must be able to do to it."""

    @property
    def chain(self) -> Chain: ...

    def person(self, endowment: int = 1000 * ZG) -> LocalSigner:
        """A wallet that nothing else uses."""

    def service(self, provider: Address, *, acknowledged: bool = True) -> Service:
        """Register a service of `provider`."""

    def remove_service(self, provider: Address) -> None: ...

    def settle(self, user: Address, provider: Address, fee: int) -> None: ...

    def later(self, seconds: int) -> None: ...

    def mine_reverting(self, call: UnsignedCall, sender: LocalSigner) -> str:
        """Get a transaction mined although it reverts."""


class FakeWorld:
    def __init__(self) -> None:
        self.chain = FakeChain()

    def person(self, endowment: int = 1000 * ZG) -> LocalSigner:
        signer = _fresh_signer()
        self.chain.endow(signer.address, endowment)
        return signer

    def service(self, provider: Address, *, acknowledged: bool = True) -> Service:
        return self.chain.register(_service(provider, acknowledged))

    def remove_service(self, provider: Address) -> None:
        self.chain.withdraw_service(provider)

    def settle(self, user: Address, provider: Address, fee: int) -> None:
        self.chain.settle(user, provider, fee)

    def later(self, seconds: int) -> None:
        self.chain.advance(seconds)

    def mine_reverting(self, call: UnsignedCall, sender: LocalSigner) -> str:
        transaction_hash = self.chain.submit(call, sender.address)
        self.chain.mine()
        return transaction_hash


class AnvilWorld:
    def __init__(self, rpc_url: str) -> None:
        self.node = Node(rpc_url)
        self.chain = RpcChain(replace(DEVNET, rpc_urls=(rpc_url,)))
        self.inference = self.chain.contracts().inference
        self._nonces = itertools.count(1)

    def person(self, endowment: int = 1000 * ZG) -> LocalSigner:
        signer = _fresh_signer()
        self.node.call("anvil_setBalance", signer.address, hex(endowment))
        self.node.call("anvil_impersonateAccount", signer.address)
        return signer

    def service(self, provider: Address, *, acknowledged: bool = True) -> Service:
        service = _service(provider, acknowledged)
        parameters = (
            service.service_type,
            service.url,
            service.model,
            service.verifiability,
            service.input_price,
            service.output_price,
            service.additional_info,
            service.tee_signer,
        )
        self._send(provider, "addOrUpdateService", parameters, value=100 * ZG)
        if acknowledged:
            owner = accounts.account(accounts.DEPLOYER).address
            self._send(owner, "acknowledgeTEESignerByOwner", provider)
        return replace(service, updated_at=self.chain.service(provider).updated_at)

    def remove_service(self, provider: Address) -> None:
        self._send(provider, "removeService")

    def settle(self, user: Address, provider: Address, fee: int) -> None:
        nonce = next(self._nonces)
        item = (user, provider, fee, b"\0" * 32, nonce, self._signed(user, provider, fee, nonce))
        self._send(provider, "settleFeesWithTEE", [item])

    def later(self, seconds: int) -> None:
        self.node.call("evm_increaseTime", seconds)
        self.node.call("evm_mine")

    def mine_reverting(self, call: UnsignedCall, sender: LocalSigner) -> str:
        request = {"from": sender.address, "to": call.to, "data": call.data}
        request |= {"value": hex(call.value), "gas": hex(1_000_000)}
        transaction_hash: str = self.node.call("eth_sendTransaction", request)
        while self.node.call("eth_getTransactionReceipt", transaction_hash) is None:
            pass
        return transaction_hash

    def _send(self, sender: Address, function: str, *arguments: Any, value: int = 0) -> None:
        calldata = inference_interface().encode(function, *arguments)
        self.node.send(sender, self.inference, calldata, value)

    def _signed(self, user: Address, provider: Address, fee: int, nonce: int) -> bytes:
        signed = Account.sign_typed_data(
            "0x" + "7e" * 32,
            domain_data={
                "name": "0G Inference Serving",
                "version": "1",
                "chainId": DEVNET.chain_id,
                "verifyingContract": self.inference,
            },
            message_types={
                "TEESettlement": [
                    {"name": "requestsHash", "type": "bytes32"},
                    {"name": "nonce", "type": "uint256"},
                    {"name": "provider", "type": "address"},
                    {"name": "user", "type": "address"},
                    {"name": "totalFee", "type": "uint256"},
                ]
            },
            message_data={
                "requestsHash": b"\0" * 32,
                "nonce": nonce,
                "provider": provider,
                "user": user,
                "totalFee": fee,
            },
        )
        return bytes(signed.signature)


def calls_of(world: World) -> Calls:
    return Calls(world.chain.network.chain_id, world.chain.contracts())


@contextmanager
def anvil_world() -> Iterator[AnvilWorld]:
    """A node of its own on a free port, with fresh contracts."""
    import socket

    from devnet.anvil import Anvil
    from devnet.deploy import deploy

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Anvil(port=port) as anvil:
        deploy(anvil.rpc_url)
        yield AnvilWorld(anvil.rpc_url)


def _fresh_signer() -> LocalSigner:
    return LocalSigner(f"{next(_numbers) + (1 << 200):064x}")


def _service(provider: Address, acknowledged: bool) -> Service:
    return fake_service(
        provider=provider, tee_signer=TEE.address, tee_signer_acknowledged=acknowledged
    )
