"""keccak-256, of a library that loads in a millisecond: eth-hash's takes 0.04 s."""

from __future__ import annotations

import sha3


def keccak(content: bytes) -> bytes:
    """The hash of `content`, 32 bytes."""
    digest: bytes = sha3.keccak_256(content).digest()
    return digest


def checksummed(address: str) -> str:
    """The one spelling (EIP-55) of an address of 40 hexadecimal digits after 0x."""
    digits = address[2:].lower()
    digest = keccak(digits.encode()).hex()
    upper = (
        digit.upper() if int(nibble, 16) >= 8 else digit
        for digit, nibble in zip(digits, digest, strict=False)
    )
    return "0x" + "".join(upper)
