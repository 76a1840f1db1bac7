from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zgcompute._codec import inference_interface, ledger_interface
from zgcompute.amounts import MAX_NEURON
from zgcompute.calls import Calls, arguments_of
from zgcompute.errors import AmountError, ChainError, InvalidAddress, InvalidToken
from zgcompute.types import Address, Contracts, UnsignedCall

LEDGER = Address("0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0")
INFERENCE = Address("0x0165878A594ca255338adfa4d48449f69242Eb8F")
AURORA = Address("0x3333333333333333333333333333333333333333")
DUSK = Address("0x4444444444444444444444444444444444444444")
CALLS = Calls(31337, Contracts(LEDGER, INFERENCE, "inference-v1.0"))


def decoded(call: UnsignedCall) -> tuple[Any, ...]:
    from eth_abi.abi import decode

    interface = ledger_interface() if call.to == LEDGER else inference_interface()
    entry = interface.functions[call.function]
    data = bytes.fromhex(call.data[2:])
    assert data[:4] == entry.topic[:4]
    return decode([parameter.abi_type for parameter in entry.inputs], data[4:])


@pytest.mark.parametrize(
    ("call", "function", "to", "value", "arguments"),
    [
        (CALLS.deposit(5), "depositFund", LEDGER, 5, ()),
        (CALLS.deposit_for(AURORA, 5), "depositFundFor", LEDGER, 5, (AURORA,)),
        (CALLS.add_ledger(7, "mine"), "addLedger", LEDGER, 7, ("mine",)),
        (CALLS.transfer(AURORA, 9), "transferFund", LEDGER, 0, (AURORA, "inference-v1.0", 9)),
        (
            CALLS.retrieve([AURORA, DUSK, AURORA]),
            "retrieveFund",
            LEDGER,
            0,
            ((AURORA, DUSK), "inference-v1.0"),
        ),
        (CALLS.refund(3), "refund", LEDGER, 0, (3,)),
        (CALLS.delete_ledger(), "deleteLedger", LEDGER, 0, ()),
        (CALLS.acknowledge(AURORA), "acknowledgeTEESigner", INFERENCE, 0, (AURORA, True)),
        (CALLS.acknowledge(AURORA, False), "acknowledgeTEESigner", INFERENCE, 0, (AURORA, False)),
        (CALLS.revoke_token(AURORA, 254), "revokeToken", INFERENCE, 0, (AURORA, 254)),
        (CALLS.revoke_tokens(AURORA, [3, 1, 3]), "revokeTokens", INFERENCE, 0, (AURORA, (1, 3))),
        (CALLS.revoke_all_tokens(AURORA), "revokeAllTokens", INFERENCE, 0, (AURORA,)),
    ],
    ids=lambda part: part if isinstance(part, str) and part.isidentifier() else "",
)
def test_calls_are_encoded_as_the_contracts_have_it(
    call: UnsignedCall, function: str, to: Address, value: int, arguments: tuple[Any, ...]
) -> None:
    assert (call.function, call.to, call.value, call.chain_id) == (function, to, value, 31337)
    assert decoded(call) == arguments
    assert tuple(call.arguments.values()) == arguments


def test_known_selectors_come_out() -> None:
    """Computed independently: the first four bytes of keccak256 of the signature."""
    assert CALLS.deposit(1).data == "0x8d0d8cb6"
    assert CALLS.transfer(AURORA, 1).data[:10] == "0x2ba43b82"


@pytest.mark.parametrize("amount", [0, -1, MAX_NEURON + 1, True, 1.0, "1", None])
@pytest.mark.parametrize(
    "build",
    [
        CALLS.deposit,
        CALLS.add_ledger,
        CALLS.refund,
        lambda amount: CALLS.deposit_for(AURORA, amount),
        lambda amount: CALLS.transfer(AURORA, amount),
    ],
)
def test_amounts_that_are_none_are_refused(build: Callable[[Any], Any], amount: Any) -> None:
    with pytest.raises(AmountError):
        build(amount)


@pytest.mark.parametrize("address", ["", "0x12", "0x" + "0" * 40, AURORA + "3"])
@pytest.mark.parametrize(
    "build",
    [
        CALLS.acknowledge,
        CALLS.revoke_all_tokens,
        lambda address: CALLS.deposit_for(address, 1),
        lambda address: CALLS.transfer(address, 1),
        lambda address: CALLS.retrieve([address]),
        lambda address: CALLS.revoke_token(address, 1),
        lambda address: CALLS.revoke_tokens(address, [1]),
    ],
)
def test_addresses_that_are_none_are_refused(build: Callable[[str], Any], address: str) -> None:
    with pytest.raises(InvalidAddress):
        build(address)


@pytest.mark.parametrize("providers", [[], "", AURORA])
def test_retrieving_from_nobody_is_refused(providers: Any) -> None:
    with pytest.raises(InvalidAddress):
        CALLS.retrieve(providers)


@pytest.mark.parametrize("token_id", [-1, 255, 256, True, "1", 1.0, None])
def test_ids_that_are_no_api_keys_are_refused(token_id: Any) -> None:
    with pytest.raises(InvalidToken):
        CALLS.revoke_token(AURORA, token_id)
    with pytest.raises(InvalidToken):
        CALLS.revoke_tokens(AURORA, [1, token_id])


def test_revoking_no_key_is_refused() -> None:
    with pytest.raises(InvalidToken):
        CALLS.revoke_tokens(AURORA, [])


def test_an_amount_that_is_too_large_is_called_so() -> None:
    with pytest.raises(AmountError, match="larger than any balance"):
        CALLS.deposit(MAX_NEURON + 1)
    with pytest.raises(AmountError, match="above zero"):
        CALLS.deposit(0)


@pytest.mark.parametrize(
    "call",
    [
        CALLS.deposit(5),
        CALLS.transfer(AURORA, 9),
        CALLS.retrieve([AURORA, DUSK]),
        CALLS.refund(7),
        CALLS.delete_ledger(),
        CALLS.acknowledge(AURORA),
        CALLS.revoke_token(AURORA, 4),
    ],
    ids=lambda call: call.function,
)
def test_the_arguments_can_be_read_out_of_the_data_again(call: UnsignedCall) -> None:
    assert arguments_of(call.data) == call.arguments


@pytest.mark.parametrize("data", ["0x", "0x12345678", "0x" + "ff" * 40])
def test_data_of_no_known_call_is_refused(data: str) -> None:
    with pytest.raises(ChainError):
        arguments_of(data)
