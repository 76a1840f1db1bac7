"""How fast a provider lets its user ask, learned from its refusals and headers (pure).

PROTOCOL §2.2-2.3: some 30 requests a minute and 5 at once, told by 429 in several wordings,
mostly without Retry-After, and by x-ratelimit headers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from zgcompute.errors import ProviderRefused

UNSTATED_WAIT = 2.0  # seconds; a bucket of 30 a minute gives one request in that time
_AT_ONCE = re.compile(r"too many concurrent requests.{0,80}limit: (\d{1,6})", re.I | re.S)


@dataclass(slots=True)
class Pace:
    """One provider's limits as far as they are known; times are seconds of the caller's clock."""

    active: int = 0
    most_active: int | None = None
    rests_until: float = 0.0
    _is_cautious: bool = False  # after a refusal one request goes ahead of the others
    _is_ahead: bool = False

    def may_start(self, now: float) -> bool:
        """Tell whether the provider would take another request, as far as is known."""
        return self.opens_at(now) <= now

    def opens_at(self, now: float) -> float:
        """When it may take one; infinite if that hangs on a request that is running."""
        has_place = self.most_active is None or self.active < self.most_active
        return max(now, self.rests_until) if has_place and not self._is_ahead else math.inf

    def started(self) -> None:
        """Note a request on its way."""
        self.active += 1
        self._is_ahead = self._is_cautious

    def admitted(self, headers: Mapping[str, str], now: float) -> None:
        """Note that the provider took a request; `headers` are lower-case."""
        self._is_ahead = self._is_cautious = False
        left = _number(headers.get("x-ratelimit-remaining-requests"))
        per_minute = _number(headers.get("x-ratelimit-limit-requests"))
        if left is not None and per_minute and left < 2:  # it counts this request in
            self._is_cautious = True
            self.rests_until = max(self.rests_until, now + 60 / per_minute)

    def refused(self, error: ProviderRefused, now: float) -> None:
        """Note that the provider is asked too fast, or is at capacity."""
        self._is_ahead, self._is_cautious = False, True
        found = _AT_ONCE.search(error.detail)
        if found is not None:
            self.most_active = max(1, int(found[1]))
            if self.active > self.most_active:
                return  # one of ours will end
        wait = UNSTATED_WAIT if error.retry_after is None else error.retry_after
        self.rests_until = max(self.rests_until, now + wait)

    def ended(self) -> None:
        """Note that a request is over, however it went."""
        self.active -= 1
        self._is_ahead = False


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
