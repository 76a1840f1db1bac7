"""Response signatures: what is signed (PROTOCOL §4.5), how long it is kept (§4.4)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from devnet.providers.wire import Refusal

KEPT_FOR = 20 * 60.0  # seconds
IMAGES_KEPT_FOR = 30 * 60.0  # the larger of 20 min and the async results' 30 min


@dataclass(frozen=True, slots=True)
class TeeKey:
    """A signing key that on a real provider never leaves the enclave. Devnet keys are public."""

    private_key: str

    @property
    def address(self) -> str:
        from eth_account import Account

        return str(Account.from_key(self.private_key).address)

    def sign_text(self, text: str | bytes) -> str:
        """Sign EIP-191 over `text` and return 0x and 130 hex digits."""
        from eth_account import Account
        from eth_account.messages import encode_defunct

        message = text.encode() if isinstance(text, str) else text
        signed = Account.sign_message(encode_defunct(primitive=message), self.private_key)
        return "0x" + bytes(signed.signature).hex()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def response_text(request_body: bytes, response_body: bytes) -> str:
    """The signed text of chat (stream or not) and of speech-to-text."""
    return f"{sha256(request_body)}:{sha256(response_body)}"


def images_text(client_body: bytes, images: Sequence[bytes]) -> str:
    """The signed text of images: over the client's own body and every image's bytes."""
    return f"{sha256(client_body)}:{','.join(sha256(image) for image in images)}"


def signed_record(text: str, key: TeeKey, *, claimed: str = "") -> dict[str, Any]:
    """Sign `text`; `claimed` is the address that the record names instead of the key's own."""
    return {
        "text": text,
        "signature": key.sign_text(text),
        "signing_address": claimed or key.address,
        "signing_algo": "ecdsa",
    }


@dataclass(frozen=True, slots=True)
class _Stored:
    record: dict[str, Any]
    until: float


class SignatureMemory:
    """Signatures by response id, in memory only: a restart loses them, as on a real provider."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stored: dict[str, _Stored] = {}

    def store(
        self, response_id: str, record: dict[str, Any], *, kept_for: float = KEPT_FOR
    ) -> None:
        """Keep `record` for `kept_for` seconds."""
        now = self._clock()
        self._stored = {name: item for name, item in self._stored.items() if item.until > now}
        self._stored[response_id.lower()] = _Stored(record, now + kept_for)

    def find(self, response_id: str) -> dict[str, Any]:
        """Return the record in any spelling of its id; raises Refusal when unknown or expired."""
        stored = self._stored.get(response_id.lower())
        if stored is None or stored.until <= self._clock():
            raise Refusal("prepare HTTP request: Chat id not found or expired, chat_id_not_found")
        return stored.record

    def forget(self) -> None:
        """Lose everything, as a restart does."""
        self._stored.clear()
