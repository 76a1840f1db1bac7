from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from zgcompute import contract_errors, errors
from zgcompute._codec import Entry, inference_interface, ledger_interface
from zgcompute.contract_errors import decode_revert, explain, reverted_with_text

ALL = [
    pytest.param(entry, id=f"{interface.name}.{entry.name}")
    for interface in (ledger_interface(), inference_interface())
    for entry in interface.errors.values()
]
SAMPLES: dict[str, Any] = {
    "address": "0x3333333333333333333333333333333333333333",
    "uint256": 2_500_000_000_000_000_000,
    "string": "hostile {0} {user} %s",
}


def reverted(signature: str, *arguments: Any) -> bytes:
    types = signature[signature.index("(") + 1 : -1]
    body = encode(types.split(",") if types else [], arguments)
    return bytes(keccak(text=signature)[:4]) + body


@pytest.mark.parametrize("entry", ALL)
def test_every_error_of_both_contracts_is_explained(entry: Entry) -> None:
    given = [SAMPLES[parameter.abi_type] for parameter in entry.inputs]
    error = decode_revert(reverted(entry.signature, *given))
    assert error.name == entry.name
    assert list(error.arguments) == [parameter.name for parameter in entry.inputs]
    assert list(error.arguments.values()) == given
    assert not str(error)[0].islower()
    assert str(error).endswith(".")
    assert error.advice
    assert "{" not in str(error) + error.advice


def test_there_is_no_explanation_of_errors_that_no_contract_has() -> None:
    known = {entry.values[0].name for entry in ALL}
    assert set(contract_errors._EXPLANATIONS) == known


@pytest.mark.parametrize(
    ("signature", "arguments", "kind"),
    [
        ("LedgerNotExists(address)", [SAMPLES["address"]], errors.LedgerMissing),
        ("AccountNotExists(address,address)", [SAMPLES["address"]] * 2, errors.SubAccountMissing),
        ("ServiceNotExist(address)", [SAMPLES["address"]], errors.ServiceMissing),
        ("InsufficientBalance(address)", [SAMPLES["address"]], errors.InsufficientBalance),
        ("InsufficientAvailableBalance(uint256,uint256)", [1, 2], errors.InsufficientBalance),
        ("MinimumDepositRequired(uint256,uint256)", [1, 2], errors.BelowMinimum),
        ("TooManyRefunds(address,address)", [SAMPLES["address"]] * 2, errors.RefundLocked),
        ("TooManyProviders(uint256,uint256)", [21, 20], errors.LimitExceeded),
        ("LedgerLocked()", [], errors.LedgerError),
    ],
)
def test_errors_that_code_acts_on_have_classes(
    signature: str, arguments: list[Any], kind: type[errors.Error]
) -> None:
    assert isinstance(decode_revert(reverted(signature, *arguments)), kind)


def test_amounts_are_told_in_0g_to_the_neuron() -> None:
    data = reverted("InsufficientAvailableBalance(uint256,uint256)", 1_500_000_000_000_000_001, 3)
    assert str(decode_revert(data)) == (
        "The ledger has 1.500000000000000001 0G available; this needs 0.000000000000000003 0G."
    )
    minimum = decode_revert(reverted("MinimumDepositRequired(uint256,uint256)", 10**18, 3 * 10**18))
    assert str(minimum) == "1 0G is under the contract's minimum of 3 0G."
    assert "at least 3 0G" in minimum.advice


def test_a_hidden_reason_comes_with_the_usual_ones() -> None:
    error = decode_revert(reverted("CallFailed()"))
    assert "does not say why" in str(error)
    assert "your own address" in error.advice


@pytest.mark.parametrize("prefix", ["0x", ""])
def test_hex_text_is_taken_like_bytes(prefix: str) -> None:
    data = reverted("LedgerLocked()")
    assert decode_revert(prefix + data.hex()).name == "LedgerLocked"
    assert decode_revert(f"  {prefix}{data.hex().upper()}\n").name == "LedgerLocked"


def test_a_reason_in_words_is_passed_on_printable_and_short() -> None:
    data = reverted("Error(string)", "Ownable: caller is not the owner")
    error = decode_revert(data)
    assert str(error) == "The contract refused the call: Ownable: caller is not the owner"
    assert error.name == "Error"
    hostile = decode_revert(reverted("Error(string)", "a\x1b[31m\n" + "b" * 1000))
    assert len(str(hostile)) < 250
    assert str(hostile).isprintable()
    broken = reverted("Error(string)", "abc").replace(b"abc", b"a\xffc")
    assert "a\ufffdc" in str(decode_revert(broken))


def test_an_empty_reason_is_no_reason() -> None:
    assert "without a reason" in str(reverted_with_text(" \n"))


@pytest.mark.parametrize(("code", "words"), [(0x11, "too large or too small"), (0x99, "fault")])
def test_a_panic_is_explained(code: int, words: str) -> None:
    error = decode_revert(reverted("Panic(uint256)", code))
    assert error.name == "Panic"
    assert error.arguments == {"code": code}
    assert words in str(error)
    assert f"0x{code:02x}" in str(error)


@pytest.mark.parametrize("data", [b"", "", "0x", "0xzz", "not hex", "0x123"])
def test_no_data_is_a_refusal_without_a_reason(data: bytes | str) -> None:
    error = decode_revert(data)
    assert type(error) is errors.TransactionReverted
    assert "without a reason" in str(error)


@pytest.mark.parametrize(
    "data",
    [
        b"\x01",
        b"\xde\xad\xbe\xef" + b"\0" * 64,
        reverted("LedgerNotExists(address)", SAMPLES["address"])[:20],
        reverted("Error(string)", "x")[:40],
        reverted("Panic(uint256)", 1)[:10],
        bytes(keccak(text="InvalidServiceType(string)")[:4]) + b"\xff" * 64,
    ],
)
def test_unknown_or_damaged_data_is_still_an_answer(data: bytes) -> None:
    error = decode_revert(data)
    assert type(error) is errors.TransactionReverted
    assert "unknown here" in str(error)
    assert error.name == ""


def test_explain_builds_the_error_that_a_contract_would_raise() -> None:
    error = explain("LedgerNotExists", {"user": SAMPLES["address"]})
    assert isinstance(error, errors.LedgerMissing)
    assert error.arguments == {"user": SAMPLES["address"]}
