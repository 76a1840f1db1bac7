"""The ABI codec for hostile contract data; imports eth_abi, so it is itself imported lazily."""

from __future__ import annotations

from typing import Any

from eth_abi.codec import ABICodec
from eth_abi.decoding import DynamicArrayDecoder, StringDecoder
from eth_abi.encoding import BaseArrayEncoder, TextStringEncoder
from eth_abi.exceptions import InsufficientDataBytes
from eth_abi.registry import BaseEquals, has_arrlist, registry

MAX_ARRAY = 500  # LedgerManager.MAX_SERVICES, the longest list either contract returns


class LenientString(StringDecoder):
    """Text with every broken byte replaced, where eth_abi would refuse the whole reply."""

    def __init__(self) -> None:
        super().__init__(handle_string_errors="replace")  # type: ignore[no-untyped-call]


class BoundedArray(DynamicArrayDecoder):
    """A dynamic array (the contracts have no other) that refuses an absurd length at once."""

    @classmethod
    def from_type_str(cls, abi_type: str, registry: Any) -> BoundedArray:
        return cls(item_decoder=registry.get_decoder(abi_type.removesuffix("[]")))

    def validate_pointers(self, stream: Any, array_size: int) -> None:
        if array_size > MAX_ARRAY:
            raise InsufficientDataBytes(f"an array of {array_size} elements is absurd")
        super().validate_pointers(stream, array_size)


def build_codec() -> ABICodec:
    """Return a codec that is strict about everything but text."""
    lenient = registry.copy()  # type: ignore[no-untyped-call]
    lenient.unregister("string")
    lenient.register(
        BaseEquals("string"),  # type: ignore[no-untyped-call]
        TextStringEncoder,
        LenientString,
        label="string",
    )
    lenient.unregister("has_arrlist")
    lenient.register(has_arrlist, BaseArrayEncoder, BoundedArray, label="has_arrlist")
    return ABICodec(lenient)
