"""The keys that pay providers: sessions of a wallet, renewed in time, or a ready API key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from zgcompute._orders import require_key_for
from zgcompute._sessions import RENEW_BEFORE_MS, now_ms
from zgcompute.chain import Chain
from zgcompute.errors import ChainError, SubAccountMissing
from zgcompute.session import SessionRequest, SessionToken
from zgcompute.signers import Signer
from zgcompute.types import Address


class Keys(Protocol):
    """Who has a key for a provider."""

    async def key(self, provider: Address) -> str:
        """The secret to send to `provider`."""

    def refused(self, provider: Address, key: str) -> bool:
        """Note that `provider` no longer takes `key`; True if `key()` will give another."""


class ReadyKey:
    """One API key that somebody made; raises InvalidToken where it is for another provider."""

    def __init__(self, provider: Address, api_key: str) -> None:
        self._key = require_key_for(provider, api_key)

    async def key(self, provider: Address) -> str:
        """The key, whoever asks: there is only the one provider."""
        return self._key

    def refused(self, provider: Address, key: str) -> bool:
        """Nothing can be renewed here."""
        return False


class WalletSessions:
    """Sessions signed by the wallet, in memory only: one for all requests to a provider.

    A session with less than an hour left is replaced, and one that the provider refuses at once.
    Requests that need it meanwhile wait for the one signature. Where the chain cannot be read the
    old session goes on as long as it lives.
    """

    def __init__(
        self,
        signer: Signer,
        chain: Chain,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._signer = signer
        self._chain = chain
        self._now_ms = now_ms
        self._tokens: dict[Address, tuple[SessionToken, str]] = {}
        self._locks: dict[Address, asyncio.Lock] = {}

    async def key(self, provider: Address) -> str:
        """The session's key; raises ChainError where none can be made."""
        kept = self._fresh(provider)
        if kept is not None:
            return kept
        async with self._locks.setdefault(provider, asyncio.Lock()):
            return self._fresh(provider) or await self._renewed(provider)

    def refused(self, provider: Address, key: str) -> bool:
        """Forget the session that has `key`, unless another took its place already."""
        kept = self._tokens.get(provider)
        if kept is not None and kept[1] == key:
            del self._tokens[provider]
        return True

    def _fresh(self, provider: Address) -> str | None:
        kept = self._tokens.get(provider)
        if kept is None or kept[0].expires_at_ms - self._now_ms() < RENEW_BEFORE_MS:
            return None
        return kept[1]

    async def _renewed(self, provider: Address) -> str:
        try:
            token = await asyncio.to_thread(self._signed, provider)
        except ChainError:
            kept = self._tokens.get(provider)
            if kept is None or kept[0].is_expired(self._now_ms()):
                raise
            return kept[1]
        self._tokens[provider] = (token, token.api_key)
        return token.api_key

    def _signed(self, provider: Address) -> SessionToken:
        try:
            generation = self._chain.sub_account(self._signer.address, provider).generation
        except SubAccountMissing:
            generation = 0
        request = SessionRequest.new(
            self._signer.address, provider, generation=generation, now_ms=self._now_ms()
        )
        return request.signed_by(self._signer)
