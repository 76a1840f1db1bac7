"""Transactions before and after they are mined: trying, pricing, finding, explaining."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from zgcompute import _replies
from zgcompute._codec import inference_interface
from zgcompute._rpc import REVERTED, Refusal, Request, Rpc, quantity, refused
from zgcompute._views import LATEST, no_contract
from zgcompute.errors import ChainError, RpcRefused, RpcUnreachable, TransactionReverted
from zgcompute.types import Address, Contracts, Transaction, UnsignedCall

GAS_MARGIN = (5, 4)  # estimates times 5/4: state may change between estimate and inclusion
_T = TypeVar("_T")


def simulate(rpc: Rpc, contracts: Contracts, call: UnsignedCall, sender: Address) -> None:
    """Try `call` on the latest state; raises the decoded revert."""
    requests = [
        Request("eth_getCode", (call.to, LATEST)),
        Request("eth_call", (parameters(call, sender), LATEST)),
    ]
    _checked(rpc, contracts, call, sender, requests)


def estimate(
    rpc: Rpc, contracts: Contracts, call: UnsignedCall, sender: Address
) -> tuple[int, int]:
    """Return gas with a margin, and its price in neuron; raises the decoded revert."""
    requests = [
        Request("eth_getCode", (call.to, LATEST)),
        Request("eth_estimateGas", (parameters(call, sender),)),
        Request("eth_gasPrice"),
    ]
    _, gas, price = _checked(rpc, contracts, call, sender, requests)
    return with_margin(quantity(gas)), quantity(price)


def with_margin(gas: int) -> int:
    """Return a gas limit that leaves room for state that changes until inclusion."""
    more, over = GAS_MARGIN
    return -(-gas * more // over)


def parameters(call: UnsignedCall, sender: Address) -> dict[str, str]:
    """Return `call` as the JSON-RPC transaction object of `sender`."""
    return {"from": sender, "to": call.to, "data": call.data, "value": hex(call.value)}


def reason_of(request: Request, refusal: Refusal) -> RpcRefused | TransactionReverted:
    """Return the contract's reason, or else the node's."""
    return _replies.revert(refusal) or refused(request, refusal)


def by_hash(
    rpc: Rpc, method: str, hashes: Sequence[str], decode: Callable[[Any], _T]
) -> dict[str, _T | None]:
    """Look up many transactions or receipts in one batch; raises ChainError for a bad hash."""
    asked = list(dict.fromkeys(hashes))
    for text in asked:
        if not _replies.is_hash(text):
            raise ChainError(f"{str(text)[:80]!r} is not a transaction hash.")
    answers = rpc.results([Request(method, (text,)) for text in asked])
    return {
        text: None if answer is None else decode(answer)
        for text, answer in zip(asked, answers, strict=True)
    }


def failure_of(rpc: Rpc, transaction: Transaction, block: int) -> TransactionReverted:
    """Return why a transaction mined in `block` failed, as far as the nodes can still tell."""
    return (
        _replayed(rpc, transaction, block)
        or _traced(rpc, transaction.hash)
        or TransactionReverted(
            "The transaction failed, and replaying it does not show why.",
            advice="It may have run out of gas, or the state that it met has changed since.",
        )
    )


def _checked(
    rpc: Rpc, contracts: Contracts, call: UnsignedCall, sender: Address, requests: list[Request]
) -> list[Any]:
    answers = rpc.batch(requests)
    for request, answer in zip(requests, answers, strict=True):
        if isinstance(answer, Refusal):
            reason = reason_of(request, answer)
            raise _inner_reason(rpc, contracts, call, sender, reason) or reason
        if request.method == "eth_getCode" and not _replies.data(answer):
            raise no_contract(rpc.network, call.to)
    return answers


def _inner_reason(
    rpc: Rpc, contracts: Contracts, call: UnsignedCall, sender: Address, reason: ChainError
) -> TransactionReverted | None:
    """Ask the serving contract itself where the ledger hides its reason behind CallFailed."""
    hidden = isinstance(reason, TransactionReverted) and reason.name == "CallFailed"
    if not hidden or call.function != "transferFund":
        return None
    provider, amount = call.arguments["provider"], call.arguments["amount"]
    encode = inference_interface().encode
    inner = {
        "from": contracts.ledger,
        "to": contracts.inference,
        "value": hex(amount),
        "data": encode("addAccount", sender, provider, ""),
    }
    answer = rpc.batch([Request("eth_call", (inner, LATEST))])[0]
    found = _replies.revert(answer) if isinstance(answer, Refusal) else None
    return None if found is None or found.name == "AccountExists" else found


def _replayed(rpc: Rpc, transaction: Transaction, block: int) -> TransactionReverted | None:
    call = {
        "from": transaction.sender,
        "to": transaction.to,
        "data": transaction.data,
        "value": hex(transaction.value),
    }
    before_and_after = (block - 1, block)  # the state inside the block is not to be had
    requests = [Request("eth_call", (call, hex(number))) for number in before_and_after]
    for answer in rpc.batch(requests):
        if isinstance(answer, Refusal) and answer.is_revert:
            return _replies.revert(answer)
    return None


def _traced(rpc: Rpc, transaction_hash: str) -> TransactionReverted | None:
    request = Request("debug_traceTransaction", (transaction_hash, {"tracer": "callTracer"}))
    try:
        trace = rpc.batch([request])[0]
    except RpcUnreachable:  # gateways answer forbidden methods with a page; a trace is optional
        return None
    if not isinstance(trace, dict):
        return None
    if "out of gas" in str(trace.get("error", "")).lower():
        return TransactionReverted(
            "The transaction ran out of gas.", advice="Send it again with a higher gas limit."
        )
    if not trace.get("error"):
        return None
    return _replies.revert(Refusal(REVERTED, "reverted", trace.get("output")))
