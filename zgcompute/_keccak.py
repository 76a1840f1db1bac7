"""keccak-256 without eth-hash, whose search for a backend takes as long to load as the hash."""

from __future__ import annotations

from Crypto.Hash import keccak as _keccak


def keccak(content: bytes) -> bytes:
    """The hash of `content`, 32 bytes."""
    return _keccak.new(digest_bits=256, data=content).digest()


def checksummed(address: str) -> str:
    """The one spelling (EIP-55) of an address of 40 hexadecimal digits after 0x."""
    digits = address[2:].lower()
    digest = keccak(digits.encode()).hex()
    upper = (
        digit.upper() if int(nibble, 16) >= 8 else digit
        for digit, nibble in zip(digits, digest, strict=False)
    )
    return "0x" + "".join(upper)
