"""Our ABI encoding against eth-abi's, on what the contracts say and on what an attacker might."""

from __future__ import annotations

import random
from typing import Any

import pytest
from eth_abi.codec import ABICodec
from eth_abi.decoding import StringDecoder
from eth_abi.encoding import TextStringEncoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import BaseEquals, registry
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak as reference_keccak

from zgcompute._abi_bytes import BadEncoding, Parameter, decode, encode
from zgcompute._codec import inference_interface, ledger_interface
from zgcompute._keccak import checksummed, keccak

ENTRIES = [
    parameters
    for interface in (ledger_interface(), inference_interface())
    for entry in (*interface.functions.values(), *interface.errors.values())
    for parameters in (entry.inputs, entry.outputs)
    if parameters
]
ROUNDS = 12  # of every entry; with as many damaged copies each


class LenientText(StringDecoder):
    def __init__(self) -> None:
        super().__init__(handle_string_errors="replace")


def reference() -> ABICodec:
    lenient = registry.copy()
    lenient.unregister("string")
    lenient.register(BaseEquals("string"), TextStringEncoder, LenientText, label="string")
    return ABICodec(lenient)


CODEC = reference()


def types(parameters: tuple[Parameter, ...]) -> list[str]:
    return [parameter.abi_type for parameter in parameters]


def some_value(dice: random.Random, parameter: Parameter, kind: str | None = None) -> Any:
    kind = parameter.type if kind is None else kind
    if kind.endswith("[]"):
        item = kind.removesuffix("[]")
        return tuple(some_value(dice, parameter, item) for _ in range(dice.randrange(4)))
    if kind == "tuple":
        return tuple(some_value(dice, member) for member in parameter.components)
    if kind in ("string", "bytes"):
        content = dice.randbytes(dice.choice((0, 1, 31, 32, 33, 90)))
        return content if kind == "bytes" else content.hex() + "é"
    if kind == "bool":
        return dice.random() < 0.5
    if kind == "address":
        return "0x" + dice.randbytes(20).hex()
    if kind.startswith("bytes"):
        return dice.randbytes(int(kind[5:]))
    return dice.choice((0, 1, (1 << int(kind[4:])) - 1, dice.getrandbits(int(kind[4:]))))


def damaged(dice: random.Random, encoded: bytes) -> bytes:
    """A copy with a changed word, a changed byte, or a part missing or repeated."""
    copy = bytearray(encoded)
    place = dice.randrange(len(copy)) if copy else 0
    word = place - place % 32
    match dice.randrange(5):
        case 0:
            copy[word : word + 32] = dice.choice((0, 1, 32, 64, 501, len(copy))).to_bytes(32, "big")
        case 1:
            copy[place : place + 1] = dice.randbytes(1)
        case 2:
            del copy[place:]
        case 3:
            copy[word : word + 32] = b"\xff" * dice.choice((1, 31, 32))
        case 4:
            copy += dice.randbytes(32)
    return bytes(copy)


@pytest.mark.parametrize("parameters", ENTRIES, ids=lambda found: ",".join(types(found))[:60])
def test_bytes_and_values_are_those_of_eth_abi(parameters: tuple[Parameter, ...]) -> None:
    dice = random.Random(",".join(types(parameters)))
    for _ in range(ROUNDS):
        values = tuple(some_value(dice, parameter) for parameter in parameters)
        encoded = CODEC.encode(types(parameters), values)
        assert encode(parameters, values) == encoded
        assert decode(parameters, encoded) == values


@pytest.mark.parametrize("parameters", ENTRIES, ids=lambda found: ",".join(types(found))[:60])
def test_what_is_taken_of_hostile_bytes_is_what_eth_abi_takes(
    parameters: tuple[Parameter, ...],
) -> None:
    dice = random.Random(",".join(types(parameters)))
    for _ in range(ROUNDS * 4):
        values = tuple(some_value(dice, parameter) for parameter in parameters)
        hostile = damaged(dice, encode(parameters, values))
        try:
            found = decode(parameters, hostile)
        except BadEncoding:
            continue
        assert found == CODEC.decode(types(parameters), hostile)


def test_hostile_bytes_are_refused_wherever_eth_abi_refuses_them() -> None:
    """The same the other way round: the fuzz above must have met many refusals of both."""
    dice, both = random.Random(1), 0
    for parameters in ENTRIES:
        for _ in range(ROUNDS):
            values = tuple(some_value(dice, parameter) for parameter in parameters)
            hostile = damaged(dice, encode(parameters, values))
            try:
                CODEC.decode(types(parameters), hostile)
            except (DecodingError, OverflowError):
                with pytest.raises(BadEncoding):
                    decode(parameters, hostile)
                both += 1
    assert both > 100


def test_the_same_bytes_are_not_read_twice() -> None:
    """500 pointers to one large text would make a small reply fill the memory."""
    texts = (Parameter("texts", "string[]", False, ()),)
    text = (1024).to_bytes(32, "big") + b"x" * 1024
    pointers = (500 * 32).to_bytes(32, "big") * 500
    bomb = (32).to_bytes(32, "big") + (500).to_bytes(32, "big") + pointers + text
    with pytest.raises(BadEncoding, match="twice"):
        decode(texts, bomb)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint256", -1),
        ("uint256", "1"),
        ("bool", 2),
        ("address", "0x12"),
        ("bytes4", b"\0"),
        ("int8", 1),
        ("bytes32", b"\0" * 33),
    ],
)
def test_a_value_of_another_type_is_not_encoded(kind: str, value: object) -> None:
    with pytest.raises(BadEncoding):
        encode([Parameter("", kind, False, ())], [value])
    with pytest.raises(BadEncoding):
        encode([Parameter("", kind, False, ())], [])


def test_hashes_and_spellings_of_addresses_are_those_of_eth_utils() -> None:
    dice = random.Random(7)
    for size in (0, 1, 20, 135, 136, 137, 1000):
        content = dice.randbytes(size)
        assert keccak(content) == reference_keccak(content)
    for _ in range(50):
        address = "0x" + dice.randbytes(20).hex()
        assert checksummed(address) == to_checksum_address(address)
