"""The sessions of one wallet with its providers, kept while they can be used."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from zgcompute.session import SessionToken
from zgcompute.types import Address

RENEW_BEFORE_MS = 3_600_000  # a session with less than an hour left is replaced


class Sessions:
    """Safe with threads: `signing(provider)` is held by the one that makes a new session."""

    def __init__(self) -> None:
        self._tokens: dict[Address, SessionToken] = {}
        self._locks: defaultdict[Address, threading.Lock] = defaultdict(threading.Lock)

    def usable(self, provider: Address) -> SessionToken | None:
        """The kept session, unless it ends within the hour."""
        token = self._tokens.get(provider)
        if token is None or token.expires_at_ms - now_ms() < RENEW_BEFORE_MS:
            return None
        return token

    def living(self, provider: Address) -> SessionToken | None:
        """The kept session, however soon it ends."""
        token = self._tokens.get(provider)
        return None if token is None or token.is_expired(now_ms()) else token

    def keep(self, token: SessionToken) -> SessionToken:
        self._tokens[token.provider] = token
        return token

    def forget(self, provider: Address, api_key: str | None = None) -> None:
        """Forget the session, or only if it is still the one with `api_key`."""
        token = self._tokens.get(provider)
        if token is not None and api_key in (None, token.api_key):
            self._tokens.pop(provider, None)

    def signing(self, provider: Address) -> threading.Lock:
        """The lock of whoever signs a new session with `provider`."""
        return self._locks[provider]


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
