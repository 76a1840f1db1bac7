"""A wallet's key in an encrypted file: the JSON form that wallets share (Web3 Secret Storage).

Encrypted with scrypt, by eth-account. Nothing here keeps or shows a key or a passphrase.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zgcompute import _reading as read
from zgcompute._private_files import read_object
from zgcompute.addresses import checksum
from zgcompute.errors import ConfigurationError, InvalidAddress
from zgcompute.signers import CURVE_ORDER

if TYPE_CHECKING:
    from zgcompute.types import Address

_HEX_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)
_LARGEST_SCRYPT = 1 << 30  # bytes that a file may make us use; ordinary ones take 256 MiB
_LONGEST_SCRYPT = 1 << 25  # n times r times p, some ten seconds; ordinary ones have 1 << 21
_LONGEST_PBKDF2 = 10_000_000  # rounds; ordinary ones have 262,144


def opened(path: Path) -> dict[str, Any]:
    """The content of a keystore file, still encrypted; raises ConfigurationError."""
    content = read_object(path)
    if content is None:
        raise ConfigurationError(f"There is no file {path}.", advice="Check the path.")
    named_address(content, path)
    _require_bearable(content, path)
    return content


def named_address(content: Mapping[str, Any], path: Path) -> Address:
    """The address that a keystore names; raises ConfigurationError."""
    text = content.get("address")
    try:
        return checksum("0x" + str(text).lower().removeprefix("0x"))
    except InvalidAddress:
        raise ConfigurationError(
            f"{path} is not a keystore: it names no address.", advice="Choose another file."
        ) from None


def unlocked(content: Mapping[str, Any], password: str, path: Path) -> bytes:
    """The private key in a keystore; raises ConfigurationError for another password or address."""
    key = _decrypted(content, password)
    if key is None:
        raise ConfigurationError(
            f"The passphrase does not open {path}.", advice="Try again, without stray spaces."
        )
    named = named_address(content, path)
    if address_of(key) != named:
        raise ConfigurationError(
            f"{path} names {named}, but holds the key of another address.",
            advice="Somebody changed it: put back a copy, or log in again.",
        )
    return key


def encrypted(key: bytes, password: str) -> dict[str, Any]:
    """The content of a keystore file with `key`."""
    from zgcompute._recursion import kept_recursion_limit

    with kept_recursion_limit():
        from eth_account import Account

    content: dict[str, Any] = Account.encrypt(key, password, kdf="scrypt")
    return content


def parsed_key(text: str, where: str) -> bytes:
    """The private key that is written in `text`; raises ConfigurationError naming `where`."""
    match = _HEX_KEY.fullmatch(text.strip())
    if match is None or not 0 < int(match[1], 16) < CURVE_ORDER:
        raise ConfigurationError(
            f"{where} is no private key.",
            advice="A key has 64 hexadecimal digits, with or without 0x.",
        )
    return bytes.fromhex(match[1])


def address_of(key: bytes) -> Address:
    """The address of a private key, without eth-account, which takes a second to load."""
    from eth_keys.datatypes import PrivateKey

    return checksum(PrivateKey(key).public_key.to_address())


def _decrypted(content: Mapping[str, Any], password: str) -> bytes | None:
    from zgcompute._recursion import kept_recursion_limit

    with kept_recursion_limit():
        from eth_account import Account

    try:
        return bytes(Account.decrypt(dict(content), password))
    except Exception:  # of many kinds; none may carry what was being opened into a report
        return None


def _require_bearable(content: Mapping[str, Any], path: Path) -> None:
    """Refuse a file whose key derivation would use up the machine's memory, or never end."""
    crypto = read.mapping(content.get("crypto") or content.get("Crypto"))
    chosen = read.mapping(crypto.get("kdfparams"))
    n, r, p, rounds = (
        value if isinstance(value := chosen.get(key), int) else 0 for key in ("n", "r", "p", "c")
    )
    if 128 * n * r > _LARGEST_SCRYPT:
        raise ConfigurationError(
            f"Opening {path} would take more than 1 GiB of memory.",
            advice="Save the key again with a smaller scrypt setting.",
        )
    if n * r * p > _LONGEST_SCRYPT or rounds > _LONGEST_PBKDF2:
        raise ConfigurationError(
            f"Opening {path} would take minutes.",
            advice="Save the key again with a smaller setting of scrypt or PBKDF2.",
        )
