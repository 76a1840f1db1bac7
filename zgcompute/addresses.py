"""EVM addresses: one spelling (EIP-55) inside, any valid spelling accepted at the edge."""

from __future__ import annotations

import re

from zgcompute._keccak import checksummed
from zgcompute.errors import InvalidAddress
from zgcompute.types import Address

_HEX_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


def checksum(text: str) -> Address:
    """Return `text` as a checksummed address.

    Raises InvalidAddress if it is no address, or if it mixes cases and its checksum is wrong.
    """
    if not _HEX_ADDRESS.fullmatch(text):
        raise InvalidAddress(f"{text[:60]!r} is not an address.")
    address = Address(checksummed(text))
    if text != address and text[2:] not in (text[2:].lower(), text[2:].upper()):
        raise InvalidAddress(f"The checksum of {text} is wrong: a digit or a case was changed.")
    return address


def same(left: str, right: str) -> bool:
    """Tell whether two spellings name the same address."""
    return left.lower() == right.lower()
