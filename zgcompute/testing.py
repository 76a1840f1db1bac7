"""Fakes of the outside world for tests of code built on this SDK; shipped and contract-tested.

chain = FakeChain()
chain.endow(alice, amounts.parse("10"))
chain.apply(chain.calls.deposit(amounts.parse("5")), alice)
assert chain.ledger(alice).available == amounts.parse("5")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zgcompute._fake_blocks import FEE, GAS_PRICE, GAS_USED, FakeBlocks
from zgcompute._fake_state import State
from zgcompute.addresses import checksum
from zgcompute.amounts import Neuron
from zgcompute.calls import Calls
from zgcompute.contract_errors import explain
from zgcompute.errors import (
    ChainError,
    RpcUnreachable,
    TransactionReverted,
    TransactionUncertain,
    WrongNetwork,
)
from zgcompute.networks import DEVNET, Network
from zgcompute.signers import Signer
from zgcompute.testing_providers import AsyncFakeProvider, FakeProvider, Fault, fake_service
from zgcompute.types import (
    Address,
    Block,
    Constants,
    Contracts,
    Event,
    Ledger,
    Receipt,
    Service,
    SubAccount,
    Transaction,
    UnsignedCall,
    WalletState,
)

__all__ = [
    "CONSTANTS",
    "FEE",
    "AsyncFakeProvider",
    "FakeChain",
    "FakeProvider",
    "Fault",
    "fake_service",
]

CONSTANTS = Constants(
    min_account_balance=Neuron(3 * 10**18),
    min_transfer_amount=Neuron(10**18),
    max_providers_per_batch=20,
    max_providers_per_user=50,
    lock_time=86_400,
)


class FakeChain:
    """A chain in memory that implements `chain.Chain`, with the contracts' rules.

    `down = True` makes every read and send raise RpcUnreachable, and ends waiting. Every
    transaction costs its sender FEE neuron. `calls` builds calls for this chain; `apply` and
    `submit` send them.
    """

    def __init__(self, network: Network = DEVNET, constants: Constants = CONSTANTS) -> None:
        self._network = network
        contracts = Contracts(
            ledger=network.ledger,
            inference=network.inference or checksum("0x" + "1f" * 20),
            service_name="inference-v1.0",
        )
        self._blocks = FakeBlocks(contracts, constants)
        self._approved: set[tuple[Address, bytes, bytes]] = set()
        self.calls = Calls(network.chain_id, contracts)
        self.down = False

    @property
    def network(self) -> Network:
        return self._network

    def contracts(self) -> Contracts:
        return self._reachable().contracts

    def constants(self) -> Constants:
        return self._reachable().constants

    def block(self, number: int | None = None) -> Block:
        mined = self._reachable().mined
        if number is None:
            return mined[-1].block
        if not 0 <= number < len(mined):
            raise ChainError(f"{self._network.name} has no block {number}.")
        return mined[number].block

    def blocks(self, numbers: Sequence[int]) -> dict[int, Block]:
        mined = self._reachable().mined
        return {number: mined[number].block for number in numbers if 0 <= number < len(mined)}

    def deployment_block(self) -> int:
        self._reachable()
        return 0

    def block_number(self) -> int:
        return self.block().number

    def balance(self, address: str) -> Neuron:
        return Neuron(self._state().wallets.get(checksum(address), 0))

    def services(self) -> tuple[Service, ...]:
        return tuple(self._state().services.values())

    def service(self, provider: str) -> Service:
        found = self._state().services.get(checksum(provider))
        if found is None:
            raise explain("ServiceNotExist", {"provider": checksum(provider)})
        return found

    def ledger(self, user: str) -> Ledger:
        found = self._state().ledgers.get(checksum(user))
        if found is None:
            raise explain("LedgerNotExists", {"user": checksum(user)})
        return found

    def sub_account(self, user: str, provider: str) -> SubAccount:
        pair = checksum(user), checksum(provider)
        found = self._state().sub_accounts.get(pair)
        if found is None:
            raise explain("AccountNotExists", {"user": pair[0], "provider": pair[1]})
        return found

    def sub_accounts(self, user: str) -> tuple[SubAccount, ...]:
        found = self._state().sub_accounts.values()
        return tuple(account for account in found if account.user == checksum(user))

    def wallets(self, users: Sequence[str]) -> dict[Address, WalletState]:
        return {
            user: WalletState(
                user=user,
                balance=self.balance(user),
                ledger=self._state().ledgers.get(user),
                sub_accounts=self.sub_accounts(user),
                block_number=self.block_number(),
                block_hash=self.block().hash,
            )
            for user in map(checksum, users)
        }

    def transaction(self, transaction_hash: str) -> Transaction | None:
        return self._reachable().find(transaction_hash)

    def transactions(self, hashes: Sequence[str]) -> dict[str, Transaction | None]:
        return {text: self.transaction(text) for text in hashes}

    def receipt(self, transaction_hash: str) -> Receipt | None:
        return self._reachable().receipt(transaction_hash)

    def receipts(self, hashes: Sequence[str]) -> dict[str, Receipt | None]:
        return {text: self.receipt(text) for text in hashes}

    def transaction_count(self, address: str) -> int:
        return self._state().nonces.get(checksum(address), 0)

    def events(self, from_block: int, to_block: int) -> tuple[Event, ...]:
        mined = self._reachable().mined
        if from_block <= to_block > self.block_number():
            raise RpcUnreachable(f"{self._network.name} has not reached block {to_block}.")
        blocks = [one for one in mined if from_block <= one.block.number <= to_block]
        return tuple(event for one in blocks for event in one.events)

    def simulate(self, call: UnsignedCall, sender: str) -> None:
        self._try(call, sender, fee=0)

    def estimate_fee(self, call: UnsignedCall, sender: str, *, gas_price: int | None = None) -> int:
        self._try(call, sender, fee=FEE)
        return (FEE if gas_price is None else GAS_USED * gas_price) * 5 // 4

    def gas_price(self) -> int:
        self._reachable()
        return GAS_PRICE

    def next_nonce(self, address: str) -> int:
        return self._reachable().next_nonce(checksum(address))

    def revert_reason(self, transaction_hash: str) -> TransactionReverted | None:
        receipt = self.receipt(transaction_hash)
        if receipt is None:
            return None
        return self._blocks.mined[receipt.block_number].failures.get(receipt.hash)

    def is_valid_signature(self, address: str, digest: bytes, signature: bytes) -> bool:
        self._reachable()
        return (checksum(address), digest, signature) in self._approved

    def send(
        self,
        call: UnsignedCall,
        signer: Signer,
        *,
        gas_price: int | None = None,
        nonce: int | None = None,
    ) -> str:
        self.estimate_fee(call, signer.address)
        transaction_hash = self.submit(call, signer.address, nonce=nonce)
        self.mine()
        return transaction_hash

    def wait(self, transaction_hash: str, timeout: float = 120.0) -> Receipt:
        receipt = None if self.down else self.receipt(transaction_hash)
        if receipt is None:
            raise TransactionUncertain(
                "The transaction was not seen in a block.",
                advice=f"The transaction {transaction_hash} was sent and may still be mined: look "
                "it up before you send it again.",
                transaction_hash=transaction_hash,
            )
        reason = self.revert_reason(transaction_hash)
        if reason is not None:
            raise reason
        return receipt

    def apply(self, call: UnsignedCall, sender: str) -> str:
        """Check `call`, mine it at once and return its hash; raises what would revert."""
        self.estimate_fee(call, sender)
        transaction_hash = self.submit(call, sender)
        self.mine()
        return transaction_hash

    def submit(self, call: UnsignedCall, sender: str, *, nonce: int | None = None) -> str:
        """Let `call` wait for `mine`, unchecked: it may revert there; return its hash.

        With the `nonce` of a waiting transaction of `sender` it takes that one's place.
        """
        return self._reachable().enter(call, checksum(sender), nonce)

    def drop(self, transaction_hash: str) -> None:
        """Forget a waiting transaction, as nodes do."""
        waiting = self._blocks.waiting
        waiting[:] = [e for e in waiting if e.transaction.hash != transaction_hash]

    def mine(self, blocks: int = 1) -> None:
        """Add `blocks` blocks, one second each; the first takes all that waits."""
        for _ in range(blocks):
            self._blocks.mine()

    def advance(self, seconds: int) -> None:
        """Let time pass, and mine a block at its end."""
        self._blocks.clock += seconds
        self.mine()

    def reorganise(self, depth: int) -> None:
        """Take the last `depth` blocks back; their transactions wait again (`mine`, `drop`)."""
        self._blocks.reorganise(depth)

    def endow(self, address: str, amount: int) -> None:
        """Give the wallet `address` another `amount` neuron, as if it had always had them."""
        for mined in self._blocks.mined:
            wallets = mined.state.wallets
            wallets[checksum(address)] = wallets.get(checksum(address), 0) + amount

    def register(self, service: Service) -> Service:
        """Put `service` on chain exactly as it is, but for its time; return what is there now."""
        service = replace(service, updated_at=self._blocks.clock + 1)
        arguments = {
            "service": service.provider,
            "serviceType": service.service_type,
            "url": service.url,
            "inputPrice": service.input_price,
            "outputPrice": service.output_price,
            "updatedAt": service.updated_at,
            "model": service.model,
            "verifiability": service.verifiability,
        }
        inference = self._blocks.contracts.inference
        self._blocks.put_service(service, (inference, "ServiceUpdated", arguments))
        return service

    def withdraw_service(self, provider: str) -> None:
        """Take the provider's service off the chain."""
        address = checksum(provider)
        inference = self._blocks.contracts.inference
        self._blocks.remove_service(address, (inference, "ServiceRemoved", {"service": address}))

    def settle(self, user: str, provider: str, amount: int) -> int:
        """Let `provider` settle a fee of `user`; return the item's status (0 is success)."""
        return self.settle_batch(provider, {checksum(user): amount})[checksum(user)]

    def settle_batch(self, provider: str, fees: Mapping[Address, int]) -> dict[Address, int]:
        """Let `provider` settle fees of several users in one transaction; return the statuses."""
        transaction_hash = self._blocks.enter_settlement(checksum(provider), fees)
        events = self._blocks.mine().events
        return {
            event.arguments["user"]: event.arguments["status"]
            for event in events
            if event.name == "TEESettlementResult" and event.transaction_hash == transaction_hash
        }

    def approve(self, address: str, digest: bytes, signature: bytes) -> None:
        """Let the contract wallet `address` call this signature valid (EIP-1271)."""
        self._approved.add((checksum(address), digest, signature))

    def _reachable(self) -> FakeBlocks:
        if self.down:
            raise RpcUnreachable(f"No RPC node of {self._network.name} answers.")
        return self._blocks

    def _state(self) -> State:
        return self._reachable().latest.state

    def _try(self, call: UnsignedCall, sender: str, *, fee: int) -> None:
        if call.chain_id != self._network.chain_id:
            raise WrongNetwork(f"The call is for chain {call.chain_id}.")
        self._reachable().execute(self._state().copy(), call, checksum(sender), fee=fee)
