"""The blocks under `testing.FakeChain`: what waits, what is mined, what a reorganisation undoes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from zgcompute._fake_contracts import FakeContracts
from zgcompute._fake_state import Emitted, State
from zgcompute.amounts import Neuron
from zgcompute.errors import InsufficientBalance, TransactionReverted
from zgcompute.types import (
    Address,
    Block,
    Constants,
    Contracts,
    Event,
    Receipt,
    Service,
    Transaction,
    UnsignedCall,
)

GAS_USED = 100_000
GAS_PRICE = 10**9
FEE = GAS_USED * GAS_PRICE  # neuron that every fake transaction costs its sender
START = 1_750_000_000  # Unix time of the first block
_chains = itertools.count()


@dataclass(frozen=True)
class Entry:
    """A transaction and what it does: a call, or the settlement of fees by user."""

    transaction: Transaction
    call: UnsignedCall | None = None
    fees: Mapping[Address, int] = field(default_factory=dict)


@dataclass
class Mined:
    """A block, the state after it, and what happened in it."""

    block: Block
    state: State
    entries: Sequence[Entry] = ()
    events: list[Event] = field(default_factory=list)
    failures: dict[str, TransactionReverted] = field(default_factory=dict)


class FakeBlocks:
    """A chain of blocks that executes calls by the contracts' rules."""

    def __init__(self, contracts: Contracts, constants: Constants) -> None:
        self.contracts = contracts
        self.constants = constants
        self.clock = START
        self.waiting: list[Entry] = []
        self._chain = next(_chains)  # no two chains have a block in common
        self._fork = 0
        self._counter = 0
        self.mined = [Mined(self._header(0, "0x" + "0" * 64), State())]

    @property
    def latest(self) -> Mined:
        return self.mined[-1]

    def find(self, transaction_hash: str) -> Transaction | None:
        """The transaction, waiting or mined."""
        mined = [(m.block.number, entry) for m in self.mined for entry in m.entries]
        for number, entry in [*mined, *((None, entry) for entry in self.waiting)]:
            if entry.transaction.hash == transaction_hash.lower():
                return replace(entry.transaction, block_number=number)
        return None

    def receipt(self, transaction_hash: str) -> Receipt | None:
        """How a mined transaction ended."""
        transaction = self.find(transaction_hash)
        if transaction is None or transaction.block_number is None:
            return None
        mined = self.mined[transaction.block_number]
        return Receipt(
            hash=transaction.hash,
            block_number=mined.block.number,
            block_hash=mined.block.hash,
            succeeded=transaction.hash not in mined.failures,
            gas_used=GAS_USED,
            gas_price=GAS_PRICE,
        )

    def next_nonce(self, sender: Address) -> int:
        waiting = sum(entry.transaction.sender == sender for entry in self.waiting)
        return self.latest.state.nonces.get(sender, 0) + waiting

    def enter(self, call: UnsignedCall, sender: Address, nonce: int | None) -> str:
        """Let `call` wait, in place of the sender's waiting one of the same nonce."""
        nonce = self.next_nonce(sender) if nonce is None else nonce
        transaction = self._transaction(sender, call.to, nonce, data=call.data, value=call.value)
        self.waiting = [e for e in self.waiting if not _is_replaced(e.transaction, transaction)]
        self.waiting.append(Entry(transaction, call))
        return transaction.hash

    def enter_settlement(self, provider: Address, fees: Mapping[Address, int]) -> str:
        """Let a settlement by `provider` wait."""
        nonce = self.latest.state.nonces.get(provider, 0)
        transaction = self._transaction(provider, self.contracts.inference, nonce)
        self.waiting.append(Entry(transaction, fees=dict(fees)))
        return transaction.hash

    def mine(self) -> Mined:
        """Add a block, one second later, with all that waits."""
        self.clock += 1
        entries, self.waiting = self.waiting, []
        last = self.latest
        header = self._header(last.block.number + 1, last.block.hash)
        self.mined.append(Mined(header, last.state.copy(), entries))
        for entry in entries:
            self._include(entry)
        return self.latest

    def reorganise(self, depth: int) -> None:
        """Take the last blocks back; their transactions wait again."""
        self._fork += 1
        kept = len(self.mined) - depth
        removed = self.mined[kept:]
        del self.mined[kept:]
        self.waiting = [entry for mined in removed for entry in mined.entries] + self.waiting

    def put_service(self, service: Service, emitted: Emitted) -> None:
        """Change a service in a block of its own."""
        mined = self.mine()
        mined.state.services[service.provider] = service
        self._add_events([emitted], _digest("service", self.clock))

    def remove_service(self, provider: Address, emitted: Emitted) -> None:
        """Remove a service in a block of its own."""
        mined = self.mine()
        del mined.state.services[provider]
        self._add_events([emitted], _digest("service", self.clock))

    def execute(
        self, state: State, call: UnsignedCall, sender: Address, *, fee: int = FEE
    ) -> list[Emitted]:
        """Carry out `call` on `state`, return its events; a revert is raised, changing nothing."""
        trial = state.copy()
        balance = trial.wallets.get(sender, 0)
        if balance < call.value + fee:
            raise InsufficientBalance(
                "The wallet holds too little 0G for the amount and the network fee.",
                advice="Add 0G to the wallet, or choose a smaller amount.",
            )
        trial.wallets[sender] = balance - call.value
        rules = FakeContracts(self.contracts, self.constants, trial, self.clock)
        rules.run(call, sender)
        vars(state).update(vars(trial))
        return rules.emitted

    def _include(self, entry: Entry) -> None:
        mined, transaction = self.latest, entry.transaction
        try:
            emitted = self._carry_out(mined.state, entry)
        except TransactionReverted as reason:
            mined.failures[transaction.hash] = reason
            emitted = []
        wallets, nonces = mined.state.wallets, mined.state.nonces
        wallets[transaction.sender] = max(wallets.get(transaction.sender, 0) - FEE, 0)
        nonces[transaction.sender] = transaction.nonce + 1
        self._add_events(emitted, transaction.hash)

    def _carry_out(self, state: State, entry: Entry) -> list[Emitted]:
        if entry.call is not None:
            return self.execute(state, entry.call, entry.transaction.sender)
        rules = FakeContracts(self.contracts, self.constants, state, self.clock)
        for user, fee in entry.fees.items():
            rules.settle(user, entry.transaction.sender, fee)
        return rules.emitted

    def _add_events(self, emitted: Sequence[Emitted], transaction_hash: str) -> None:
        mined = self.latest
        for contract, name, arguments in emitted:
            mined.events.append(
                Event(
                    contract=contract,
                    name=name,
                    arguments=arguments,
                    block_number=mined.block.number,
                    block_hash=mined.block.hash,
                    transaction_hash=transaction_hash,
                    log_index=len(mined.events),
                )
            )

    def _transaction(
        self, sender: Address, to: Address, nonce: int, *, data: str = "0x", value: int = 0
    ) -> Transaction:
        self._counter += 1
        text = _digest("transaction", self._counter)
        return Transaction(text, sender, to, data, Neuron(value), nonce, block_number=None)

    def _header(self, number: int, parent: str) -> Block:
        return Block(
            number, _digest("block", self._chain, self._fork, number, parent), parent, self.clock
        )


def _is_replaced(old: Transaction, new: Transaction) -> bool:
    return (old.sender, old.nonce) == (new.sender, new.nonce)


def _digest(*parts: object) -> str:
    return "0x" + hashlib.sha256(repr(parts).encode()).hexdigest()
