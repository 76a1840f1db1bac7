"""Who signs: a protocol for anything that holds a key, and a local private key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from zgcompute._recursion import kept_recursion_limit
from zgcompute.errors import ConfigurationError
from zgcompute.types import Address

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


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


def _account(private_key: str | bytes) -> LocalAccount | None:
    with kept_recursion_limit():
        from eth_account import Account

    try:
        account: LocalAccount = Account.from_key(private_key)
    except Exception:  # of many kinds, some with the key in their text: none may be kept
        return None
    return account
