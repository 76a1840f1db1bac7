"""The wallet's key: from ZG_PRIVATE_KEY, or else the encrypted keystore. Never shown."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zgcompute.cli.confirming import can_ask
from zgcompute.cli.folder import folder, read_object, write_object

if TYPE_CHECKING:
    from zgcompute.signers import LocalSigner
    from zgcompute.types import Address

FILE = "keystore.json"
KEY_VARIABLE = "ZG_PRIVATE_KEY"
PASSPHRASE_VARIABLE = "ZG_KEYSTORE_PASSWORD"  # noqa: S105 - a name


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
    from zgcompute.keystores import address_of, parsed_key

    given = os.environ.get(KEY_VARIABLE, "").strip()
    if given:
        return Source(address_of(parsed_key(given, KEY_VARIABLE)), "environment", KEY_VARIABLE)
    address_kept = kept()
    return Source(address_kept, "keystore", str(path())) if address_kept else None


def kept() -> Address | None:
    """The address that the keystore file names, or None where there is no file."""
    from zgcompute.keystores import named_address

    content = read_object(path())
    return None if content is None else named_address(content, path())


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
    return LocalSigner(opened(path(), f"Passphrase of {source.address}")[0])


def opened(file: Path, question: str) -> tuple[bytes, str]:
    """The key and passphrase of a keystore file; raises ConfigurationError."""
    from zgcompute import keystores

    content = keystores.opened(file)
    passphrase = os.environ.get(PASSPHRASE_VARIABLE) or asked(question)
    return keystores.unlocked(content, passphrase, file), passphrase


def save(key: bytes, passphrase: str) -> Path:
    """Write the keystore with `key`, encrypted with `passphrase`."""
    from zgcompute.keystores import encrypted

    return write_object(FILE, encrypted(key, passphrase))


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
