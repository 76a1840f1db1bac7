"""How often one visitor may do what costs us work: a counter per minute in the cache."""

from __future__ import annotations

import time

from django.core.cache import cache
from django.http import HttpRequest

from zgcompute.errors import Error


class TooOften(Error):
    """Somebody repeats an action faster than a person would."""

    default_advice = "Wait a minute and try again."
    http_status = 429


def limit(request: HttpRequest, action: str, per_minute: int) -> None:
    """Count `action` for the visitor's address; raises TooOften above `per_minute`."""
    visitor = request.META.get("REMOTE_ADDR", "")
    key = f"limit:{action}:{visitor}:{int(time.time()) // 60}"
    cache.add(key, 0, timeout=120)
    if cache.incr(key) > per_minute:
        raise TooOften("That was tried too often.")
