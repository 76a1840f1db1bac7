"""What a contract's refusal means, in words for a user of the marketplace.

Every custom error of both ABIs has an entry in `_EXPLANATIONS`; a test walks the ABIs and fails
on one that has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from zgcompute import _reading as read
from zgcompute import amounts
from zgcompute._abi_bytes import Parameter
from zgcompute._codec import Entry, decode_parameters, inference_interface, ledger_interface
from zgcompute.errors import (
    BelowMinimum,
    ChainError,
    InsufficientBalance,
    LedgerError,
    LedgerMissing,
    LimitExceeded,
    RefundLocked,
    ServiceMissing,
    SubAccountMissing,
    TransactionReverted,
)

_ERROR_STRING = bytes.fromhex("08c379a0")  # Solidity's Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Solidity's Panic(uint256)
_OWNER_ONLY = "This is for the owner of the contracts."
_PROVIDER_ONLY = "This concerns providers: check the settings of the provider's broker."
_REPORT = "Try again; if it happens again, report it with the time and your address."
_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Explanation:
    """A class, and texts in which {x} is the argument x and {x_0g} the same as an amount of 0G."""

    kind: type[TransactionReverted]
    message: str
    advice: str


_EXPLANATIONS: Mapping[str, _Explanation] = {
    "AccountExists": _Explanation(
        LedgerError,
        "There is already a sub-account with this provider.",
        "Transfer funds to it instead of creating it.",
    ),
    "AccountNotExists": _Explanation(
        SubAccountMissing, "There is no sub-account with this provider yet.", ""
    ),
    "AdditionalInfoTooLong": _Explanation(
        LimitExceeded,
        "The additional information is longer than the contract stores.",
        "Shorten it to at most 4096 bytes.",
    ),
    "AlreadyInitialized": _Explanation(
        TransactionReverted, "The contract has already been set up.", _OWNER_ONLY
    ),
    "BatchSizeTooLarge": _Explanation(
        LimitExceeded, "The list has {size} entries; at most {max} are allowed.", "Split it."
    ),
    "CallFailed": _Explanation(
        LedgerError,
        "The serving contract refused its part of the move, and the ledger does not say why.",
        "Usual reasons: five refunds from this provider already wait for their lock time, the "
        "provider is your own address, or it has left the network. Nothing was moved.",
    ),
    "CallerNotLedger": _Explanation(
        TransactionReverted,
        "Only the ledger contract may make this call.",
        "Move funds through the ledger: deposit, transfer, retrieve.",
    ),
    "CallerNotRegisteredService": _Explanation(
        TransactionReverted, "Only a registered serving contract may make this call.", _OWNER_ONLY
    ),
    "CannotAddStakeWhenUpdating": _Explanation(
        TransactionReverted,
        "An update of a registered service must not send a stake.",
        "Send the update without value: the stake of the first registration stays.",
    ),
    "CannotRevokeWithNonZeroBalance": _Explanation(
        LedgerError,
        "The acknowledgement stands while {balance_0g} 0G are locked with this provider.",
        "Retrieve the funds from this provider first.",
    ),
    "DirectDepositsDisabled": _Explanation(
        TransactionReverted,
        "The contract takes no plain transfers of 0G.",
        "Use the deposit function; never send 0G straight to the contract's address.",
    ),
    "InsufficientAvailableBalance": _Explanation(
        InsufficientBalance,
        "The ledger has {available_0g} 0G available; this needs {required_0g} 0G.",
        "",
    ),
    "InsufficientBalance": _Explanation(
        InsufficientBalance,
        "The ledger's available balance is smaller than the amount.",
        "Choose a smaller amount, or retrieve funds from providers first.",
    ),
    "InsufficientStake": _Explanation(
        BelowMinimum,
        "The stake of {provided_0g} 0G is under the required {required_0g} 0G.",
        "Send the required stake with the first registration.",
    ),
    "InvalidAddress": _Explanation(
        TransactionReverted, "The address {addr} cannot be used here.", "Check the address."
    ),
    "InvalidServiceAddress": _Explanation(
        TransactionReverted, "{serviceAddress} is not a serving contract.", _OWNER_ONLY
    ),
    "InvalidServiceType": _Explanation(
        TransactionReverted, "The ledger does not know this type of service.", _OWNER_ONLY
    ),
    "InvalidTEESignature": _Explanation(
        TransactionReverted,
        "The TEE signature of a settlement is not valid.",
        _PROVIDER_ONLY,
    ),
    "LedgerExists": _Explanation(
        LedgerError, "This wallet already has a ledger.", "Deposit into it instead."
    ),
    "LedgerLocked": _Explanation(
        LedgerError,
        "Another move of this ledger is being carried out.",
        "Wait for it to finish, then try again.",
    ),
    "LedgerNotExists": _Explanation(LedgerMissing, "This wallet has no ledger yet.", ""),
    "LimitTooLarge": _Explanation(
        LimitExceeded, "{limit} entries were asked for; at most {max} come at once.", _REPORT
    ),
    "LockTimeOutOfRange": _Explanation(
        TransactionReverted,
        "A lock time of {lockTime} s is outside {min} to {max} s.",
        _OWNER_ONLY,
    ),
    "MinimumDepositRequired": _Explanation(
        BelowMinimum,
        "{provided_0g} 0G is under the contract's minimum of {required_0g} 0G.",
        "Use at least {required_0g} 0G. When refunding, leave that much in the ledger or nothing.",
    ),
    "MustWithdrawAllFundsFirst": _Explanation(
        LedgerError,
        "The ledger still holds {remainingBalance_0g} 0G.",
        "Retrieve it from the providers and refund it to your wallet, then delete the ledger.",
    ),
    "NoRecommendedService": _Explanation(
        TransactionReverted,
        "The ledger recommends no serving contract for this type of service.",
        "Give the inference contract's address in the networks file.",
    ),
    "NoSettlementsProvided": _Explanation(
        TransactionReverted, "The list of settlements is empty.", _PROVIDER_ONLY
    ),
    "ProviderCannotBeUser": _Explanation(
        LedgerError,
        "A provider cannot be its own user.",
        "Use another wallet, or choose another provider.",
    ),
    "ServiceAlreadyRegistered": _Explanation(
        TransactionReverted, "This serving contract is already registered.", _OWNER_ONLY
    ),
    "ServiceMustImplementIServing": _Explanation(
        TransactionReverted,
        "{serviceAddress} lacks the functions of a serving contract.",
        _OWNER_ONLY,
    ),
    "ServiceNameExists": _Explanation(
        TransactionReverted, "A serving contract of that name is registered.", _OWNER_ONLY
    ),
    "ServiceNotExist": _Explanation(ServiceMissing, "This provider has no service on chain.", ""),
    "ServiceNotFound": _Explanation(
        TransactionReverted,
        "The ledger does not know that serving contract.",
        "The network may have moved to a new version: reload, then try again.",
    ),
    "ServiceNotRegistered": _Explanation(
        TransactionReverted,
        "{serviceAddress} is not registered as a serving contract.",
        "Check the inference contract's address in the networks file.",
    ),
    "ServiceRegistryLimitReached": _Explanation(
        LimitExceeded, "The ledger registers no more than {limit} serving contracts.", _OWNER_ONLY
    ),
    "ServiceTypeRequired": _Explanation(
        TransactionReverted, "The type of the service is missing.", _OWNER_ONLY
    ),
    "TooManyProviders": _Explanation(
        LimitExceeded,
        "{requested} providers in one call; at most {maximum} are allowed.",
        "Retrieve in several steps.",
    ),
    "TooManyProvidersForService": _Explanation(
        LimitExceeded,
        "This ledger already has sub-accounts with {current} providers; {maximum} is the limit.",
        "Use a provider that you have already funded.",
    ),
    "TooManyRefunds": _Explanation(
        RefundLocked,
        "Too many refunds from this provider already wait for their lock time.",
        "Wait until the oldest can be paid out, then retrieve again.",
    ),
    "TooManySettlements": _Explanation(
        LimitExceeded, "{count} settlements in one call; at most {max} are allowed.", _PROVIDER_ONLY
    ),
    "TransferFailed": _Explanation(
        LedgerError,
        "The 0G could not be paid out to the receiving address.",
        "A contract wallet must be able to receive plain transfers. Nothing was moved.",
    ),
    "VersionRequired": _Explanation(
        TransactionReverted, "The version of the service is missing.", _OWNER_ONLY
    ),
    "ZeroAddressNotAllowed": _Explanation(
        TransactionReverted, "The address is zero.", "Give the address that is meant."
    ),
    "ZeroAmountNotAllowed": _Explanation(
        BelowMinimum, "The amount is zero.", "Choose an amount above zero."
    ),
}

_PANICS: Mapping[int, str] = {  # Solidity's documented panic codes
    0x01: "an assertion failed",
    0x11: "a number became too large or too small",
    0x12: "a division by zero",
    0x21: "a value outside its enumeration",
    0x31: "an element was taken from an empty list",
    0x32: "a position outside a list",
    0x41: "too much memory was asked for",
}


def decode_revert(data: bytes | str) -> TransactionReverted:
    """Return the error that a contract reverted with, explained for a person.

    `data` is the revert data, as bytes or hex text. Knows every custom error of LedgerManager and
    InferenceServing, Error(string) and Panic(uint256); anything else becomes a plain
    TransactionReverted. Never raises.
    """
    encoded = _bytes(data)
    if not encoded:
        return _without_reason()
    selector, body = encoded[:4], encoded[4:]
    entry = _entries().get(selector)
    try:
        if selector == _ERROR_STRING:
            return reverted_with_text(str(_decode_one("string", body)))
        if selector == _PANIC:
            return _panic(int(_decode_one("uint256", body)))
        if entry is not None:
            return explain(entry.name, decode_parameters(entry.inputs, body, entry.name))
    except ChainError:
        return _unknown(selector)
    return _unknown(selector)


def explain(name: str, arguments: Mapping[str, object]) -> TransactionReverted:
    """Return the error for the contract error `name` of CONTRACTS with its `arguments`."""
    explanation = _EXPLANATIONS[name]
    words = {**arguments, **{f"{key}_0g": _amount(value) for key, value in arguments.items()}}
    return explanation.kind(
        explanation.message.format(**words),
        advice=explanation.advice.format(**words),
        name=name,
        arguments=dict(arguments),
    )


def reverted_with_text(reason: str) -> TransactionReverted:
    """Return the error for a reason in free text (hostile: shortened, made printable)."""
    clean = read.text(reason, limit=200)
    if not clean:
        return _without_reason()
    return TransactionReverted(
        f"The contract refused the call: {clean}", name="Error", arguments={"reason": clean}
    )


def _without_reason() -> TransactionReverted:
    return TransactionReverted(
        "The contract refused the call without a reason.",
        advice="Check the contract addresses of this network.",
    )


def _unknown(selector: bytes) -> TransactionReverted:
    return TransactionReverted(
        f"The contract refused the call with an error unknown here (0x{selector.hex()}).",
        advice=_REPORT,
    )


def _panic(code: int) -> TransactionReverted:
    reason = _PANICS.get(code, "an internal fault")
    return TransactionReverted(
        f"The contract stopped: {reason} (panic 0x{code:02x}).",
        advice=_REPORT,
        name="Panic",
        arguments={"code": code},
    )


def _amount(value: object) -> str:
    return amounts.exact(value) if isinstance(value, int) else str(value)


def _bytes(data: bytes | str) -> bytes:
    if isinstance(data, bytes):
        return data
    match = _HEX.fullmatch(data.strip())
    return bytes.fromhex(match[1]) if match else b""


def _decode_one(abi_type: str, body: bytes) -> Any:
    parameter = Parameter(name="value", type=abi_type, indexed=False, components=())
    return decode_parameters([parameter], body, "A revert reason")["value"]


@cache
def _entries() -> dict[bytes, Entry]:
    return {**inference_interface().errors, **ledger_interface().errors}
