"""What the SDK asks of a chain. `RpcChain` asks real nodes, `FakeChain` plays one in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from zgcompute.amounts import Neuron
from zgcompute.errors import TransactionReverted
from zgcompute.networks import Network
from zgcompute.signers import Signer
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


@runtime_checkable
class Chain(Protocol):
    """One network's chain with its two compute contracts.

    All amounts are neuron. Every method may raise RpcUnreachable (nobody answered), WrongNetwork
    (the nodes serve another chain) and ChainError (the contracts are not where they should be);
    what is missing on chain has an error of its own, named at the method.
    """

    @property
    def network(self) -> Network:
        """The network that this chain belongs to."""

    def contracts(self) -> Contracts:
        """Where the contracts are, and the serving contract's registered name; read once."""

    def constants(self) -> Constants:
        """The contracts' minimums, limits and lock time."""

    def block(self, number: int | None = None) -> Block:
        """A block's header; the latest for None. Raises ChainError if there is none."""

    def blocks(self, numbers: Sequence[int]) -> dict[int, Block]:
        """Many headers at once, by number; a block that is not there is left out."""

    def block_number(self) -> int:
        """The number of the latest block."""

    def balance(self, address: str) -> Neuron:
        """The neuron that the wallet `address` holds itself."""

    def services(self) -> tuple[Service, ...]:
        """All registered services, also those not acknowledged (getAllServices)."""

    def service(self, provider: str) -> Service:
        """The service of `provider` (getService); raises ServiceMissing."""

    def ledger(self, user: str) -> Ledger:
        """The ledger of `user` (getLedger); raises LedgerMissing."""

    def sub_account(self, user: str, provider: str) -> SubAccount:
        """What `user` has locked with `provider` (getAccount); raises SubAccountMissing."""

    def sub_accounts(self, user: str) -> tuple[SubAccount, ...]:
        """All sub-accounts of `user` (getAccountsByUser), one call per 50."""

    def wallets(self, users: Sequence[str]) -> dict[Address, WalletState]:
        """Balance, ledger and sub-accounts of many users, all at one block height."""

    def transaction(self, transaction_hash: str) -> Transaction | None:
        """The transaction, waiting or mined; None where the chain does not know it."""

    def transactions(self, hashes: Sequence[str]) -> dict[str, Transaction | None]:
        """Many transactions at once, by hash as given."""

    def receipt(self, transaction_hash: str) -> Receipt | None:
        """How the transaction ended; None while it is not mined."""

    def receipts(self, hashes: Sequence[str]) -> dict[str, Receipt | None]:
        """Many receipts at once, by hash as given."""

    def transaction_count(self, address: str) -> int:
        """How many transactions of `address` are mined: its next nonce."""

    def events(self, from_block: int, to_block: int) -> tuple[Event, ...]:
        """All known events of both contracts in that range (inclusive), in log order.

        Raises RpcUnreachable where `to_block` is not there yet.
        """

    def deployment_block(self) -> int:
        """The block that brought the ledger contract: nothing before it concerns us.

        Raises ChainError where no node remembers that far back.
        """

    def simulate(self, call: UnsignedCall, sender: str) -> None:
        """Try `call` without sending it; raises TransactionReverted with the decoded reason."""

    def estimate_fee(self, call: UnsignedCall, sender: str, *, gas_price: int | None = None) -> int:
        """The network fee of `call` in neuron, with a margin; raises TransactionReverted.

        At `gas_price` neuron for a unit of gas, or at the node's price.
        """

    def gas_price(self) -> int:
        """The node's price of a unit of gas now, in neuron."""

    def next_nonce(self, address: str) -> int:
        """The nonce of the next transaction of `address`, after those that wait."""

    def revert_reason(self, transaction_hash: str) -> TransactionReverted | None:
        """Why a mined transaction failed; None if it did not fail or is not mined."""

    def is_valid_signature(self, address: str, digest: bytes, signature: bytes) -> bool:
        """Ask the contract wallet at `address` (EIP-1271); False where there is none."""

    def send(
        self,
        call: UnsignedCall,
        signer: Signer,
        *,
        gas_price: int | None = None,
        nonce: int | None = None,
    ) -> str:
        """Try, sign and send `call`; returns the transaction hash. One send at a time.

        Raises TransactionReverted for what would fail, TransactionUncertain where the reply of the
        node was lost. It is never sent a second time.

        With the `nonce` of a waiting transaction it takes that one's place: nodes want a
        `gas_price` (neuron for a unit of gas) at least a tenth higher for it.
        """

    def wait(self, transaction_hash: str, timeout: float = 120.0) -> Receipt:
        """Wait until the transaction is mined, through outages too.

        Raises TransactionReverted with the reason if it failed, TransactionUncertain after
        `timeout` seconds.
        """
