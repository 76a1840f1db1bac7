"""What nodes and contracts answer, as values of `types` (pure). Nothing here is trusted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from zgcompute._codec import Interface, checksummed
from zgcompute._rpc import Refusal, malformed, quantity
from zgcompute.amounts import Neuron
from zgcompute.contract_errors import decode_revert, reverted_with_text
from zgcompute.errors import InsufficientBalance, TransactionReverted
from zgcompute.types import (
    Address,
    Block,
    Event,
    Ledger,
    Receipt,
    Refund,
    Service,
    SubAccount,
    Transaction,
)

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
_HASH = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_REVERT_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2}){4,}", re.ASCII)
_REVERT_TEXT = re.compile(r"revert(?:ed)?(?: with reason string)?[:\s]+['\"]?(.+?)['\"]?$", re.I)
_TOO_POOR = re.compile(
    r"insufficient (funds|balance)|OutOfFund|lack of funds|gas required exceeds allowance",
    re.IGNORECASE,
)
_MAX_DEPTH = 5  # the deepest nesting of revert data seen in the wild is 3


def service(fields: Mapping[str, Any]) -> Service:
    """The contract struct `Service`."""
    return Service(
        provider=fields["provider"],
        service_type=fields["serviceType"],
        url=fields["url"],
        input_price=fields["inputPrice"],
        output_price=fields["outputPrice"],
        updated_at=fields["updatedAt"],
        model=fields["model"],
        verifiability=fields["verifiability"],
        additional_info=fields["additionalInfo"],
        tee_signer=fields["teeSignerAddress"],
        tee_signer_acknowledged=fields["teeSignerAcknowledged"],
    )


def ledger(fields: Mapping[str, Any]) -> Ledger:
    """The contract struct `Ledger`."""
    return Ledger(
        user=fields["user"],
        available=fields["availableBalance"],
        total=fields["totalBalance"],
        additional_info=fields["additionalInfo"],
    )


def sub_account(fields: Mapping[str, Any]) -> SubAccount:
    """The contract struct `Account`, without the stale slots of its list of refunds."""
    return SubAccount(
        user=fields["user"],
        provider=fields["provider"],
        nonce=fields["nonce"],
        balance=fields["balance"],
        pending_refund=fields["pendingRefund"],
        refunds=tuple(map(_refund, fields["refunds"][: fields["validRefundsLength"]])),
        acknowledged=fields["acknowledged"],
        generation=fields["generation"],
        revoked_bitmap=fields["revokedBitmap"],
        additional_info=fields["additionalInfo"],
    )


def block(answer: Any) -> Block:
    """A header of eth_getBlockByNumber."""
    fields = _object(answer, "a block")
    return Block(
        number=quantity(fields.get("number")),
        hash=_hash(fields.get("hash")),
        parent_hash=_hash(fields.get("parentHash")),
        timestamp=quantity(fields.get("timestamp")),
    )


def transaction(answer: Any) -> Transaction:
    """A transaction of eth_getTransactionByHash."""
    fields = _object(answer, "a transaction")
    number = fields.get("blockNumber")
    return Transaction(
        hash=_hash(fields.get("hash")),
        sender=_address(fields.get("from")),
        to=None if fields.get("to") is None else _address(fields["to"]),
        data="0x" + data(fields.get("input", fields.get("data"))).hex(),
        value=Neuron(quantity(fields.get("value"))),
        nonce=quantity(fields.get("nonce")),
        block_number=None if number is None else quantity(number),
    )


def receipt(answer: Any) -> Receipt:
    """A receipt of eth_getTransactionReceipt."""
    fields = _object(answer, "a receipt")
    return Receipt(
        hash=_hash(fields.get("transactionHash")),
        block_number=quantity(fields.get("blockNumber")),
        block_hash=_hash(fields.get("blockHash")),
        succeeded=quantity(fields.get("status")) == 1,
        gas_used=quantity(fields.get("gasUsed")),
        gas_price=quantity(fields.get("effectiveGasPrice", "0x0")),
    )


def event(answer: Any, interfaces: Mapping[Address, Interface]) -> Event | None:
    """A log of eth_getLogs; None for one of another contract, unknown or taken back."""
    fields = _object(answer, "a log")
    contract = _address(fields.get("address"))
    topics = fields.get("topics")
    if contract not in interfaces or fields.get("removed") is True or not isinstance(topics, list):
        return None
    known = interfaces[contract].decode_log([data(t) for t in topics], data(fields.get("data")))
    if known is None:
        return None
    return Event(
        contract=contract,
        name=known[0],
        arguments=known[1],
        block_number=quantity(fields.get("blockNumber")),
        block_hash=_hash(fields.get("blockHash")),
        transaction_hash=_hash(fields.get("transactionHash")),
        log_index=quantity(fields.get("logIndex")),
    )


def data(answer: object) -> bytes:
    """The bytes of 0x text."""
    if isinstance(answer, str) and _HEX.fullmatch(answer):
        return bytes.fromhex(answer[2:])
    raise malformed("0x data")


def is_hash(text: object) -> bool:
    """Tell whether `text` has the form of a block or transaction hash."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def revert(refusal: Refusal) -> TransactionReverted | None:
    """The contract's reason in a node's refusal; None if no contract refused.

    Nodes put the revert data into `data` as hex, nested in objects, after a word ("Reverted
    0x..."), or only a text into the message.
    """
    if _TOO_POOR.search(refusal.message) and not refusal.is_revert:
        return InsufficientBalance(
            "The wallet holds too little 0G for the amount and the network fee.",
            advice="Add 0G to the wallet, or choose a smaller amount.",
        )
    encoded = _revert_data(refusal.data)
    if encoded is not None and (encoded or refusal.is_revert):
        return decode_revert(encoded)
    if not refusal.is_revert:
        return None
    in_text = _REVERT_HEX.search(refusal.message)
    if in_text:
        return decode_revert(in_text[0])
    words = _REVERT_TEXT.search(refusal.message)
    return reverted_with_text(words[1] if words else "")


def _revert_data(found: object, depth: int = 0) -> bytes | None:
    if depth > _MAX_DEPTH:
        return None
    if isinstance(found, str):
        text = re.sub(r"(?i)^reverted\s+", "", found.strip())
        return bytes.fromhex(text[2:]) if _HEX.fullmatch(text) else None
    for inner in _inner(found):
        encoded = _revert_data(inner, depth + 1)
        if encoded is not None:
            return encoded
    return None


def _inner(found: object) -> Sequence[object]:
    if isinstance(found, list):
        return found[:20]
    if not isinstance(found, dict):
        return ()
    names = ("data", "return", "result", "output", "originalError", "error")
    nested = [value for value in found.values() if isinstance(value, dict)][:20]
    return [found[name] for name in names if name in found] + nested


def _refund(fields: Mapping[str, Any]) -> Refund:
    return Refund(
        index=fields["index"],
        amount=fields["amount"],
        created_at=fields["createdAt"],
        processed=fields["processed"],
    )


def _object(answer: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise malformed(what)
    return answer


def _hash(answer: object) -> str:
    if not is_hash(answer):
        raise malformed("a hash")
    return str(answer).lower()


def _address(answer: object) -> Address:
    if not isinstance(answer, str) or not _ADDRESS.fullmatch(answer):
        raise malformed("an address")
    return checksummed(answer.lower())
