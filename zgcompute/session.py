"""Session tokens and API keys (PROTOCOL §1), built here and signed anywhere (pure).

The browser path: `SessionRequest.new(...)`, the wallet signs the 32 bytes of `digest` with
personal_sign, `seal(signature)`. The local path: `SessionRequest.new(...).signed_by(signer)`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from zgcompute import _reading as read
from zgcompute._keccak import keccak
from zgcompute.addresses import checksum, same
from zgcompute.errors import InvalidAddress, InvalidToken, SignatureMismatch
from zgcompute.signers import Signer
from zgcompute.types import EPHEMERAL_TOKEN_ID, Address

PREFIX = "app-sk-"
MAX_EPHEMERAL = timedelta(hours=24)
_MAX_KEY_LENGTH = 8192  # a header line; the official client's keys have about 600 characters
_MAX_INTEGER = 2**63 - 1  # what the provider's broker reads times and ids into
_MILLISECOND = timedelta(milliseconds=1)
_NONCE = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A token waiting for its signature."""

    user: Address
    provider: Address
    issued_at_ms: int
    expires_at_ms: int
    nonce: str
    generation: int
    token_id: int

    def __post_init__(self) -> None:
        if (checksum(self.user), checksum(self.provider)) != (self.user, self.provider):
            raise InvalidAddress("A session names checksummed addresses.")
        for name in ("issued_at_ms", "expires_at_ms", "generation", "token_id"):
            _require_count(name, getattr(self, name))
        if not _NONCE.fullmatch(self.nonce):
            raise InvalidToken("A nonce has 1 to 64 letters, digits, dashes or underscores.")
        _require_lifetime(self.token_id, self.issued_at_ms, self.expires_at_ms)

    @classmethod
    def new(
        cls,
        user: str,
        provider: str,
        *,
        generation: int,
        token_id: int = EPHEMERAL_TOKEN_ID,
        lifetime: timedelta | None = MAX_EPHEMERAL,
        now_ms: int | None = None,
        nonce: str | None = None,
    ) -> SessionRequest:
        """Describe a token of `user` for `provider`.

        `generation` is that of the sub-account on chain (0 where there is none). `token_id` 255 is
        an ephemeral session of at most 24 hours; 0..254 are API keys, for which `lifetime` None
        means for ever. Raises InvalidToken outside these rules, InvalidAddress.
        """
        issued = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        _require_count("issued_at_ms", issued)
        return cls(
            user=checksum(user),
            provider=checksum(provider),
            issued_at_ms=issued,
            expires_at_ms=0 if lifetime is None else issued + _milliseconds(lifetime),
            nonce=secrets.token_hex(16) if nonce is None else nonce,
            generation=generation,
            token_id=token_id,
        )

    @property
    def message(self) -> str:
        """The compact JSON that is hashed and sent (PROTOCOL §1.1)."""
        return json.dumps(
            {
                "address": self.user,
                "provider": self.provider,
                "timestamp": self.issued_at_ms,
                "expiresAt": self.expires_at_ms,
                "nonce": self.nonce,
                "generation": self.generation,
                "tokenId": self.token_id,
            },
            separators=(",", ":"),
        )

    @property
    def digest(self) -> bytes:
        """The 32 bytes that the wallet signs with personal_sign: keccak256 of `message`."""
        return keccak(self.message.encode())

    def seal(self, signature: str) -> SessionToken:
        """Return the token for the wallet's `signature` (0x and 65 bytes).

        Raises InvalidToken if it is no signature, SignatureMismatch if another key made it.
        """
        normal = normal_signature(signature)
        _require_signer(self.user, self.digest, normal)
        return SessionToken(request=self, message=self.message, signature=normal)

    def signed_by(self, signer: Signer) -> SessionToken:
        """Return the token signed with a local key; raises SignatureMismatch for another user's."""
        return self.seal(signer.sign_message(self.digest))


@dataclass(frozen=True, slots=True, repr=False)
class SessionToken:
    """A signed token: whoever holds it spends the user's funds at this provider."""

    request: SessionRequest
    message: str
    signature: str

    @classmethod
    def parse(cls, api_key: str) -> SessionToken:
        """Read an "app-sk-..." key, ours or the official client's, and check its signature.

        Raises InvalidToken if it is malformed, SignatureMismatch if its user did not sign it.
        """
        message, signature = _split(api_key)
        request = _request(message)
        normal = normal_signature(signature)
        _require_signer(request.user, keccak(message.encode()), normal)
        return cls(request=request, message=message, signature=normal)

    @property
    def user(self) -> Address:
        return self.request.user

    @property
    def provider(self) -> Address:
        return self.request.provider

    @property
    def issued_at_ms(self) -> int:
        return self.request.issued_at_ms

    @property
    def expires_at_ms(self) -> int:
        """Milliseconds since the epoch; 0 means never."""
        return self.request.expires_at_ms

    @property
    def nonce(self) -> str:
        return self.request.nonce

    @property
    def generation(self) -> int:
        return self.request.generation

    @property
    def token_id(self) -> int:
        return self.request.token_id

    @property
    def is_ephemeral(self) -> bool:
        return self.token_id == EPHEMERAL_TOKEN_ID

    @property
    def api_key(self) -> str:
        """The secret, usable as `api_key` of any OpenAI client at `Service.proxy_url`."""
        payload = f"{self.message}|{self.signature}".encode()
        return PREFIX + base64.b64encode(payload).decode("ascii")

    @property
    def authorization(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self.api_key}"

    def is_expired(self, now_ms: int) -> bool:
        """Tell whether a provider refuses the token at `now_ms` (it compares whole seconds)."""
        return self.expires_at_ms > 0 and now_ms // 1000 > self.expires_at_ms // 1000

    def __repr__(self) -> str:
        return (
            f"SessionToken(user={self.user!r}, provider={self.provider!r}, "
            f"token_id={self.token_id}, expires_at_ms={self.expires_at_ms}, api_key='app-sk-…')"
        )


