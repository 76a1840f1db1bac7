"""The chain through JSON-RPC nodes. The only importer of web3, for sending with a local key."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from zgcompute import _headers, _replies, _transactions, _wallets
from zgcompute._abi_bytes import Parameter, encode
from zgcompute._codec import inference_interface, ledger_interface
from zgcompute._keccak import keccak
from zgcompute._logs import LogReader
from zgcompute._recursion import kept_recursion_limit
from zgcompute._rpc import TIMEOUT, Refusal, Request, Rpc, quantity, refused
from zgcompute._transactions import parameters, reason_of, with_margin
from zgcompute._views import LATEST, View, read, read_one, read_pages
from zgcompute.addresses import checksum
from zgcompute.amounts import Neuron
from zgcompute.errors import (
    ChainError,
    RpcRefused,
    RpcUnreachable,
    TransactionReverted,
    TransactionUncertain,
    WrongNetwork,
)
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

if TYPE_CHECKING:
    from web3 import Web3
    from web3.types import TxParams

_DIGEST_AND_SIGNATURE = [Parameter("", kind, False, ()) for kind in ("bytes32", "bytes")]
FIRST_POLL, LONGEST_POLL = 0.05, 1.0  # seconds between looks at a waiting transaction
_SENT = "was sent and may still be mined"
_IS_KNOWN = re.compile("already known|already imported|known transaction", re.IGNORECASE)
_NOT_TOLD = (RpcUnreachable, RpcRefused, WrongNetwork)  # of what becomes of a transaction
_EIP_1271 = bytes.fromhex("1626ba7e")  # selector of isValidSignature(bytes32,bytes), and its "yes"


class RpcChain:
    """Implements `chain.Chain` over the RPC URLs of `network`; safe with threads and forks."""

    def __init__(
        self, network: Network, *, timeout: float = TIMEOUT, rpc: Rpc | None = None
    ) -> None:
        self._network = network
        self._rpc = rpc or Rpc(network, timeout=timeout)
        self._logs = LogReader(self._rpc)
        self._contracts: Contracts | None = None
        self._sending = threading.Lock()

    @property
    def network(self) -> Network:
        return self._network

    def contracts(self) -> Contracts:
        if self._contracts is None:
            self._contracts = self._find_contracts()
        return self._contracts

    def constants(self) -> Constants:
        found = read(
            self._rpc,
            [
                self._ledger_view("MIN_ACCOUNT_BALANCE"),
                self._ledger_view("MIN_TRANSFER_AMOUNT"),
                self._ledger_view("MAX_PROVIDERS_PER_BATCH"),
                self._ledger_view("MAX_PROVIDERS_PER_USER_PER_SERVICE"),
                self._inference_view("lockTime"),
            ],
        )
        return Constants(*(outputs[0] for outputs in found))

    def block(self, number: int | None = None) -> Block:
        tag = LATEST if number is None else hex(number)
        answer = self._rpc.call("eth_getBlockByNumber", tag, False)
        if answer is None:
            raise ChainError(f"{self._network.name} has no block {number}.")
        return _replies.block(answer)

    def blocks(self, numbers: Sequence[int]) -> dict[int, Block]:
        return _headers.blocks(self._rpc, numbers)

    def block_number(self) -> int:
        return quantity(self._rpc.call("eth_blockNumber"))

    def balance(self, address: str) -> Neuron:
        return Neuron(quantity(self._rpc.call("eth_getBalance", checksum(address), LATEST)))

    def services(self) -> tuple[Service, ...]:
        items = read_pages(self._rpc, lambda *at: self._inference_view("getAllServices", *at))
        found = map(_replies.service, items)
        return tuple({service.provider: service for service in found}.values())

    def service(self, provider: str) -> Service:
        view = self._inference_view("getService", checksum(provider))
        return _replies.service(read_one(self._rpc, view)[0])

    def ledger(self, user: str) -> Ledger:
        view = self._ledger_view("getLedger", checksum(user))
        return _replies.ledger(read_one(self._rpc, view)[0])

    def sub_account(self, user: str, provider: str) -> SubAccount:
        view = self._inference_view("getAccount", checksum(user), checksum(provider))
        return _replies.sub_account(read_one(self._rpc, view)[0])

    def sub_accounts(self, user: str) -> tuple[SubAccount, ...]:
        return _wallets.sub_accounts(self._rpc, self.contracts(), checksum(user))

    def wallets(self, users: Sequence[str]) -> dict[Address, WalletState]:
        return _wallets.wallets(self._rpc, self.contracts(), [checksum(user) for user in users])

    def transaction(self, transaction_hash: str) -> Transaction | None:
        return self.transactions([transaction_hash])[transaction_hash]

    def transactions(self, hashes: Sequence[str]) -> dict[str, Transaction | None]:
        method = "eth_getTransactionByHash"
        return _transactions.by_hash(self._rpc, method, hashes, _replies.transaction)

    def receipt(self, transaction_hash: str) -> Receipt | None:
        return self.receipts([transaction_hash])[transaction_hash]

    def receipts(self, hashes: Sequence[str]) -> dict[str, Receipt | None]:
        method = "eth_getTransactionReceipt"
        return _transactions.by_hash(self._rpc, method, hashes, _replies.receipt)

    def transaction_count(self, address: str) -> int:
        return quantity(self._rpc.call("eth_getTransactionCount", checksum(address), LATEST))

    def events(self, from_block: int, to_block: int) -> tuple[Event, ...]:
        if from_block > to_block:
            return ()
        return self._logs.events(self.contracts(), from_block, to_block)

    def deployment_block(self) -> int:
        return _headers.deployment_block(self._rpc, self._network.ledger)

    def simulate(self, call: UnsignedCall, sender: str) -> None:
        self._require_own(call)
        _transactions.simulate(self._rpc, self.contracts(), call, checksum(sender))

    def estimate_fee(self, call: UnsignedCall, sender: str, *, gas_price: int | None = None) -> int:
        self._require_own(call)
        gas, price = _transactions.estimate(self._rpc, self.contracts(), call, checksum(sender))
        return gas * (price if gas_price is None else gas_price)

    def gas_price(self) -> int:
        return quantity(self._rpc.call("eth_gasPrice"))

    def next_nonce(self, address: str) -> int:
        return quantity(self._rpc.call("eth_getTransactionCount", checksum(address), "pending"))

    def revert_reason(self, transaction_hash: str) -> TransactionReverted | None:
        receipt = self.receipt(transaction_hash)
        if receipt is None or receipt.succeeded:
            return None
        transaction = self.transaction(transaction_hash)
        if transaction is None:
            return None
        return _transactions.failure_of(self._rpc, transaction, receipt.block_number)

    def is_valid_signature(self, address: str, digest: bytes, signature: bytes) -> bool:
        data = _EIP_1271 + encode(_DIGEST_AND_SIGNATURE, [digest, signature])
        call = {"to": checksum(address), "data": "0x" + data.hex()}
        request = Request("eth_call", (call, LATEST))
        answer = self._rpc.batch([request])[0]
        if not isinstance(answer, Refusal):
            return _replies.data(answer) == _EIP_1271.ljust(32, b"\0")
        if answer.is_revert or _replies.revert(answer) is not None:
            return False
        raise refused(request, answer)

    def send(
        self,
        call: UnsignedCall,
        signer: Signer,
        *,
        gas_price: int | None = None,
        nonce: int | None = None,
    ) -> str:
        self._require_own(call)
        with self._sending:  # two sends of one key at once would take the same nonce
            _transactions.simulate(self._rpc, self.contracts(), call, signer.address)
            filled = _filled(self._rpc, call, signer.address, gas_price)
            filled["nonce"] = self.next_nonce(signer.address) if nonce is None else nonce
            return self._send_raw(signer.sign_transaction(filled))

    def wait(self, transaction_hash: str, timeout: float = 120.0) -> Receipt:
        deadline, pause = time.monotonic() + timeout, FIRST_POLL
        while not isinstance(found := self._receipt_or_outage(transaction_hash), Receipt):
            if time.monotonic() >= deadline:
                raise _not_mined(transaction_hash, timeout, found)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_POLL)
        if not found.succeeded:
            raise self._failure(transaction_hash)
        return found

    def _receipt_or_outage(self, transaction_hash: str) -> Receipt | ChainError | None:
        """A transaction outlives the nodes' outages, and their refusals to tell of it."""
        try:
            return self.receipt(transaction_hash)
        except _NOT_TOLD as error:
            return error

    def _failure(self, transaction_hash: str) -> ChainError:
        try:
            return self.revert_reason(transaction_hash) or _disappeared(transaction_hash)
        except _NOT_TOLD:
            return TransactionReverted(
                f"The transaction {transaction_hash} failed; no node says why."
            )

    def _ledger_view(self, function: str, *arguments: Any) -> View:
        return View(self._network.ledger, ledger_interface(), function, arguments)

    def _inference_view(self, function: str, *arguments: Any) -> View:
        return View(self.contracts().inference, inference_interface(), function, arguments)

    def _find_contracts(self) -> Contracts:
        inference = self._network.inference
        if inference is None:
            view = self._ledger_view("getRecommendedService", "inference")
            _, inference = read_one(self._rpc, view)
        info = read_one(self._rpc, self._ledger_view("getServiceInfo", inference))[0]
        if not info["fullName"]:  # an unregistered address has an empty record
            raise ChainError(
                f"The ledger contract of {self._network.name} does not know {inference}.",
                advice="Check the contract addresses of this network.",
            )
        return Contracts(self._network.ledger, inference, service_name=info["fullName"])

    def _require_own(self, call: UnsignedCall) -> None:
        if call.chain_id != self._network.chain_id:
            raise WrongNetwork(
                f"The call is for chain {call.chain_id}, not for {self._network.name} "
                f"({self._network.chain_id}).",
                advice="Switch to the network that the call was made for.",
            )

    def _send_raw(self, raw: bytes) -> str:
        transaction_hash = "0x" + keccak(raw).hex()
        request = Request("eth_sendRawTransaction", ("0x" + raw.hex(),))
        try:
            answer = self._rpc.batch([request])[0]
            # After a failover the second node may refuse what it already knows from the first.
            if not isinstance(answer, Refusal) or self.transaction(transaction_hash) is not None:
                return transaction_hash
        except _NOT_TOLD as error:  # the reply is lost, not the transaction
            raise _uncertain(str(error), transaction_hash, "may have been sent") from error
        reason = reason_of(request, answer)
        if _IS_KNOWN.search(answer.message):  # one node has it, another does not show it
            raise _uncertain(str(reason), transaction_hash, _SENT)
        raise reason


