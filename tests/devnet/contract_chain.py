"""The contracts on a real node, as tests speak to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from eth_account import Account

from devnet import accounts
from devnet.deploy import INFERENCE, LEDGER
from devnet.node import Node, NodeRefused
from zgcompute._codec import Interface, decode_parameters, inference_interface, ledger_interface
from zgcompute.types import Address

ZG = 10**18
HOUR = 3600
LOCK = 24 * HOUR
NAME = "inference-v1.0"
ZERO = Address("0x" + "0" * 40)
TEE_KEY = "0x" + "11" * 32
OTHER_KEY = "0x" + "22" * 32
INFO = '{"TEEVerifier":"dstack"}'

OWNER, ALICE, BOB, MALLORY = (accounts.account(i).address for i in (0, 9, 10, 11))
AURORA, CUMULUS, PRISMA = (accounts.account(i).address for i in (2, 3, 4))


@cache
def signer_of(key: str) -> Address:
    return Address(Account.from_key(key).address)


@dataclass(frozen=True)
class Event:
    name: str
    values: dict[str, Any]


class Contract:
    """One deployed contract. A call to a function that changes something returns its events."""

    def __init__(self, node: Node, address: str, interface: Interface) -> None:
        self.node = node
        self.address = address
        self.interface = interface

    def send(self, sender: str, function: str, *arguments: Any, value: int = 0) -> list[Event]:
        calldata = self.interface.encode(function, *arguments)
        return events(self.node.send(sender, self.address, calldata, value))

    def read(self, function: str, *arguments: Any, sender: str | None = None) -> Any:
        answer = self.node.read(self.address, self.interface.encode(function, *arguments), sender)
        values = self.interface.decode_result(function, answer)
        return values[0] if len(values) == 1 else values


@dataclass
class ContractChain:
    """A node with both contracts, one service by Aurora, and shorthands for what tests repeat."""

    node: Node
    ledger: Contract = field(init=False)
    serving: Contract = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Contract(self.node, LEDGER, ledger_interface())
        self.serving = Contract(self.node, INFERENCE, inference_interface())

    def balance(self, address: str) -> int:
        return int(self.node.call("eth_getBalance", address, "latest"), 16)

    def now(self) -> int:
        return int(self.node.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def at(self, timestamp: int) -> None:
        """Let the next block have this time."""
        self.node.call("evm_setNextBlockTimestamp", timestamp)

    def later(self, seconds: int) -> None:
        self.node.call("evm_increaseTime", seconds)
        self.node.call("evm_mine")

    def deposit(self, user: str, amount: int) -> list[Event]:
        return self.ledger.send(user, "depositFund", value=amount)

    def transfer(self, user: str, provider: str, amount: int) -> list[Event]:
        return self.ledger.send(user, "transferFund", provider, NAME, amount)

    def retrieve(self, user: str, *providers: str) -> list[Event]:
        return self.ledger.send(user, "retrieveFund", providers, NAME)

    def ledger_of(self, user: str) -> tuple[int, int]:
        """Available and total neuron."""
        ledger = self.ledger.read("getLedger", user)
        return ledger["availableBalance"], ledger["totalBalance"]

    def account(self, user: str = ALICE, provider: str = AURORA) -> dict[str, Any]:
        return self.serving.read("getAccount", user, provider)

    def waiting(self, user: str = ALICE, provider: str = AURORA) -> list[int]:
        """The amounts of the active refunds, oldest first."""
        account = self.account(user, provider)
        return [r["amount"] for r in account["refunds"][: account["validRefundsLength"]]]

    def fund(self, user: str, amount: int, provider: str = AURORA, spare: int = 10 * ZG) -> None:
        """Give a user a ledger and a sub-account of that amount, with some left available."""
        self.deposit(user, amount + spare)
        self.transfer(user, provider, amount)

    def settle(self, *items: tuple[Any, ...], sender: str = AURORA) -> list[Event]:
        return self.serving.send(sender, "settleFeesWithTEE", items)

    def impersonate(self, address: str) -> str:
        """Let the node sign for a contract, with enough money for gas."""
        self.node.call("anvil_impersonateAccount", address)
        self.node.call("anvil_setBalance", address, hex(self.balance(address) + ZG))
        return address


def service(**changes: Any) -> tuple[Any, ...]:
    """The struct ServiceParams of a plausible chatbot, with some members changed."""
    fields = {
        "service_type": "chatbot",
        "url": "https://aurora.example",
        "model": "devnet-chat",
        "verifiability": "TeeML",
        "input_price": 4,
        "output_price": 16,
        "additional_info": INFO,
        "tee_signer": signer_of(TEE_KEY),
    }
    assert changes.keys() <= fields.keys()
    return tuple((fields | changes).values())


def fee(
    amount: int,
    nonce: int,
    *,
    user: str = ALICE,
    provider: str = AURORA,
    key: str = TEE_KEY,
    contract: str = INFERENCE,
    chain_id: int = 31337,
) -> tuple[Any, ...]:
    """A settlement item, signed by the independent EIP-712 code of eth_account."""
    message = {
        "requestsHash": b"\xab" * 32,
        "nonce": nonce,
        "provider": provider,
        "user": user,
        "totalFee": amount,
    }
    kinds = {
        "TEESettlement": [
            {"name": "requestsHash", "type": "bytes32"},
            {"name": "nonce", "type": "uint256"},
            {"name": "provider", "type": "address"},
            {"name": "user", "type": "address"},
            {"name": "totalFee", "type": "uint256"},
        ]
    }
    domain = {
        "name": "0G Inference Serving",
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": contract,
    }
    signature = bytes(Account.sign_typed_data(key, domain, kinds, message).signature)
    return user, provider, amount, b"\xab" * 32, nonce, signature


def events(receipt: dict[str, Any]) -> list[Event]:
    """Decode the logs of a receipt, of whichever contract they are."""
    found = []
    for log in receipt["logs"]:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        data = bytes.fromhex(log["data"][2:])
        interfaces = (ledger_interface(), inference_interface())
        decoded = next(filter(None, (i.decode_log(topics, data) for i in interfaces)))
        found.append(Event(*decoded))
    return found


@contextmanager
def reverts(error: str, *values: Any) -> Iterator[None]:
    """Expect exactly this custom error with these values, or this text of a plain revert."""
    with pytest.raises(NodeRefused) as caught:
        yield
    name, *found = _decode_error(bytes.fromhex(caught.value.data[2:]))
    assert (name, *found) == (error, *values)


def _decode_error(data: bytes) -> Sequence[Any]:
    if data[:4].hex() == "08c379a0":
        length = int.from_bytes(data[36:68])
        return [data[68 : 68 + length].decode()]
    for interface in (ledger_interface(), inference_interface()):
        entry = interface.errors.get(data[:4])
        if entry is not None:
            return [entry.name, *decode_parameters(entry.inputs, data[4:], entry.name).values()]
    raise AssertionError(f"not an error of either contract: {data.hex() or 'no data'}")
