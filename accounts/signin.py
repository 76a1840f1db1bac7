"""Sign-in messages (EIP-4361): written by us, signed by a wallet, read back and checked (pure).

Who signed is not decided here: see `accounts.entrance`.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from zgcompute.addresses import checksum
from zgcompute.errors import InvalidAddress, VerificationError
from zgcompute.types import Address

LIFETIME = timedelta(minutes=10)
MAX_SKEW = timedelta(minutes=1)  # how far a clock may be ahead of ours
MAX_LENGTH = 4000

_ALPHANUMERIC = re.compile(r"[0-9A-Za-z]{8,64}", re.ASCII)
_MESSAGE = re.compile(
    r"(?:(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://)?(?P<domain>[^\s/?#@]+)"
    r" wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n\n"
    r"(?:(?P<statement>[^\n]+)\n)?\n"
    r"URI: (?P<uri>[^\s]+)\n"
    r"Version: (?P<version>[^\n]+)\n"
    r"Chain ID: (?P<chain_id>[0-9]{1,18})\n"
    r"Nonce: (?P<nonce>[^\n]+)\n"
    r"Issued At: (?P<issued_at>[^\n]+)"
    r"(?:\nExpiration Time: (?P<expires_at>[^\n]+))?"
    r"(?:\nNot Before: (?P<not_before>[^\n]+))?"
    r"(?:\nRequest ID: (?P<request_id>[^\n]*))?"
    r"(?:\nResources:(?P<resources>(?:\n- [^\s]+)*))?",
    re.ASCII,
)
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})", re.ASCII
)


class SignInRefused(VerificationError):
    """The message or its signature does not sign anybody in here; says which rule it breaks."""

    default_advice = "Start the sign-in again from this page."


@dataclass(frozen=True, slots=True)
class SignInMessage:
    """An EIP-4361 message; `str()` is the exact text that a wallet shows and signs."""

    domain: str
    address: Address
    uri: str
    chain_id: int
    nonce: str
    issued_at: datetime
    expires_at: datetime | None = None
    not_before: datetime | None = None
    statement: str = ""
    version: str = "1"
    scheme: str = ""
    request_id: str | None = None
    resources: tuple[str, ...] = ()

    def __str__(self) -> str:
        origin = f"{self.scheme}://{self.domain}" if self.scheme else self.domain
        lines = [
            f"{origin} wants you to sign in with your Ethereum account:",
            self.address,
            "",
            *([self.statement] if self.statement else []),
            "",
            f"URI: {self.uri}",
            f"Version: {self.version}",
            f"Chain ID: {self.chain_id}",
            f"Nonce: {self.nonce}",
            f"Issued At: {_written(self.issued_at)}",
        ]
        if self.expires_at:
            lines.append(f"Expiration Time: {_written(self.expires_at)}")
        if self.not_before:
            lines.append(f"Not Before: {_written(self.not_before)}")
        if self.request_id is not None:
            lines.append(f"Request ID: {self.request_id}")
        if self.resources:
            lines += ["Resources:", *(f"- {resource}" for resource in self.resources)]
        return "\n".join(lines)

    @classmethod
    def parse(cls, text: str) -> SignInMessage:
        """Read a message; raises SignInRefused unless it follows EIP-4361 to the letter."""
        match = _MESSAGE.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if match is None:
            raise SignInRefused("This is not a sign-in message (EIP-4361).")
        resources = match["resources"] or ""
        return cls(
            scheme=match["scheme"] or "",
            domain=match["domain"],
            address=_address(match["address"]),
            statement=match["statement"] or "",
            uri=match["uri"],
            version=match["version"],
            chain_id=int(match["chain_id"]),
            nonce=match["nonce"],
            issued_at=_time(match["issued_at"], "Issued At"),
            expires_at=_optional_time(match["expires_at"], "Expiration Time"),
            not_before=_optional_time(match["not_before"], "Not Before"),
            request_id=match["request_id"],
            resources=tuple(resources.removeprefix("\n- ").split("\n- ")) if resources else (),
        )

    def check(self, *, domain: str, scheme: str, chain_id: int, now: datetime) -> None:
        """Raise SignInRefused unless the message is for this site, this chain and this moment."""
        if self.domain != domain or self.scheme not in ("", scheme):
            raise SignInRefused(f"The message is for {self.domain}, not for {domain}.")
        if urlsplit(self.uri)[:2] != (scheme, domain):
            raise SignInRefused("The message names another page than this site's.")
        if self.version != "1":
            raise SignInRefused(f"The message has version {self.version}; only 1 is known.")
        if self.chain_id != chain_id:
            raise SignInRefused(f"The message is for chain {self.chain_id}, not {chain_id}.")
        if not _ALPHANUMERIC.fullmatch(self.nonce):
            raise SignInRefused("The nonce of the message is malformed.")
        self._check_times(now)

    def _check_times(self, now: datetime) -> None:
        if self.issued_at > now + MAX_SKEW:
            raise SignInRefused("The message was issued in the future.")
        if now >= self.issued_at + LIFETIME:
            raise SignInRefused("The message is too old.")
        if self.expires_at and now >= self.expires_at:
            raise SignInRefused("The message has expired.")
        if self.not_before and now < self.not_before:
            raise SignInRefused("The message is not valid yet.")


def new_nonce() -> str:
    """A fresh nonce: 128 random bits in the alphabet that EIP-4361 allows."""
    return secrets.token_hex(16)


def _written(when: datetime) -> str:
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")


def _address(text: str) -> Address:
    try:
        address = checksum(text)
    except InvalidAddress as error:
        raise SignInRefused(str(error)) from error
    if address != text:
        raise SignInRefused("The address in the message is not written with its checksum.")
    return address


def _time(text: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(_TIME.fullmatch(text)[0])  # type: ignore[index]
    except (TypeError, ValueError):
        raise SignInRefused(f"{name} of the message is not a time.") from None


def _optional_time(text: str | None, name: str) -> datetime | None:
    return None if text is None else _time(text, name)