def _filled(rpc: Rpc, call: UnsignedCall, sender: Address, gas_price: int | None) -> dict[str, Any]:
    """Return the transaction without its nonce; raises the decoded revert of its gas estimate."""
    web3 = _web3(rpc)
    return {
        **(_fees(web3) if gas_price is None else {"gasPrice": gas_price}),
        "chainId": call.chain_id,
        "to": call.to,
        "data": call.data,
        "value": call.value,
        "gas": with_margin(web3.eth.estimate_gas(cast("TxParams", parameters(call, sender)))),
    }


def _fees(web3: Web3) -> dict[str, int]:
    price = web3.eth.gas_price
    base = web3.eth.get_block("latest").get("baseFeePerGas")
    if base is None:
        return {"gasPrice": price}
    tip = max(price - base, 0)
    return {"maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * base + tip}


def _web3(rpc: Rpc) -> Web3:
    with kept_recursion_limit():
        from web3 import Web3
        from web3.providers import BaseProvider

    class Provider(BaseProvider):
        """Sends web3's requests through our failover; refusals leave as our own errors."""

        def make_request(self, method: Any, params: Any) -> Any:
            request = Request(method, tuple(params))
            answer = rpc.batch([request])[0]
            if isinstance(answer, Refusal):
                raise reason_of(request, answer)
            return {"jsonrpc": "2.0", "id": 0, "result": answer}

    return Web3(Provider(), middleware=[])


def _not_mined(
    transaction_hash: str, seconds: float, outage: ChainError | None
) -> TransactionUncertain:
    told = f"The transaction was not seen in a block within {seconds:g} seconds."
    return _uncertain(f"{told} {outage}" if outage else told, transaction_hash, _SENT)


def _disappeared(transaction_hash: str) -> TransactionUncertain:
    told = "The transaction was mined, then taken back by the chain."
    return _uncertain(told, transaction_hash, _SENT)


def _uncertain(message: str, transaction_hash: str, state: str) -> TransactionUncertain:
    return TransactionUncertain(
        message,
        advice=f"The transaction {transaction_hash} {state}: look it up before you send it again.",
        transaction_hash=transaction_hash,
    )
