"""The wallet's key: from ZG_PRIVATE_KEY, or else the encrypted keystore. Never shown, never kept.

The keystore is the JSON form that wallets share (Web3 Secret Storage), encrypted with scrypt.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zgcompute.cli.confirming import can_ask
from zgcompute.cli.folder import folder, read_object, write_object

if TYPE_CHECKING:
    from zgcompute.signers import LocalSigner
    from zgcompute.types import Address

FILE = "keystore.json"
KEY_VARIABLE = "ZG_PRIVATE_KEY"
PASSPHRASE_VARIABLE = "ZG_KEYSTORE_PASSWORD"  # noqa: S105 - a name
_HEX_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
_LARGEST_SCRYPT = 1 << 30  # bytes that a file may make us use; ordinary ones take 256 MiB


@dataclass(frozen=True, slots=True)
class Source:
    """Whose key there is, and where it comes from: "environment" or "keystore"."""

    address: Address
    kind: str
    place: str


def path() -> Path:
    """Where the keystore is, or would be."""
    return folder() / FILE


def found() -> Source | None:
    """The key that commands use, or None; decrypts nothing. Raises ConfigurationError."""
    given = os.environ.get(KEY_VARIABLE, "").strip()
    if given:
        return Source(address_of(parsed(given, KEY_VARIABLE)), "environment", KEY_VARIABLE)
    address_kept = kept()
    return Source(address_kept, "keystore", str(path())) if address_kept else None


def kept() -> Address | None:
    """The address that the keystore file names, or None where there is no file."""
    content = read_object(path())
    return None if content is None else _address_in(content, path())


def parsed(text: str, where: str) -> bytes:
    """The private key that is written in `text`; raises ConfigurationError naming `where`."""
    from zgcompute.errors import ConfigurationError

    match = _HEX_KEY.fullmatch(text.strip())
    if match is None or not 0 < int(match[1], 16) < _ORDER:
        raise ConfigurationError(
            f"{where} is no private key.",
            advice="A key has 64 hexadecimal digits, with or without 0x.",
        )
    return bytes.fromhex(match[1])


def address_of(key: bytes) -> Address:
    """The address of a private key, without eth-account, which takes a second to load."""
    from eth_keys.datatypes import PrivateKey

    from zgcompute.addresses import checksum

    return checksum(PrivateKey(key).public_key.to_address())


def required() -> Source:
    """The key that commands use; raises ConfigurationError where there is none."""
    from zgcompute.errors import ConfigurationError

    source = found()
    if source is None:
        raise ConfigurationError(
            "There is no wallet key.",
            advice=f"Save one with: 0g-compute-cli login. Or set {KEY_VARIABLE}.",
        )
    return source


def signer(source: Source) -> LocalSigner:
    """Unlock the key of `source`, asking for its passphrase if need be."""
    from zgcompute.signers import LocalSigner

    if source.kind == "environment":
        return LocalSigner.from_environment(KEY_VARIABLE)
    return opened(path(), f"Passphrase of {source.address}")[0]


def opened(file: Path, question: str) -> tuple[LocalSigner, bytes, str]:
    """The signer, key and passphrase of a keystore file; raises ConfigurationError."""
    from zgcompute.errors import ConfigurationError
    from zgcompute.signers import LocalSigner

    content = read_object(file)
    if content is None:
        raise ConfigurationError(f"There is no file {file}.", advice="Check the path.")
    named = _address_in(content, file)
    _require_bearable(content, file)
    passphrase = os.environ.get(PASSPHRASE_VARIABLE) or asked(question)
    key = _decrypted(content, passphrase)
    if key is None:
        raise ConfigurationError(
            f"The passphrase does not open {file}.", advice="Try again, without stray spaces."
        )
    unlocked = LocalSigner(key)
    if unlocked.address != named:
        raise ConfigurationError(
            f"{file} names {named}, but holds the key of another address.",
            advice="Somebody changed it: put back a copy, or log in again.",
        )
    return unlocked, key, passphrase


def save(key: bytes, passphrase: str) -> Path:
    """Write the keystore with `key`, encrypted with `passphrase` (eth-account's scrypt)."""
    from zgcompute._recursion import kept_recursion_limit

    with kept_recursion_limit():
        from eth_account import Account

    return write_object(FILE, Account.encrypt(key, passphrase, kdf="scrypt"))


def new_passphrase() -> str:
    """The passphrase of a new keystore, asked for twice or from the environment."""
    from zgcompute.errors import ConfigurationError

    phrase = os.environ.get(PASSPHRASE_VARIABLE) or asked("New passphrase", twice=True)
    if len(phrase) < 8:
        raise ConfigurationError(
            "The passphrase is shorter than 8 characters.",
            advice="It is all that protects the key of whoever copies the file.",
        )
    return phrase


def asked(question: str, *, twice: bool = False) -> str:
    """Ask for a secret without echo; raises ConfigurationError where nobody can be asked."""
    from zgcompute.errors import ConfigurationError

    if not can_ask():
        raise ConfigurationError(
            f"{question}: there is no terminal to ask on.",
            advice=f"Put the key into {KEY_VARIABLE}, or the passphrase into "
            f"{PASSPHRASE_VARIABLE}.",
        )
    answer: str = click.prompt(question, hide_input=True, confirmation_prompt=twice, err=True)
    return answer


def _decrypted(content: dict[str, Any], passphrase: str) -> bytes | None:
    from zgcompute._recursion import kept_recursion_limit

    with kept_recursion_limit():
        from eth_account import Account

    try:
        return bytes(Account.decrypt(content, passphrase))
    except Exception:  # of many kinds; none may carry what was being opened into a report
        return None


def _address_in(content: dict[str, Any], file: Path) -> Address:
    from zgcompute.addresses import checksum
    from zgcompute.errors import ConfigurationError, InvalidAddress

    text = content.get("address")
    try:
        return checksum("0x" + str(text).lower().removeprefix("0x"))
    except InvalidAddress:
        raise ConfigurationError(
            f"{file} is not a keystore: it names no address.", advice="Choose another file."
        ) from None


def _require_bearable(content: dict[str, Any], file: Path) -> None:
    """Refuse a file whose key derivation would use up the machine's memory."""
    from zgcompute import _reading as read
    from zgcompute.errors import ConfigurationError

    crypto = read.mapping(content.get("crypto") or content.get("Crypto"))
    chosen = read.mapping(crypto.get("kdfparams"))
    n, r = (value if isinstance(value := chosen.get(k), int) else 0 for k in ("n", "r"))
    if 128 * n * r > _LARGEST_SCRYPT:
        raise ConfigurationError(
            f"Opening {file} would take more than 1 GiB of memory.",
            advice="Save the key again with a smaller scrypt setting.",
        )
