from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from zgcompute._abi_bytes import Parameter
from zgcompute._codec import (
    Interface,
    decode_parameters,
    inference_interface,
    ledger_interface,
)
from zgcompute.errors import ChainError

ALICE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
AURORA = "0x3333333333333333333333333333333333333333"
SERVICE = (AURORA, "chatbot", "URLURLURL", 1, 2, 3, "m", "TeeML", "{}", ALICE.lower(), True)


def services_page(total: int = 1) -> bytes:
    types = [p.abi_type for p in inference_interface().functions["getAllServices"].outputs]
    return encode(types, [[SERVICE], total])


def test_structs_come_out_as_dicts_with_checksummed_addresses() -> None:
    items, total = inference_interface().decode_result("getAllServices", services_page(7))
    assert total == 7
    assert items[0]["teeSignerAddress"] == ALICE
    assert items[0]["url"] == "URLURLURL"
    assert items[0]["teeSignerAcknowledged"] is True


def test_broken_text_of_one_provider_does_not_hide_the_others() -> None:
    page = services_page().replace(b"URLURLURL", b"URL\xff\xfe\x80URL")
    items, _ = inference_interface().decode_result("getAllServices", page)
    assert items[0]["url"] == "URL\ufffd\ufffd\ufffdURL"


@pytest.mark.parametrize(
    "returned",
    [b"", b"\0" * 31, b"\xff" * 64, b"\0" * 64, services_page()[:-64], b"\0" * 31 + b"\x40"],
)
def test_bytes_that_do_not_fit_are_an_error_that_names_the_function(returned: bytes) -> None:
    with pytest.raises(ChainError, match=r"InferenceServing\.getAllServices"):
        inference_interface().decode_result("getAllServices", returned)


def test_an_absurdly_long_list_is_refused_before_it_is_read() -> None:
    numbers = Parameter("numbers", "uint256[]", indexed=False, components=())
    assert (
        len(decode_parameters([numbers], encode(["uint256[]"], [[1] * 500]), "x")["numbers"]) == 500
    )
    with pytest.raises(ChainError):
        decode_parameters([numbers], encode(["uint256[]"], [[1] * 501]), "x")
    claim = (32).to_bytes(32, "big") + (2**255).to_bytes(32, "big")
    with pytest.raises(ChainError):
        decode_parameters([numbers], claim, "x")


def test_a_boolean_that_is_none_is_refused() -> None:
    flag = Parameter("flag", "bool", indexed=False, components=())
    with pytest.raises(ChainError):
        decode_parameters([flag], (2).to_bytes(32, "big"), "x")


def topics(signature: str, *indexed: str) -> list[bytes]:
    return [keccak(text=signature), *(encode(["address"], [address]) for address in indexed)]


def test_a_log_is_decoded_in_the_order_of_the_abi() -> None:
    name, arguments = inference_interface().decode_log(
        topics("BalanceUpdated(address,address,uint256,uint256)", ALICE, AURORA),
        encode(["uint256", "uint256"], [5, 2]),
    ) or ("", {})
    assert name == "BalanceUpdated"
    assert list(arguments.items()) == [
        ("user", ALICE),
        ("provider", AURORA),
        ("amount", 5),
        ("pendingRefund", 2),
    ]


def test_an_unknown_log_is_nothing() -> None:
    assert ledger_interface().decode_log([b"\x01" * 32], b"") is None
    assert ledger_interface().decode_log([], b"") is None


def test_a_known_log_with_missing_parts_is_an_error() -> None:
    with pytest.raises(ChainError, match="TokenRevoked"):
        inference_interface().decode_log(topics("TokenRevoked(address,address,uint8)", ALICE), b"")


def test_nested_lists_are_decoded_by_their_items() -> None:
    inner = Parameter("id", "uint256", indexed=False, components=())
    outer = Parameter("pairs", "tuple[][]", indexed=False, components=(inner,))
    found = decode_parameters([outer], encode(["(uint256)[][]"], [[[(1,)], []]]), "x")
    assert found == {"pairs": (({"id": 1},), ())}


@pytest.mark.parametrize("interface", [ledger_interface(), inference_interface()])
def test_both_abis_are_complete_enough_to_encode_every_function(interface: Interface) -> None:
    samples = {"address": AURORA, "uint256": 1, "uint8": 1, "bool": True, "string": "s"}
    samples |= {"bytes4": b"\0" * 4, "address[]": [AURORA], "uint8[]": [1]}
    for entry in interface.functions.values():
        types = [parameter.abi_type for parameter in entry.inputs]
        if any("(" in one for one in types):
            continue
        data = interface.encode(entry.name, *(samples[one] for one in types))
        assert data.startswith("0x" + entry.topic[:4].hex())
