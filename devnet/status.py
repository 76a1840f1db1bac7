"""The network's status service (PROTOCOL §8): it asks every provider and reports what it met.

    GET /health   every registered provider, by the last checks of it
    GET /models   the cards of the providers that run here

A check is an unbilled question (GET /v1/models). What only a billed answer could tell, the time
to the first token and the speed, is not reported.
"""

from __future__ import annotations

import asyncio
import http.client
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from devnet.fleet import Fleet
from devnet.providers import models
from devnet.providers.profiles import Profile
from devnet.providers.wire import ConnectionLost, Outlet, Receive, Refusal, Request, Scope, Send
from zgcompute.types import Address

PORT_OFFSET = 50  # from the control port
EVERY = 20.0  # seconds between two checks
_KEPT = 360  # checks of a provider that count: two hours
_TIMEOUT = 5.0  # seconds
_HEALTHY, _WARNING = 85.0, 70.0  # percent; where the vendor's CLI changes its colours


@dataclass(slots=True)
class Watched:
    """A registered provider and the last checks of it: the milliseconds it took, or None."""

    profile: Profile
    address: Address
    url: str
    checks: deque[float | None] = field(default_factory=lambda: deque(maxlen=_KEPT))
    checked_at: float | None = None

    def check(self) -> None:
        """Ask it whether it is there; any answer but a server's error is one."""
        started = time.monotonic()
        is_there = _answers(self.url)
        self.checks.append((time.monotonic() - started) * 1000 if is_there else None)
        self.checked_at = time.time()

    def describe(self) -> dict[str, Any]:
        """Its entry in /health."""
        times = [taken for taken in self.checks if taken is not None]
        total, successful = len(self.checks), len(times)
        uptime = round(100 * successful / total, 2) if total else 0.0
        return {
            "serviceType": self.profile.service_type,
            "model": self.profile.model,
            "provider": self.address,
            "status": _status(uptime) if total else "unknown",
            "checks": {
                "total": total,
                "successful": successful,
                "failed": total - successful,
                "uptime": uptime,
            },
            "performance": {"response_time": _average(times)} if times else {},
            "lastCheck": _iso(self.checked_at),
        }


class StatusService:
    """The ASGI application behind the status port; `answering` False makes it refuse."""

    def __init__(self, fleet: Fleet, watched: list[Watched]) -> None:
        self.answering = True
        self._fleet = fleet
        self._watched = watched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request, outlet = Request(scope, receive), Outlet(send)
        try:
            await outlet.reply_json(self._answer(request))
        except ConnectionLost:
            return
        except Refusal as refusal:
            await outlet.reply_json(refusal.body, refusal.status)

    async def run(self, every: float = EVERY) -> None:
        """Check all providers each `every` seconds until cancelled."""
        while True:
            await asyncio.sleep(every)
            await self.check()

    async def check(self) -> None:
        """Check all providers once."""
        await asyncio.gather(*(asyncio.to_thread(one.check) for one in self._watched))

    def _answer(self, request: Request) -> dict[str, Any]:
        if not self.answering:
            raise Refusal("Service Unavailable", 503)
        if request.method == "GET" and request.path == "/health":
            return {"services": [one.describe() for one in self._watched]}
        if request.method == "GET" and request.path == "/models":
            return {"data": list(self._cards())}
        raise Refusal("There is GET /health and GET /models.", 404)

    def _cards(self) -> Iterator[dict[str, Any]]:
        for member in self._fleet.members.values():
            provider = member.provider
            listed = models.listing(provider.profile, provider.limits.settings)
            for card in listed["data"]:
                yield {**card, "provider": provider.address}


def _answers(url: str) -> bool:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/v1/models")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _average(times: list[float]) -> dict[str, Any]:
    average = round(sum(times) / len(times), 1)
    return {"avg": average, "unit": "ms", "samples": len(times)}


def _status(uptime: float) -> str:
    if uptime >= _HEALTHY:
        return "healthy"
    return "warning" if uptime >= _WARNING else "critical"


def _iso(moment: float | None) -> str | None:
    if moment is None:
        return None
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
