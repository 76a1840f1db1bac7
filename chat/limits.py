"""How fast one wallet may send: every message costs its money and our sockets."""

from __future__ import annotations

import time

from django.core.cache import cache

from accounts.models import Wallet

SENDS_PER_MINUTE = 30  # PROTOCOL §2.3: what a provider takes of one user


def wait_before_sending(wallet: Wallet) -> int:
    """Count one message; returns the seconds to wait where the minute is full, else 0."""
    minute, second = divmod(int(time.time()), 60)
    key = f"chat:sends:{wallet.pk}:{minute}"
    cache.add(key, 0, timeout=120)
    return 60 - second if cache.incr(key) > SENDS_PER_MINUTE else 0
