"""The values that cross the SDK's borders: frozen mirrors of contract structs and chain facts.

Amounts are neuron (`amounts.Neuron`, an int), times are Unix seconds unless a name ends in `_ms`,
addresses are EIP-55 checksummed text. Everything that came from the chain is as hostile as
its author.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NewType

from zgcompute.additional_info import AdditionalInfo
from zgcompute.amounts import HoldsMoney, Neuron

Address = NewType("Address", str)

ZERO_ADDRESS = Address("0x" + "0" * 40)
EPHEMERAL_TOKEN_ID = 255  # PROTOCOL: ids 0..254 are persistent API keys


@dataclass(frozen=True)
class Service(HoldsMoney):
    """One provider's registered service (contract struct `Service`)."""

    provider: Address
    service_type: str
    url: str
    input_price: Neuron
    output_price: Neuron
    updated_at: int
    model: str
    verifiability: str
    additional_info: str
    tee_signer: Address
    tee_signer_acknowledged: bool

    @cached_property
    def info(self) -> AdditionalInfo:
        """The parsed `additional_info`; whatever cannot be understood is simply absent."""
        return AdditionalInfo.parse(self.additional_info)

    @property
    def expected_signer(self) -> Address:
        """The address that must have signed an answer: the separate signer, else the TEE's."""
        return Address(self.info.separate_signer or self.tee_signer)

    @property
    def proxy_url(self) -> str:
        """The OpenAI-compatible base URL."""
        return self.url.rstrip("/") + "/v1/proxy"


@dataclass(frozen=True, slots=True)
class Ledger(HoldsMoney):
    """A user's main account (LedgerManager.getLedger)."""

    user: Address
    available: Neuron
    total: Neuron
    additional_info: str = ""

    @property
    def locked(self) -> Neuron:
        """Neuron held in sub-accounts of all service kinds."""
        return self.total - self.available


@dataclass(frozen=True, slots=True)
class Refund(HoldsMoney):
    """Neuron on their way back from a sub-account, payable at created_at + lock time."""

    index: int
    amount: Neuron
    created_at: int
    processed: bool = False


@dataclass(frozen=True, slots=True)
class SubAccount(HoldsMoney):
    """What a user has locked with one provider (contract struct `Account`).

    `refunds` holds only the active ones: refunds[0 .. validRefundsLength) of the contract.
    """

    user: Address
    provider: Address
    nonce: int
    balance: Neuron
    pending_refund: Neuron
    refunds: tuple[Refund, ...]
    acknowledged: bool
    generation: int
    revoked_bitmap: int
    additional_info: str = ""

    @property
    def free(self) -> Neuron:
        """Neuron a provider can count on: balance without what is being refunded."""
        return self.balance - self.pending_refund

    def is_revoked(self, token_id: int) -> bool:
        return bool(self.revoked_bitmap >> token_id & 1)


@dataclass(frozen=True, slots=True)
class WalletState(HoldsMoney):
    """Everything the chain knows about one user, read at the height `block_number`."""

    user: Address
    balance: Neuron
    ledger: Ledger | None
    sub_accounts: tuple[SubAccount, ...]
    block_number: int = 0
    block_hash: str = ""


@dataclass(frozen=True, slots=True)
class Contracts:
    """Where the two contracts of a network are, and the serving contract's registered name."""

    ledger: Address
    inference: Address
    service_name: str


@dataclass(frozen=True, slots=True)
class Constants(HoldsMoney):
    """The contracts' rules as numbers, read from the chain (never assumed)."""

    min_account_balance: Neuron
    min_transfer_amount: Neuron
    max_providers_per_batch: int
    max_providers_per_user: int
    lock_time: int


@dataclass(frozen=True, slots=True)
class UnsignedCall(HoldsMoney):
    """A contract call ready for somebody else to sign and send."""

    chain_id: int
    to: Address
    data: str
    value: Neuron
    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    number: int
    hash: str
    parent_hash: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class Transaction(HoldsMoney):
    """A transaction as the chain shows it; `block_number` is None while it waits."""

    hash: str
    sender: Address
    to: Address | None
    data: str
    value: Neuron
    nonce: int
    block_number: int | None


@dataclass(frozen=True, slots=True)
class Receipt:
    hash: str
    block_number: int
    block_hash: str
    succeeded: bool
    gas_used: int
    gas_price: int

    @property
    def network_fee(self) -> Neuron:
        return Neuron(self.gas_used * self.gas_price)


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded log of one of the two contracts; `arguments` by the ABI's parameter names."""

    contract: Address
    name: str
    arguments: Mapping[str, Any]
    block_number: int
    block_hash: str
    transaction_hash: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a provider says an answer consumed (OpenAI `usage`), in tokens."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0

    @property
    def is_empty(self) -> bool:
        return self.prompt_tokens == 0 and self.completion_tokens == 0
