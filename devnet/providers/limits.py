"""How much one user may ask for (PROTOCOL §2.2, §2.3)."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from devnet.providers.wire import Refusal

WRONG_MODELS = 5
WRONG_MODEL_WINDOW = 300.0
WRONG_MODEL_BLOCK = 3600.0


@dataclass(slots=True)
class LimitSettings:
    """The broker's defaults; `enabled` false lets everything through."""

    requests_per_minute: int = 30
    burst: int = 5
    concurrent_per_user: int = 5
    concurrent_in_all: int = 20
    enabled: bool = True


@dataclass(slots=True)
class Bucket:
    """A token bucket with continuous refill."""

    per_second: float
    size: float
    level: float
    filled_at: float

    def refill(self, now: float) -> None:
        self.level = min(self.size, self.level + max(0.0, now - self.filled_at) * self.per_second)
        self.filled_at = now

    def seconds_until(self, level: float) -> int:
        return math.ceil(max(0.0, level - self.level) / self.per_second)


@dataclass(slots=True)
class Limits:
    """All users' standing with one provider."""

    settings: LimitSettings = field(default_factory=LimitSettings)
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _active: Counter[str] = field(default_factory=Counter)
    _wrong_models: dict[str, deque[float]] = field(default_factory=dict)
    _blocked_until: dict[str, float] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget who asked how often (running requests keep their place)."""
        self._buckets.clear()
        self._wrong_models.clear()
        self._blocked_until.clear()

    def admit(self, user: str, *, older_build: bool = False) -> list[tuple[str, str]]:
        """Charge one request and return the rate-limit headers of before the charge.

        Raises Refusal 429 when the bucket is empty.
        """
        bucket = self._bucket(user)
        headers = [
            ("x-ratelimit-limit-requests", str(self.settings.requests_per_minute)),
            ("x-ratelimit-remaining-requests", str(int(bucket.level))),
            ("x-ratelimit-reset-requests", f"{bucket.seconds_until(bucket.size)}s"),
        ]
        if not self.settings.enabled:
            return headers
        if bucket.level < 1:
            self._refuse_rate(bucket, headers, older_build)
        bucket.level -= 1
        return headers

    def refuse_rate(self, user: str, *, older_build: bool = False) -> None:
        """Refuse as if the user's bucket were empty."""
        self._refuse_rate(self._bucket(user), [], older_build)

    @contextmanager
    def slot(self, user: str) -> Iterator[None]:
        """Hold one of the concurrent places while a request is worked on; raises Refusal."""
        settings = self.settings
        if settings.enabled and self._active[user] >= settings.concurrent_per_user:
            raise Refusal(
                f"Too many concurrent requests. You have {self._active[user]} active requests "
                f"(limit: {settings.concurrent_per_user}). Please wait for some to complete.",
                429,
            )
        if settings.enabled and self._active.total() >= settings.concurrent_in_all:
            raise Refusal(
                "Server is currently processing too many requests. Please try again later.", 503
            )
        self._active[user] += 1
        try:
            yield
        finally:
            self._active[user] -= 1
            self._active += Counter()  # drop the users at zero

    def check_block(self, user: str) -> None:
        """Raises Refusal 429 while the user is blocked for asking for wrong models."""
        remaining = self._blocked_until.get(user, 0.0) - self.clock()
        if self.settings.enabled and remaining > 0:
            raise Refusal(
                "Rate limit exceeded: too many invalid model requests. "
                f"Please try again in {go_duration(math.ceil(remaining))}",
                429,
            )

    def note_wrong_model(self, user: str) -> None:
        """Remember a request for a model that is not served; the fifth in 5 minutes blocks."""
        now = self.clock()
        times = self._wrong_models.setdefault(user, deque(maxlen=WRONG_MODELS))
        times.append(now)
        if len(times) == WRONG_MODELS and now - times[0] <= WRONG_MODEL_WINDOW:
            self._blocked_until[user] = now + WRONG_MODEL_BLOCK

    def _bucket(self, user: str) -> Bucket:
        now = self.clock()
        size = float(self.settings.burst)
        bucket = self._buckets.setdefault(user, Bucket(0.0, size, size, now))
        bucket.per_second = self.settings.requests_per_minute / 60
        bucket.size = size
        bucket.refill(now)
        return bucket

    def _refuse_rate(
        self, bucket: Bucket, headers: list[tuple[str, str]], older_build: bool
    ) -> None:
        limit = f"(limit: {self.settings.requests_per_minute} requests/min)"
        if older_build:
            text = f"Rate limit exceeded. Please slow down your request rate {limit}."
            raise Refusal(text, 429, headers)
        wait = max(1, bucket.seconds_until(1.0))
        text = f"Rate limit exceeded. Please wait {wait} seconds {limit}."
        body = {"error": {"type": "rate_limit_error", "message": text}}
        raise Refusal(body, 429, headers)


def go_duration(seconds: int) -> str:
    """Write whole seconds as Go prints a duration: 1h0m0s, 59m58s, 7s."""
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
