"""Who is asking: the session token checks of PROTOCOL §1.4, in the broker's order and words."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from devnet.providers.wire import Refusal
from zgcompute.types import Address, SubAccount

PREFIX = "Bearer app-sk-"
EPHEMERAL = 255
LONGEST_EPHEMERAL_MS = 86_400_000
CHECKED_FOR = 300.0  # seconds a good signature is remembered

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_HEX_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_INTEGER_FIELDS = {  # name: (Go type, smallest, largest)
    "timestamp": ("int64", -(2**63), 2**63 - 1),
    "expiresAt": ("int64", -(2**63), 2**63 - 1),
    "generation": ("uint64", 0, 2**64 - 1),
    "tokenId": ("uint8", 0, 255),
}
_TEXT_FIELDS = ("address", "provider", "nonce")

AccountOf = Callable[[Address], Awaitable[SubAccount | None]]


@dataclass(frozen=True, slots=True)
class Session:
    """A token whose every check passed; `user` is spelled as the chain's reader spells it."""

    user: Address
    token_id: int


@dataclass(frozen=True, slots=True)
class Token:
    """The decoded token JSON, in the wire's own units (milliseconds)."""

    address: str
    provider: str
    timestamp: int
    expires_at: int
    nonce: str
    generation: int
    token_id: int


class Clock(Protocol):
    def __call__(self) -> float: ...


class SessionGuard:
    """Checks tokens for one provider."""

    def __init__(
        self, provider: Address, account_of: AccountOf, *, clock: Clock = time.time
    ) -> None:
        self._provider = provider
        self._account_of = account_of
        self._clock = clock
        self._checked: dict[bytes, float] = {}

    async def check(self, authorization: str) -> Session:
        """Return the session that the header proves; raises Refusal with the broker's text."""
        raw, signature = split_header(authorization)
        token = decode_token(raw)
        if token.provider.lower() != self._provider.lower():
            _refuse("session token is for different provider")
        self._check_lifetime(token)
        await self._check_revocation(token)
        self._check_signature(token, raw, signature)
        return Session(checksummed(token.address), token.token_id)

    def _check_lifetime(self, token: Token) -> None:
        if token.token_id == EPHEMERAL:
            if token.expires_at == 0:
                _refuse("ephemeral token must have an expiration time")
            if token.expires_at - token.timestamp > LONGEST_EPHEMERAL_MS:
                _refuse("ephemeral token duration cannot exceed 24 hours")
        if token.expires_at > 0 and int(self._clock()) > token.expires_at // 1000:
            _refuse("session token expired")

    async def _check_revocation(self, token: Token) -> None:
        if not _HEX_ADDRESS.fullmatch(token.address):
            return  # nobody's account; the signature cannot match such an address either
        account = await self._account_of(checksummed(token.address))
        if account is None:
            return
        if token.generation < account.generation:
            _refuse("session token has been revoked (generation expired)")
        if token.generation > account.generation:
            _refuse("invalid session token (future generation)")
        if token.token_id != EPHEMERAL and account.is_revoked(token.token_id):
            _refuse("session token has been revoked")

    def _check_signature(self, token: Token, raw: bytes, signature: str) -> None:
        now = self._clock()
        key = hashlib.sha256(raw + b"|" + signature.encode("utf-8", "replace")).digest()
        if self._checked.get(key, 0.0) > now:
            return
        if recover(raw, signature).lower() != token.address.lower():
            _refuse("signature verification failed: address mismatch")
        self._checked = {seen: until for seen, until in self._checked.items() if until > now}
        self._checked[key] = now + CHECKED_FOR


def checksummed(address: str) -> Address:
    from eth_utils.address import to_checksum_address

    return Address(to_checksum_address(address))


def split_header(authorization: str) -> tuple[bytes, str]:
    """Return the signed bytes and the signature text of the Authorization header."""
    if not authorization.startswith(PREFIX):
        _refuse(
            "missing or invalid Authorization header, "
            "must be Bearer app-sk-<base64(rawMessage:signature)>"
        )
    payload = _decode_base64(authorization[len(PREFIX) :])
    raw, separator, signature = payload.partition(b"|")
    if not separator:
        _refuse("invalid Authorization payload, expect base64(rawMessage:signature)")
    return raw, signature.decode("utf-8", "replace")


