"""How long to wait before asking a provider again, from all the ways it says so (PROTOCOL §2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_WAIT = 86_400.0
_WAIT = re.compile(
    r"(?:wait|try again in|retry after) ((?:[\d.]{1,12}(?:h|ms|m|s| seconds?))+)", re.I
)
_STEP = re.compile(r"([\d.]{1,12})(h|ms|m|s| seconds?)", re.I)
_SECONDS_IN = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds_to_wait(headers: Mapping[str, str], text: str) -> float | None:
    """Seconds to wait: the header, else the sentence, else an exhausted bucket's reset."""
    found = _header_seconds(headers.get("retry-after", ""))
    if found is None and (match := _WAIT.search(text)):
        found = _duration(match[1])
    if found is None:
        found = _bucket_reset(headers)
    return None if found is None else min(found, MAX_WAIT)


def _header_seconds(value: str) -> float | None:
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value.strip(), re.ASCII):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _bucket_reset(headers: Mapping[str, str]) -> float | None:
    resets = [
        _duration(headers.get(f"x-ratelimit-reset-{bucket}", ""))
        for bucket in ("requests", "tokens", "images")
        if headers.get(f"x-ratelimit-remaining-{bucket}", "").strip().startswith(("0", "-"))
    ]
    return max((reset for reset in resets if reset is not None), default=None)


def _duration(text: str) -> float | None:
    """Seconds in Go's form of a duration, such as "1h0m0s" or "250ms", or in "5 seconds"."""
    try:
        steps = [float(number) * _unit(unit) for number, unit in _STEP.findall(text)]
    except ValueError:
        return None
    return sum(steps) if steps else None


def _unit(unit: str) -> float:
    return _SECONDS_IN.get(unit.strip().lower(), 1.0)
