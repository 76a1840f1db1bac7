"""The keys that pay providers: sessions of a wallet, renewed in time, or a ready API key."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Protocol

from zgcompute._orders import require_key_for
from zgcompute.errors import ChainError
from zgcompute.inference import Inference
from zgcompute.session import SessionToken
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
    """The sessions that the wallet signs for `inference`: one for all requests to a provider.

    Requests that need a new one wait for the one signature. Where the chain cannot be read the old
    session goes on as long as it lives.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._locks: defaultdict[Address, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def key(self, provider: Address) -> str:
        """The session's key; raises ChainError where none can be made."""
        sessions = self._inference.sessions
        if (kept := sessions.usable(provider)) is not None:
            return kept.api_key
        async with self._locks[provider]:
            return (sessions.usable(provider) or await self._renewed(provider)).api_key

    def refused(self, provider: Address, key: str) -> bool:
        """Forget the session that has `key`, unless another took its place already."""
        self._inference.sessions.forget(provider, key)
        return True

    async def _renewed(self, provider: Address) -> SessionToken:
        try:
            return await asyncio.to_thread(self._inference.session, provider)
        except ChainError:
            kept = self._inference.sessions.living(provider)
            if kept is None:
                raise
            return kept
