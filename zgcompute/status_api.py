"""What the network's own status service reports of providers (PROTOCOL §8), leniently read.

It is a third party's claim: nobody here has checked it. Its entries are found by provider and
model as the network's own client does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from zgcompute import _reading as read
from zgcompute._destinations import AddressPolicy
from zgcompute._http import HttpDoor
from zgcompute._limits import STATUS
from zgcompute.errors import MalformedReply, ProviderRefused
from zgcompute.model_cards import ModelCard

MAX_ENTRIES = 5000  # of one reply; what follows is left out
_MOST = 10**9  # a larger average is no measurement
_MILLISECONDS = {"": 1, "ms": 1, "milliseconds": 1, "s": 1000, "sec": 1000, "seconds": 1000}
_FIRST_MILLISECONDS = 10**11  # as a time in seconds this would be the year 5138
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)


class HealthStatus(StrEnum):
    """The service's word for a provider; whatever else it may say is unknown."""

    HEALTHY = "healthy"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ReportedHealth:
    """One model of one provider; what is missing or cannot be true is None.

    `provider` is in lower case, `uptime` hundredths of a percent rounded down, `checked_at` Unix
    seconds. The averages are whole milliseconds and tokens per second.
    """

    provider: str
    model: str
    status: HealthStatus = HealthStatus.UNKNOWN
    uptime: int | None = None
    checks_total: int | None = None
    checks_successful: int | None = None
    response_time_ms: int | None = None
    first_token_ms: int | None = None
    tokens_per_second: int | None = None
    checked_at: int | None = None

    @classmethod
    def parse(cls, entry: dict[str, Any]) -> ReportedHealth:
        """Read one element of the list; ill-typed parts keep their defaults."""
        checks = read.mapping(entry.get("checks"))
        performance = read.mapping(entry.get("performance"))
        total, successful = (read.count(checks.get(key)) for key in ("total", "successful"))
        if total is None or successful is None or successful > total:
            total = successful = None
        return cls(
            provider=_address(entry.get("provider")),
            model=read.text(entry.get("model")),
            status=_status(entry.get("status")),
            uptime=_hundredths(checks.get("uptime")),
            checks_total=total,
            checks_successful=successful,
            response_time_ms=_milliseconds(performance.get("response_time")),
            first_token_ms=_milliseconds(performance.get("ttft")),
            tokens_per_second=_average(performance.get("tokens_per_second")),
            checked_at=_seconds(entry.get("lastCheck")),
        )


@dataclass(frozen=True, slots=True)
class ReportedModel:
    """A model's card as the status service passes it on; `provider` is in lower case."""

    provider: str
    card: ModelCard

    @property
    def model(self) -> str:
        """The model's id."""
        return self.card.id


class StatusApi:
    """Blocking calls to the status service at `url`; safe to use from several threads.

    `local` allows private addresses and http, and is for networks on this machine only. Errors
    are ProviderError subclasses only; what the service says of a single provider raises none.
    """

    def __init__(self, url: str, *, local: bool = False) -> None:
        self._url = url.rstrip("/")
        self._door = HttpDoor(AddressPolicy(allow_private=local))

    def health(self) -> tuple[ReportedHealth, ...]:
        """What it has measured of each provider's models (GET /health)."""
        return parse_health(self._get("/health"))

    def models(self) -> tuple[ReportedModel, ...]:
        """The cards of all providers' models (GET /models)."""
        return parse_models(self._get("/models"))

    def close(self) -> None:
        """Close the connections."""
        self._door.close()

    def _get(self, path: str) -> bytes:
        reply = self._door.get(self._url + path, STATUS)
        if reply.status != 200:
            raise ProviderRefused(
                f"The status service answered with HTTP status {reply.status}.",
                advice="Nothing depends on it. It is asked again in a minute.",
                status=reply.status,
            )
        return reply.body


class Entry(Protocol):
    """What can be joined to a service."""

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...


E = TypeVar("E", bound=Entry)


def parse_health(body: bytes) -> tuple[ReportedHealth, ...]:
    """Read a whole reply of /health; raises MalformedReply if it holds no list of services."""
    entries = map(ReportedHealth.parse, _listed(body, "services"))
    return tuple(entry for entry in entries if entry.provider and entry.model)


def parse_models(body: bytes) -> tuple[ReportedModel, ...]:
    """Read a whole reply of /models; raises MalformedReply if it holds no list of models."""
    entries = (
        ReportedModel(_address(card.get("provider")), ModelCard.parse(card))
        for card in _listed(body, "data")
    )
    return tuple(entry for entry in entries if entry.provider and entry.model)


def by_provider(entries: Iterable[E]) -> dict[str, list[E]]:
    """The entries of each provider, by its address in lower case."""
    found: dict[str, list[E]] = {}
    for entry in entries:
        found.setdefault(entry.provider, []).append(entry)
    return found


def health_of(
    entries: Sequence[ReportedHealth], model: str, canonical_id: str = "", *, alone: bool = True
) -> ReportedHealth | None:
    """Return which of a provider's `entries` is about `model`, or None.

    By the exact id, then by the canonical id, then the only one there is, unless the provider
    serves more than one model (`alone` False). Of several about one model the latest check counts.
    """
    for name in (model, canonical_id):
        named = [entry for entry in reversed(entries) if name and entry.model == name]
        if named:
            return max(named, key=lambda entry: entry.checked_at or 0)
    return entries[0] if alone and len(entries) == 1 else None


def without_prices(card: ModelCard) -> ModelCard:
    """The card without what it says of prices: those are for the provider and the chain to say."""
    return replace(
        card, prompt_price=None, completion_price=None, image_price=None, tiers=(),
        cache_billing=None,
    )  # fmt: skip


def _listed(body: bytes, key: str) -> list[dict[str, Any]]:
    reply = read.json_object(body)
    if reply is None or not isinstance(reply.get(key), list):
        raise MalformedReply("The status service's answer is not in the expected form.")
    return [read.mapping(entry) for entry in read.items(reply[key], limit=MAX_ENTRIES)]


def _address(value: object) -> str:
    text = value.lower() if isinstance(value, str) and len(value) == 42 else ""
    return text if _ADDRESS.fullmatch(text) else ""


def _status(value: object) -> HealthStatus:
    try:
        return HealthStatus(read.text(value))
    except ValueError:
        return HealthStatus.UNKNOWN


def _hundredths(percent: object) -> int | None:
    """Hundredths of a percent, rounded down; None for what is no share of a whole."""
    number = _number(percent)
    return int(number * 100) if number is not None and number <= 100 else None


def _average(value: object, factor: int = 1) -> int | None:
    number = _number(read.mapping(value).get("avg"))
    return round(number * factor) if number is not None and number * factor <= _MOST else None


def _milliseconds(value: object) -> int | None:
    """An average time; None if its unit is not known."""
    unit = read.text(read.mapping(value).get("unit"), limit=20).lower()
    return _average(value, _MILLISECONDS[unit]) if unit in _MILLISECONDS else None


def _number(value: object) -> Decimal | None:
    """A JSON number that can be a measurement, exactly as it was written in decimal digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(repr(value)) if 0 <= value <= _MOST else None


def _seconds(value: object) -> int | None:
    """Unix seconds of an ISO 8601 text (in UTC unless it says otherwise) or of a number."""
    number = read.count(value)
    if number is not None:
        return number // 1000 if number >= _FIRST_MILLISECONDS else number
    try:
        moment = datetime.fromisoformat(read.text(value, limit=40))
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int(aware.timestamp()))
