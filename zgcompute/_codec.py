"""Contract calls, results, logs and errors to and from ABI bytes (pure: no socket).

Strings on chain are attacker-chosen bytes: they are decoded leniently, so that one provider with
broken UTF-8 cannot make the whole catalog unreadable. Everything else is decoded strictly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from zgcompute import _keccak
from zgcompute._abi_bytes import BadEncoding, Parameter, decode, encode
from zgcompute.errors import ChainError
from zgcompute.types import Address


@dataclass(frozen=True, slots=True)
class Entry:
    """A function, event or error of a contract."""

    kind: str
    name: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(parameter.abi_type for parameter in self.inputs)})"

    @property
    def topic(self) -> bytes:
        """keccak256 of the signature: an event's topic; its first 4 bytes are the selector."""
        return _keccak.keccak(self.signature.encode())


class Interface:
    """One contract's ABI, indexed by name, selector and topic."""

    def __init__(self, name: str, entries: Sequence[Entry]) -> None:
        self.name = name
        self.functions = {entry.name: entry for entry in entries if entry.kind == "function"}
        self.events = {entry.topic: entry for entry in entries if entry.kind == "event"}
        self.errors = {entry.topic[:4]: entry for entry in entries if entry.kind == "error"}

    def encode(self, function: str, *arguments: Any) -> str:
        """Return the calldata of `function` as 0x text."""
        entry = self.functions[function]
        return "0x" + (entry.topic[:4] + encode(entry.inputs, arguments)).hex()

    def decode_result(self, function: str, returned: bytes) -> tuple[Any, ...]:
        """Return the outputs of `function`, structs as dicts; raises ChainError."""
        outputs = self.functions[function].outputs
        return tuple(decode_parameters(outputs, returned, f"{self.name}.{function}").values())

    def decode_log(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return an event's name and arguments; None where this contract has no such event."""
        entry = self.events.get(topics[0]) if topics else None
        if entry is None:
            return None
        indexed = [parameter for parameter in entry.inputs if parameter.indexed]
        plain = [parameter for parameter in entry.inputs if not parameter.indexed]
        where = f"{self.name}.{entry.name}"
        found = {
            **decode_parameters(indexed, b"".join(topics[1:]), where),
            **decode_parameters(plain, data, where),
        }
        return entry.name, {parameter.name: found[parameter.name] for parameter in entry.inputs}


@cache
def ledger_interface() -> Interface:
    """The ABI of LedgerManager."""
    return Interface("LedgerManager", _load("ledger"))


@cache
def inference_interface() -> Interface:
    """The ABI of InferenceServing."""
    return Interface("InferenceServing", _load("inference"))


@lru_cache(maxsize=4096)
def checksummed(address: str) -> Address:
    """Return a decoded address in its one spelling (cached: lists repeat the same few)."""
    return Address(_keccak.checksummed(address))


def decode_parameters(
    parameters: Sequence[Parameter], encoded: bytes, where: str
) -> dict[str, Any]:
    """Decode `encoded` to a dict by parameter name (or position, where it has none).

    Raises ChainError naming `where` if the bytes do not fit.
    """
    try:
        values = decode(parameters, encoded)
    except BadEncoding as error:
        raise ChainError(
            f"{where} answered something that its interface does not allow.",
            advice="Check the contract addresses and RPC URLs of this network.",
        ) from error
    return _named(parameters, values)


def _load(name: str) -> list[Entry]:
    text = files("zgcompute").joinpath("_abi", f"{name}.json").read_text("utf-8")
    return [_entry(item) for item in json.loads(text)]


def _entry(item: Mapping[str, Any]) -> Entry:
    return Entry(
        kind=item["type"],
        name=item.get("name", ""),
        inputs=_parameters(item.get("inputs", ())),
        outputs=_parameters(item.get("outputs", ())),
    )


def _parameters(items: Sequence[Mapping[str, Any]]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name=item["name"],
            type=item["type"],
            indexed=item.get("indexed", False),
            components=_parameters(item.get("components", ())),
        )
        for item in items
    )


def _named(parameters: Sequence[Parameter], values: Sequence[Any]) -> dict[str, Any]:
    return {
        parameter.name or str(position): _value(parameter, parameter.type, value)
        for position, (parameter, value) in enumerate(zip(parameters, values, strict=True))
    }


def _value(parameter: Parameter, abi_type: str, value: Any) -> Any:
    if abi_type.endswith("]"):
        item_type = abi_type[: abi_type.rindex("[")]
        return tuple(_value(parameter, item_type, item) for item in value)
    if abi_type == "tuple":
        return _named(parameter.components, value)
    return checksummed(value) if abi_type == "address" else value