def _decode_base64(text: str) -> bytes:
    fault = _first_illegal_byte(text)
    if fault is not None:
        _refuse(
            f"invalid base64 in Authorization header: illegal base64 data at input byte {fault}"
        )
    return base64.b64decode(text)


def _first_illegal_byte(text: str) -> int | None:
    """Where Go's strict-padding decoder stops, or None where it does not."""
    body = text.rstrip("=")
    padding = len(text) - len(body)
    for index, character in enumerate(body):
        if character not in _ALPHABET:
            return index
    in_last_group = len(body) % 4
    wanted = {0: 0, 1: 3, 2: 2, 3: 1}[in_last_group]
    if in_last_group == 1 or padding < wanted:
        if padding == 0:
            return len(body) - in_last_group
        return len(body) if in_last_group == 1 else len(text)
    return len(body) + wanted if padding > wanted else None


def decode_token(raw: bytes) -> Token:
    """Decode the token JSON as Go decodes it into its struct; raises Refusal."""
    try:
        value = json.loads(raw.decode("utf-8", "replace"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        _refuse_format(str(error))
    if value is None:
        value = {}
    if not isinstance(value, dict):
        _refuse_format(f"json: cannot unmarshal {_kind(value)} into Go value of type SessionToken")
    by_name = {name.lower(): item for name, item in value.items()}
    texts = {name: _text(by_name.get(name.lower()), name) for name in _TEXT_FIELDS}
    numbers = {name: _integer(by_name.get(name.lower()), name) for name in _INTEGER_FIELDS}
    return Token(
        address=texts["address"],
        provider=texts["provider"],
        timestamp=numbers["timestamp"],
        expires_at=numbers["expiresAt"],
        nonce=texts["nonce"],
        generation=numbers["generation"],
        token_id=numbers["tokenId"],
    )


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        _refuse_field(_kind(value), name, "string")
    return value


def _integer(value: Any, name: str) -> int:
    go_type, smallest, largest = _INTEGER_FIELDS[name]
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse_field(
            f"{_kind(value)} {value}" if isinstance(value, float) else _kind(value), name, go_type
        )
    if not smallest <= value <= largest:
        _refuse_field(f"number {value}", name, go_type)
    return value


def _kind(value: Any) -> str:
    kinds = {bool: "bool", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "number")


def recover(raw: bytes, signature: str) -> str:
    """Return the address that signed keccak256(raw) as EIP-191 bytes; raises Refusal."""
    from eth_keys.datatypes import Signature
    from eth_keys.exceptions import BadSignature
    from eth_utils.crypto import keccak
    from eth_utils.exceptions import ValidationError

    blob = _decode_hex(signature)
    if len(blob) != 65:
        _refuse("invalid signature length")
    digest = keccak(b"\x19Ethereum Signed Message:\n32" + keccak(raw))
    try:
        parity = bytes([(blob[64] - 27) % 256])
        return str(
            Signature(blob[:64] + parity)
            .recover_public_key_from_msg_hash(digest)
            .to_checksum_address()
        )
    except (BadSignature, ValidationError, ValueError) as error:
        _refuse(f"failed to recover public key from signature: {error}")


def _decode_hex(signature: str) -> bytes:
    digits = signature.removeprefix("0x")
    for character in digits:
        if character not in "0123456789abcdefABCDEF":
            _refuse(
                "invalid signature format: encoding/hex: invalid byte: "
                f"U+{ord(character):04X} {character!r}"
            )
    if len(digits) % 2:
        _refuse("invalid signature format: encoding/hex: odd length hex string")
    return bytes.fromhex(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"invalid character {name[0]!r} looking for beginning of value")


def _refuse_field(found: str, name: str, go_type: str) -> NoReturn:
    _refuse_format(
        f"json: cannot unmarshal {found} into Go struct field SessionToken.{name} of type {go_type}"
    )


def _refuse_format(reason: str) -> NoReturn:
    _refuse(f"invalid session token format in Authorization: {reason}")


def _refuse(message: str) -> NoReturn:
    raise Refusal(f"validate session: {message}")