def normal_signature(signature: str) -> str:
    """Return `signature` in lower case with v as 27 or 28 (wallets also give 0 or 1).

    Raises InvalidToken if it is not 0x, r, s, v in 65 bytes.
    """
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        raise InvalidToken("The signature is not 0x and 130 hexadecimal digits.")
    v = int(signature[-2:], 16)
    if v not in (0, 1, 27, 28):
        raise InvalidToken("The signature ends in an unknown recovery number.")
    return signature[:-2].lower() + f"{v % 27 + 27:02x}"


def recover_message_signer(message: bytes, signature: str) -> Address:
    """Return the address whose key signed `message` with personal_sign (EIP-191).

    `message` is a text's UTF-8 bytes, or the 32 bytes of a digest. Like a node's ecrecover it
    takes s of either half of the curve's order. Raises InvalidToken if `signature` is malformed,
    SignatureMismatch if no key can have made it.
    """
    from eth_keys.datatypes import Signature
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    normal = bytes.fromhex(normal_signature(signature)[2:])
    signed = keccak(b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message))
    try:
        made = Signature(normal[:64] + bytes([normal[64] - 27]))
        key = made.recover_public_key_from_msg_hash(signed)
    except (BadSignature, ValidationError, ValueError) as error:
        raise SignatureMismatch("No key can have made this signature.") from error
    return Address(key.to_checksum_address())


def _require_signer(user: Address, digest: bytes, signature: str) -> None:
    found = recover_message_signer(digest, signature)
    if not same(found, user):
        raise SignatureMismatch(
            f"The signature was made by {found}, not by {user}.",
            advice="Sign with the wallet and account you are signed in with.",
        )


def _require_count(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_INTEGER:
        raise InvalidToken(f"{name} is not a whole number in range.")


def _require_lifetime(token_id: int, issued_at_ms: int, expires_at_ms: int) -> None:
    if token_id > EPHEMERAL_TOKEN_ID:
        raise InvalidToken("A token id goes from 0 to 255.")
    if expires_at_ms and expires_at_ms <= issued_at_ms:
        raise InvalidToken("A token must live for some time.")
    if token_id != EPHEMERAL_TOKEN_ID:
        return
    if not expires_at_ms:
        raise InvalidToken("A session (token id 255) must have an expiration time.")
    if expires_at_ms - issued_at_ms > MAX_EPHEMERAL // _MILLISECOND:
        raise InvalidToken("A session (token id 255) cannot last longer than 24 hours.")


def _milliseconds(lifetime: timedelta) -> int:
    if lifetime < _MILLISECOND:
        raise InvalidToken("A token must live for some time.")
    return lifetime // _MILLISECOND


def _split(api_key: str) -> tuple[str, str]:
    blob = api_key.removeprefix(PREFIX)
    if blob == api_key or len(api_key) > _MAX_KEY_LENGTH:
        raise InvalidToken("An API key begins with app-sk-.")
    try:
        payload = base64.b64decode(blob, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise InvalidToken("The API key is damaged: it is not base64 text.") from None
    message, separator, signature = payload.partition("|")
    if not separator:
        raise InvalidToken("The API key is damaged: it has no signature.")
    return message, signature


def _request(message: str) -> SessionRequest:
    try:
        keys = read.loads(message)
        return SessionRequest(
            user=checksum(_text(keys, "address")),
            provider=checksum(_text(keys, "provider")),
            issued_at_ms=keys["timestamp"],
            expires_at_ms=keys["expiresAt"],
            nonce=_text(keys, "nonce"),
            generation=keys["generation"],
            token_id=keys["tokenId"],
        )
    except InvalidToken:
        raise
    except (KeyError, TypeError, ValueError):  # also a number too long to be read
        raise InvalidToken("The API key is damaged: its content is not a session token.") from None


def _text(keys: Mapping[str, Any], name: str) -> str:
    value = keys[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value
