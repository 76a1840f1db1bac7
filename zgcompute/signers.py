"""Who signs: a protocol for anything that holds a key, and a local private key.

Wherever the SDK takes a signer it also takes any object with an `address` and a `sign` of 32 bytes:
see `as_signer`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from zgcompute._recursion import kept_recursion_limit
from zgcompute.addresses import checksum
from zgcompute.errors import ConfigurationError, SignatureMismatch
from zgcompute.types import Address

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1


@runtime_checkable
class Signer(Protocol):
    """Anything that can sign for one address: a local key, a keystore, a hardware wallet."""

    @property
    def address(self) -> Address:
        """The checksummed address that the signatures belong to."""

    def sign_message(self, message: bytes) -> str:
        """Return the EIP-191 (personal_sign) signature of `message`: 0x, r, s, v as 65 bytes."""

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Return the signed raw transaction for a complete transaction dictionary."""


class LocalSigner:
    """Signs with a private key held in memory; the key is never shown, logged or pickled."""

    __slots__ = ("_account",)

    def __init__(self, private_key: str | bytes) -> None:
        """Take the key as 0x text or 32 bytes; raises ConfigurationError if it is none."""
        account = _account(private_key)
        if account is None:
            raise ConfigurationError(
                "The private key is not valid.", advice="It has 64 hexadecimal digits."
            )
        self._account = account

    @classmethod
    def from_environment(cls, name: str = "ZG_PRIVATE_KEY") -> LocalSigner:
        """Return the signer whose key is in the environment variable `name`.

        Raises ConfigurationError naming the variable if it is missing or no key.
        """
        key = os.environ.get(name, "").strip()
        if not key:
            raise ConfigurationError(
                f"The environment variable {name} is not set.",
                advice="Put the private key of the wallet into it.",
            )
        try:
            return cls(key)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"The environment variable {name} does not hold a private key.",
                advice=error.advice,
            ) from None

    @classmethod
    def from_keystore(cls, path: str | Path, password: str) -> LocalSigner:
        """Return the signer whose key is in the encrypted JSON keystore at `path`.

        It is the form that wallets, geth and `0g-compute-cli login` write. Raises
        ConfigurationError where the password does not open it, or it is no keystore.
        """
        from zgcompute import keystores

        file = Path(path)
        return cls(keystores.unlocked(keystores.opened(file), password, file))

    @property
    def address(self) -> Address:
        """The checksummed address of the key."""
        return Address(str(self._account.address))

    def sign_message(self, message: bytes) -> str:
        """Return the EIP-191 (personal_sign) signature of `message`: 0x, r, s, v as 65 bytes."""
        from eth_account.messages import encode_defunct

        signed = self._account.sign_message(encode_defunct(primitive=message))
        return "0x" + bytes(signed.signature).hex()

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Return the signed raw transaction for a complete transaction dictionary."""
        return bytes(self._account.sign_transaction(dict(transaction)).raw_transaction)

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"

    def __reduce__(self) -> str:
        raise TypeError("A LocalSigner holds a private key and is not pickled.")


class HashSigner:
    """Makes a Signer of somebody who signs 32 bytes at a time: a security module, another library.

    `sign` is given the hash and returns r, s, v: 65 bytes, or 0x and their hexadecimal digits, v
    being 0, 1, 27 or 28. What it returns is checked; raises SignatureMismatch for another key's.
    """

    __slots__ = ("_address", "_sign")

    def __init__(self, address: str, sign: Callable[[bytes], bytes | str]) -> None:
        self._address = checksum(address)
        self._sign = sign

    @property
    def address(self) -> Address:
        """The checksummed address of the key."""
        return self._address

    def sign_message(self, message: bytes) -> str:
        """Return the EIP-191 (personal_sign) signature of `message`: 0x, r, s, v as 65 bytes."""
        from eth_utils.crypto import keccak

        r, s, parity = self._signed(
            keccak(b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message))
        )
        return f"0x{r:064x}{s:064x}{parity + 27:02x}"

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Return the signed raw transaction for a complete transaction dictionary."""
        with kept_recursion_limit():
            from eth_account._utils.legacy_transactions import (
                encode_transaction,
                serializable_unsigned_transaction_from_dict,
            )

        unsigned = serializable_unsigned_transaction_from_dict(dict(transaction))
        r, s, parity = self._signed(bytes(unsigned.hash()))
        is_legacy = "gasPrice" in transaction
        v = parity + 35 + 2 * transaction["chainId"] if is_legacy else parity  # EIP-155
        return bytes(encode_transaction(unsigned, vrs=(v, r, s)))

    def __repr__(self) -> str:
        return f"HashSigner({self.address})"

    def _signed(self, digest: bytes) -> tuple[int, int, int]:
        """Have `digest` signed; r, s of the lower half of the curve's order (EIP-2), parity."""
        from eth_keys.datatypes import Signature
        from eth_keys.exceptions import BadSignature
        from eth_utils.exceptions import ValidationError

        from zgcompute.session import normal_signature

        given = self._sign(digest)
        text = given if isinstance(given, str) else "0x" + bytes(given).hex()
        normal = bytes.fromhex(normal_signature(text)[2:])
        r, s = int.from_bytes(normal[:32], "big"), int.from_bytes(normal[32:64], "big")
        parity = normal[64] - 27
        if s > CURVE_ORDER // 2:
            s, parity = CURVE_ORDER - s, 1 - parity
        try:
            key = Signature(vrs=(parity, r, s)).recover_public_key_from_msg_hash(digest)
            found = str(key.to_checksum_address())
        except (BadSignature, ValidationError, ValueError):
            found = "no key at all"
        if found != str(self.address):
            raise SignatureMismatch(
                f"The signature was made by {found}, not by {self.address}.",
                advice="Sign with the key of the address that the signer names.",
            )
        return r, s, parity


def as_signer(given: object) -> Signer:
    """Return `given` as a Signer; raises ConfigurationError where it cannot sign.

    That is a Signer itself; an object with an `address` and a `sign`, as `HashSigner` wants it; or
    an account of eth-account.
    """
    sign = getattr(given, "sign", None) or getattr(given, "unsafe_sign_hash", None)
    address = getattr(given, "address", None)
    if callable(sign) and isinstance(address, str):
        return HashSigner(address, lambda digest: _signature_of(sign(digest)))
    if isinstance(given, Signer):
        return given
    raise ConfigurationError(
        f"A {type(given).__name__} cannot sign.",
        advice="A signer has an address, and sign, or sign_message and sign_transaction.",
    )


def _signature_of(signed: Any) -> bytes | str:
    """The signature in what a library returns: itself, or in an object around it."""
    found: bytes | str = getattr(signed, "signature", signed)
    return found


def _account(private_key: str | bytes) -> LocalAccount | None:
    with kept_recursion_limit():
        from eth_account import Account

    try:
        account: LocalAccount = Account.from_key(private_key)
    except Exception:  # of many kinds, some with the key in their text: none may be kept
        return None
    return account
