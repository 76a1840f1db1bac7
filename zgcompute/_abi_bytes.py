"""The ABI encoding of the types that the two contracts use: values to bytes and back (pure).

eth-abi and what it imports take 0.15 s to load, a third of what a command line may take in all,
so this is our own; tests hold it against eth-abi, byte for byte. Bytes from a chain are hostile:
every claimed length and place is checked, and no byte is read twice, so that what comes out is
never larger than what came in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

MAX_ARRAY = 500  # LedgerManager.MAX_SERVICES, the longest list either contract returns
_WORD = 32
_SIZED = re.compile(r"(uint|bytes)([1-9][0-9]{0,2})", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


class BadEncoding(ValueError):
    """Bytes that are not of the type, or a value that is not."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input or output of an ABI entry; `components` are the members of a struct."""

    name: str
    type: str
    indexed: bool
    components: tuple[Parameter, ...]

    @property
    def abi_type(self) -> str:
        """The canonical type text, structs spelled out: "(address,uint256)[]"."""
        if not self.type.startswith("tuple"):
            return self.type
        inner = ",".join(component.abi_type for component in self.components)
        return f"({inner}){self.type.removeprefix('tuple')}"

    @property
    def is_list(self) -> bool:
        return self.type.endswith("[]")


def encode(parameters: Sequence[Parameter], values: Sequence[Any]) -> bytes:
    """The encoding of `values`, structs as sequences; raises BadEncoding."""
    if len(parameters) != len(values):
        raise BadEncoding(f"{len(values)} values for {len(parameters)} parameters")
    place = sum(map(_head_size, parameters))
    heads, tails = [], []
    for parameter, value in zip(parameters, values, strict=True):
        encoded = _encoded(parameter, value)
        if _is_dynamic(parameter):
            heads.append(place.to_bytes(_WORD, "big"))
            tails.append(encoded)
            place += len(encoded)
        else:
            heads.append(encoded)
    return b"".join(heads + tails)


def decode(parameters: Sequence[Parameter], encoded: bytes) -> tuple[Any, ...]:
    """The values in `encoded`: lists and structs as tuples, addresses in lower case.

    Broken bytes of a text are replaced: one provider's must not hide the others. Everything else
    is strict; raises BadEncoding.
    """
    return _members(_Reader(encoded), parameters, 0)


class _Reader:
    """Gives out each byte of the encoding once."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._left = len(encoded)

    def take(self, place: int, count: int) -> bytes:
        self._left -= count
        if place + count > len(self._encoded):
            raise BadEncoding("it ends too early")
        if self._left < 0:
            raise BadEncoding("it uses the same bytes twice")
        return self._encoded[place : place + count]

    def number(self, place: int) -> int:
        return int.from_bytes(self.take(place, _WORD), "big")


def _members(reader: _Reader, parameters: Sequence[Parameter], start: int) -> tuple[Any, ...]:
    """Values one after the other; dynamic ones are elsewhere, at an offset from `start`."""
    heads = sum(map(_head_size, parameters))
    found, place = [], start
    for parameter in parameters:
        if _is_dynamic(parameter):
            offset = reader.number(place)
            if offset < heads:
                raise BadEncoding("an offset points back")
            found.append(_decoded(reader, parameter, start + offset))
        else:
            found.append(_decoded(reader, parameter, place))
        place += _head_size(parameter)
    return tuple(found)


def _decoded(reader: _Reader, parameter: Parameter, place: int) -> Any:
    if parameter.is_list:
        count = reader.number(place)
        if count > MAX_ARRAY:
            raise BadEncoding(f"a list of {count} elements is absurd")
        return _members(reader, [_item(parameter)] * count, place + _WORD)
    if parameter.type == "tuple":
        return _members(reader, parameter.components, place)
    if parameter.type in ("string", "bytes"):
        content = _content(reader, place)
        return content if parameter.type == "bytes" else content.decode("utf-8", "replace")
    return _of_word(parameter.type, reader.take(place, _WORD))


def _content(reader: _Reader, place: int) -> bytes:
    size = reader.number(place)
    padded = reader.take(place + _WORD, size + -size % _WORD)
    if any(padded[size:]):
        raise BadEncoding("its padding is not empty")
    return padded[:size]


def _of_word(kind: str, word: bytes) -> Any:
    if kind == "address":
        if any(word[:12]):
            raise BadEncoding("an address is longer than 20 bytes")
        return "0x" + word[12:].hex()
    if kind == "bool":
        return bool(_below(2, int.from_bytes(word, "big")))
    family, size = _sized(kind)
    if family == "uint":
        return _below(1 << size, int.from_bytes(word, "big"))
    if any(word[size:]):
        raise BadEncoding("its padding is not empty")
    return word[:size]


def _encoded(parameter: Parameter, value: Any) -> bytes:
    if parameter.is_list:
        items = encode([_item(parameter)] * len(value), value)
        return len(value).to_bytes(_WORD, "big") + items
    if parameter.type == "tuple":
        return encode(parameter.components, value)
    if parameter.type in ("string", "bytes"):
        content = value.encode() if parameter.type == "string" else bytes(value)
        padded = len(content) + -len(content) % _WORD
        return len(content).to_bytes(_WORD, "big") + content.ljust(padded, b"\0")
    return _in_word(parameter.type, value)


def _in_word(kind: str, value: Any) -> bytes:
    if kind == "address":
        if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
            raise BadEncoding("no address")
        return bytes.fromhex(value[2:]).rjust(_WORD, b"\0")
    if kind == "bool":
        return _below(2, value).to_bytes(_WORD, "big")
    family, size = _sized(kind)
    if family == "uint":
        return _below(1 << size, value).to_bytes(_WORD, "big")
    if len(value) != size:
        raise BadEncoding(f"{len(value)} bytes, not {size}")
    return bytes(value).ljust(_WORD, b"\0")


def _below(limit: int, number: int) -> int:
    if not isinstance(number, int) or not 0 <= number < limit:
        raise BadEncoding("a number out of its range")
    return number


@cache
def _sized(kind: str) -> tuple[str, int]:
    match = _SIZED.fullmatch(kind)
    if match is None:
        raise BadEncoding(f"the contracts have no {kind}")
    return match[1], int(match[2])


@cache
def _item(parameter: Parameter) -> Parameter:
    return replace(parameter, type=parameter.type.removesuffix("[]"))


@cache
def _is_dynamic(parameter: Parameter) -> bool:
    return (
        parameter.is_list
        or parameter.type in ("string", "bytes")
        or (parameter.type == "tuple" and any(map(_is_dynamic, parameter.components)))
    )


@cache
def _head_size(parameter: Parameter) -> int:
    if parameter.type == "tuple" and not _is_dynamic(parameter):
        return sum(map(_head_size, parameter.components))
    return _WORD
