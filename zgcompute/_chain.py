"""The chain through JSON-RPC nodes. The only importer of web3, for sending with a local key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from zgcompute import _replies
from zgcompute._codec import Interface, inference_interface, ledger_interface
from zgcompute._rpc import REVERTED, TIMEOUT, Refusal, Request, Rpc, malformed, quantity, refused
from zgcompute._views import (
    LATEST,
    PAGE,
    Outputs,
    View,
    no_contract,
    outputs_or_revert,
    read,
    read_one,
    read_pages,
    required,
)
from zgcompute.addresses import checksum
from zgcompute.errors import (
    ChainError,
    LedgerMissing,
    RpcRefused,
    RpcUnreachable,
    TransactionReverted,
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
    from eth_typing import ChecksumAddress
    from web3 import Web3
    from web3.types import TxParams

GAS_MARGIN = (5, 4)  # estimates times 5/4: state may change between estimate and inclusion
POLL_SECONDS = 0.5
_EIP_1271 = bytes.fromhex("1626ba7e")  # selector of isValidSignature(bytes32,bytes), and its "yes"
_PER_USER = 3  # calls of a wallet's refresh
_T = TypeVar("_T")


class RpcChain:
    """Implements `chain.Chain` over the RPC URLs of `network`; safe with threads and forks."""

    def __init__(
        self, network: Network, *, timeout: float = TIMEOUT, rpc: Rpc | None = None
    ) -> None:
        self._network = network
        self._rpc = rpc or Rpc(network, timeout=timeout)
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

    def block_number(self) -> int:
        return quantity(self._rpc.call("eth_blockNumber"))

    def balance(self, address: str) -> int:
        return quantity(self._rpc.call("eth_getBalance", checksum(address), LATEST))

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
        return self._all_sub_accounts(checksum(user))

    def wallets(self, users: Sequence[str]) -> dict[Address, WalletState]:
        """See `Chain.wallets`. Two POSTs for up to 166 users, whatever they hold up to 50
        sub-accounts each: the height, then everything at that height.
        """
        asked = list(dict.fromkeys(checksum(user) for user in users))
        if not asked:
            return {}
        self.contracts()
        number = self.block_number()
        requests = [request for user in asked for request in self._wallet(user, hex(number))]
        answers = self._rpc.batch(requests)
        parts = (answers[at : at + _PER_USER] for at in range(0, len(answers), _PER_USER))
        return {
            user: self._wallet_state(user, part, number)
            for user, part in zip(asked, parts, strict=True)
        }

    def transaction(self, transaction_hash: str) -> Transaction | None:
        return self.transactions([transaction_hash])[transaction_hash]

    def transactions(self, hashes: Sequence[str]) -> dict[str, Transaction | None]:
        return self._by_hash("eth_getTransactionByHash", hashes, _replies.transaction)

    def receipt(self, transaction_hash: str) -> Receipt | None:
        return self.receipts([transaction_hash])[transaction_hash]

    def receipts(self, hashes: Sequence[str]) -> dict[str, Receipt | None]:
        return self._by_hash("eth_getTransactionReceipt", hashes, _replies.receipt)

    def transaction_count(self, address: str) -> int:
        return quantity(self._rpc.call("eth_getTransactionCount", checksum(address), LATEST))

    def events(self, from_block: int, to_block: int) -> tuple[Event, ...]:
        found = self._logs(from_block, to_block) if from_block <= to_block else []
        return tuple(sorted(found, key=lambda event: (event.block_number, event.log_index)))

    def simulate(self, call: UnsignedCall, sender: str) -> None:
        self._require_own(call)
        requests = [
            Request("eth_getCode", (call.to, LATEST)),
            Request("eth_call", (_transaction(call, checksum(sender)), LATEST)),
        ]
        code, answer = self._rpc.batch(requests)
        self._require_code(call, requests[0], code)
        if isinstance(answer, Refusal):
            raise _reverted(requests[1], answer)

    def estimate_fee(self, call: UnsignedCall, sender: str) -> int:
        self._require_own(call)
        requests = [
            Request("eth_getCode", (call.to, LATEST)),
            Request("eth_estimateGas", (_transaction(call, checksum(sender)),)),
            Request("eth_gasPrice"),
        ]
        code, gas, price = self._rpc.batch(requests)
        self._require_code(call, requests[0], code)
        for request, answer in zip(requests, (code, gas, price), strict=True):
            if isinstance(answer, Refusal):
                raise _reverted(request, answer)
        return with_margin(quantity(gas)) * quantity(price)

    def revert_reason(self, transaction_hash: str) -> TransactionReverted | None:
        receipt, transaction = self.receipt(transaction_hash), self.transaction(transaction_hash)
        if receipt is None or receipt.succeeded or transaction is None:
            return None
        return (
            self._replayed(transaction, receipt.block_number)
            or self._traced(transaction_hash)
            or TransactionReverted(
                "The transaction failed, and replaying it does not show why.",
                advice="It may have run out of gas, or the state it met has changed since.",
            )
        )

    def is_valid_signature(self, address: str, digest: bytes, signature: bytes) -> bool:
        from eth_abi.abi import encode

        data = _EIP_1271 + encode(["bytes32", "bytes"], [digest, signature])
        call = {"to": checksum(address), "data": "0x" + data.hex()}
        request = Request("eth_call", (call, LATEST))
        answer = self._rpc.batch([request])[0]
        if isinstance(answer, Refusal):
            if answer.is_revert or _replies.revert(answer) is not None:
                return False
            raise refused(request, answer)
        return _replies.data(answer) == _EIP_1271.ljust(32, b"\0")

    def send(self, call: UnsignedCall, signer: Signer) -> str:
        self._require_own(call)
        with self._sending:  # two sends of one key at once would take the same nonce
            filled = _Sender(self._rpc).fill(call, signer.address)
            return self._send_raw(signer.sign_transaction(filled))

    def wait(self, transaction_hash: str, timeout: float = 120.0) -> Receipt:
        deadline = time.monotonic() + timeout
        while (receipt := self.receipt(transaction_hash)) is None:
            if time.monotonic() >= deadline:
                raise _not_mined(transaction_hash, timeout)
            time.sleep(POLL_SECONDS)
        if not receipt.succeeded:
            raise self.revert_reason(transaction_hash) or TransactionReverted("It failed.")
        return receipt

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
        return Contracts(self._network.ledger, inference, service_name=info["fullName"])

    def _accounts_page(self, user: Address) -> Callable[[int, int], View]:
        return lambda *at: self._inference_view("getAccountsByUser", user, *at)

    def _all_sub_accounts(
        self, user: Address, first: Outputs | None = None, block: str = LATEST
    ) -> tuple[SubAccount, ...]:
        items = read_pages(self._rpc, self._accounts_page(user), first, block)
        found = map(_replies.sub_account, items)
        return tuple({account.provider: account for account in found}.values())

    def _wallet(self, user: Address, block: str) -> list[Request]:
        return [
            Request("eth_getBalance", (user, block)),
            self._ledger_view("getLedger", user).request(block),
            self._accounts_page(user)(0, PAGE).request(block),
        ]

    def _wallet_state(self, user: Address, answers: Sequence[Any], number: int) -> WalletState:
        requests = self._wallet(user, hex(number))
        if isinstance(answers[0], Refusal):
            raise refused(requests[0], answers[0])
        first = self._outputs(self._accounts_page(user)(0, PAGE), answers[2])
        return WalletState(
            user=user,
            balance=quantity(answers[0]),
            ledger=self._ledger_or_none(user, answers[1]),
            sub_accounts=self._all_sub_accounts(user, first, hex(number)),
            block_number=number,
        )

    def _ledger_or_none(self, user: Address, answer: Any) -> Ledger | None:
        try:
            return _replies.ledger(self._outputs(self._ledger_view("getLedger", user), answer)[0])
        except LedgerMissing:
            return None

    def _outputs(self, view: View, answer: Any) -> Outputs:
        return required(outputs_or_revert(self._network, view, answer))

    def _by_hash(
        self, method: str, hashes: Sequence[str], decode: Callable[[Any], _T]
    ) -> dict[str, _T | None]:
        asked = list(dict.fromkeys(hashes))
        for text in asked:
            if not _replies.is_hash(text):
                raise ChainError(f"{str(text)[:80]!r} is not a transaction hash.")
        answers = self._rpc.results([Request(method, (text,)) for text in asked])
        return {
            text: None if answer is None else decode(answer)
            for text, answer in zip(asked, answers, strict=True)
        }

    def _logs(self, from_block: int, to_block: int) -> list[Event]:
        contracts = self.contracts()
        interfaces: Mapping[Address, Interface] = {
            contracts.ledger: ledger_interface(),
            contracts.inference: inference_interface(),
        }
        scope = {
            "address": list(interfaces),
            "fromBlock": hex(from_block),
            "toBlock": hex(to_block),
        }
        request = Request("eth_getLogs", (scope,))
        answer = self._rpc.batch([request])[0]
        if isinstance(answer, Refusal):
            if from_block == to_block:
                raise refused(request, answer)
            middle = (from_block + to_block) // 2
            return self._logs(from_block, middle) + self._logs(middle + 1, to_block)
        if not isinstance(answer, list):
            raise malformed("a list of logs")
        events = (_replies.event(log, interfaces) for log in answer)
        return [event for event in events if event is not None]

    def _require_own(self, call: UnsignedCall) -> None:
        if call.chain_id != self._network.chain_id:
            raise WrongNetwork(
                f"The call is for chain {call.chain_id}, not for {self._network.name} "
                f"({self._network.chain_id}).",
                advice="Switch to the network that the call was made for.",
            )

    def _require_code(self, call: UnsignedCall, request: Request, answer: Any) -> None:
        if isinstance(answer, Refusal):
            raise refused(request, answer)
        if not _replies.data(answer):
            raise no_contract(self._network, call.to)

    def _replayed(self, transaction: Transaction, block: int) -> TransactionReverted | None:
        call = {
            "from": transaction.sender,
            "to": transaction.to,
            "data": transaction.data,
            "value": hex(transaction.value),
        }
        before_and_after = (block - 1, block)  # the state inside the block is not to be had
        requests = [Request("eth_call", (call, hex(number))) for number in before_and_after]
        reasons = (
            _replies.revert(answer)
            for answer in self._rpc.batch(requests)
            if isinstance(answer, Refusal) and answer.is_revert
        )
        return next((reason for reason in reasons if reason is not None), None)

    def _traced(self, transaction_hash: str) -> TransactionReverted | None:
        try:
            trace = self._rpc.batch(
                [Request("debug_traceTransaction", (transaction_hash, {"tracer": "callTracer"}))]
            )[0]
        except RpcUnreachable:  # gateways answer forbidden methods with a page; a trace is optional
            return None
        if not isinstance(trace, dict):
            return None
        if "out of gas" in str(trace.get("error", "")).lower():
            return TransactionReverted(
                "The transaction ran out of gas.", advice="Send it again with a higher gas limit."
            )
        return _replies.revert(Refusal(REVERTED, "reverted", trace.get("output")))

    def _send_raw(self, raw: bytes) -> str:
        from eth_utils.crypto import keccak

        transaction_hash = "0x" + keccak(raw).hex()
        request = Request("eth_sendRawTransaction", ("0x" + raw.hex(),))
        try:
            answer = self._rpc.batch([request])[0]
        except RpcUnreachable as error:
            raise _maybe_sent(transaction_hash, str(error)) from error
        if isinstance(answer, Refusal) and self.transaction(transaction_hash) is None:
            raise _reverted(request, answer)
        return transaction_hash


class _Sender:
    """Fills in nonce, gas and fees of a transaction with web3."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def fill(self, call: UnsignedCall, sender: Address) -> dict[str, Any]:
        """Return the complete transaction; raises the decoded revert of its gas estimate."""
        web3 = self._web3()
        transaction = cast("TxParams", _transaction(call, sender))
        return {
            **_fees(web3),
            "chainId": call.chain_id,
            "nonce": web3.eth.get_transaction_count(cast("ChecksumAddress", sender), "pending"),
            "to": call.to,
            "data": call.data,
            "value": call.value,
            "gas": with_margin(web3.eth.estimate_gas(transaction)),
        }

    def _web3(self) -> Web3:
        from web3 import Web3
        from web3.providers import BaseProvider

        rpc = self._rpc

        class Provider(BaseProvider):
            def make_request(self, method: Any, params: Any) -> Any:
                request = Request(method, tuple(params))
                answer = rpc.batch([request])[0]
                if isinstance(answer, Refusal):
                    raise _reverted(request, answer)
                return {"jsonrpc": "2.0", "id": 0, "result": answer}

        return Web3(Provider(), middleware=[])


def with_margin(gas: int) -> int:
    """Return a gas limit that leaves room for state that changes until inclusion."""
    more, over = GAS_MARGIN
    return -(-gas * more // over)


def _fees(web3: Web3) -> dict[str, int]:
    price = web3.eth.gas_price
    base = web3.eth.get_block("latest").get("baseFeePerGas")
    if base is None:
        return {"gasPrice": price}
    tip = max(price - base, 0)
    return {"maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * base + tip}


def _transaction(call: UnsignedCall, sender: Address) -> dict[str, str]:
    return {"from": sender, "to": call.to, "data": call.data, "value": hex(call.value)}


def _reverted(request: Request, refusal: Refusal) -> RpcRefused | TransactionReverted:
    return _replies.revert(refusal) or refused(request, refusal)


def _maybe_sent(transaction_hash: str, reason: str) -> RpcUnreachable:
    return RpcUnreachable(
        reason,
        advice=f"The transaction {transaction_hash} may have been sent: look it up before you "
        "send it again.",
    )


def _not_mined(transaction_hash: str, seconds: float) -> RpcUnreachable:
    return RpcUnreachable(
        f"The transaction {transaction_hash} was not mined within {seconds:g} seconds.",
        advice="It may still be: look it up before you send it again.",
    )
