"""How often one address may ask, counted per minute in the cache; a guard, not a meter."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.core.cache import cache
from django.http import HttpRequest

WINDOW = 60  # seconds


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of `limit` requests until `resets_in` seconds from now."""

    limit: int
    used: int
    resets_in: int

    @property
    def is_spent(self) -> bool:
        return self.used > self.limit

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)


def count(request: HttpRequest, name: str, limit: int) -> Allowance:
    """Count this request of its sender for `name`, and return what the sender has left."""
    now = int(time.time())
    sender = request.META.get("REMOTE_ADDR", "")
    key = f"rate:{name}:{sender}:{now // WINDOW}"
    cache.add(key, 0, 2 * WINDOW)
    try:
        used = cache.incr(key)
    except ValueError:  # it was dropped in between
        used = 1
    return Allowance(limit, used, WINDOW - now % WINDOW)
