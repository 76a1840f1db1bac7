"""Who can answer: providers of the network, and other servers of OpenAI's protocol."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zgcompute._http import AsyncDoor
from zgcompute._limits import METADATA
from zgcompute.async_providers import AsyncProvider
from zgcompute.errors import Error, ProviderError
from zgcompute.model_cards import ModelCard, parse_cards
from zgcompute.serving.breaker import Breaker
from zgcompute.serving.calls import CHAT_CALL, Kind
from zgcompute.serving.keys import Keys
from zgcompute.serving.pace import Pace
from zgcompute.types import Service

LOOK = replace(METADATA, connect=3, idle=5, total=5)  # the unbilled look at whether one is alive
READ_PAUSE = 10.0  # seconds between two looks at one service on chain
log = logging.getLogger(__name__)
_WEIGHT = 0.3  # of the newest first byte in their mean


@dataclass(slots=True)
class Record:
    """What has happened with a target so far."""

    served: int = 0
    failed: int = 0
    first_byte: float | None = None  # seconds, the mean with more weight on the latest
    last_error: str = ""

    def note_first_byte(self, seconds: float) -> None:
        """Take another measurement."""
        known = seconds if self.first_byte is None else self.first_byte
        self.first_byte = (1 - _WEIGHT) * known + _WEIGHT * seconds


@dataclass(eq=False)
class Target:
    """One that can be asked; see its two kinds below."""

    name: str
    priority: int
    door: AsyncDoor = field(repr=False)
    breaker: Breaker = field(default_factory=Breaker)
    pace: Pace = field(default_factory=Pace)
    record: Record = field(default_factory=Record)
    clock: Callable[[], float] = time.monotonic
    is_paid_elsewhere = False

    def may_start(self) -> bool:
        """Tell whether a request may go there now."""
        return self.breaker.may_start and self.pace.may_start(self.clock())

    def opens_in(self) -> float:
        """In how many seconds it may; infinite while that hangs on something that is running."""
        now = self.clock()
        return self.pace.opens_at(now) - now if self.breaker.may_start else float("inf")

    def models_for(self, kind: Kind) -> Sequence[str]:
        """The models that it serves with calls of `kind`, the preferred one first."""
        raise NotImplementedError

    def replaces(self, model: str) -> bool:
        """Tell whether its own model may stand in for `model`."""
        return not model

    @property
    def price(self) -> int | None:
        """Neuron for a token in and a token out, or for a picture or second; None if unknown."""
        return None

    def url(self, kind: Kind) -> str:
        """Where calls of `kind` go."""
        raise NotImplementedError

    async def authorization(self) -> str:
        """The key to send."""
        raise NotImplementedError

    def key_was_refused(self, key: str) -> bool:
        """Note it; True if there will be another."""
        return False

    async def look(self) -> None:
        """Ask for the models, which is not billed; raises ProviderError if it is not alive."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """What the status page says of it; nothing secret."""
        now, opens = self.clock(), self.pace.rests_until
        seconds = self.record.first_byte
        return {
            "name": self.name,
            "kind": "endpoint" if self.is_paid_elsewhere else "provider",
            "priority": self.priority,
            "state": self.breaker.state.value,
            "retry_in": round(max(0.0, self.breaker.opens_until - now), 1),
            "rests_for": round(max(0.0, opens - now), 1),
            "active": self.pace.active,
            "served": self.record.served,
            "failed": self.record.failed,
            "first_byte_ms": None if seconds is None else round(seconds * 1000),
            "last_error": self.record.last_error,
        }


@dataclass(eq=False)
class ProviderTarget(Target):
    """A provider of the network, paid from the wallet's sub-account."""

    service: Service = field(kw_only=True)
    keys: Keys = field(kw_only=True, repr=False)
    read_service: Callable[[], Service] | None = field(kw_only=True, repr=False, default=None)
    cards: tuple[ModelCard, ...] = ()
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)
    _reads_again_at: float = field(default=0.0, init=False, repr=False)

    @property
    def provider(self) -> AsyncProvider:
        """The client for signatures."""
        return AsyncProvider(self.service, door=self.door)

    async def renewed(self, known: Service) -> bool:
        """Read the service on chain again; tell whether it is another one than `known` now.

        However many ask, it is read at most every READ_PAUSE seconds. Where it cannot be read
        what is known goes on.
        """
        async with self._reading:
            if self.read_service is not None and self.clock() >= self._reads_again_at:
                self._reads_again_at = self.clock() + READ_PAUSE
                await self._read(self.read_service)
        return self.service != known

    async def _read(self, read_service: Callable[[], Service]) -> None:
        try:
            found = await asyncio.to_thread(read_service)
        except Error as error:
            log.warning("The service of %s cannot be read: %s", self.name, error)
            return
        if found != self.service:
            log.warning("%s has changed its service on chain.", self.name)
            self.service = found

    def card(self, model: str) -> ModelCard | None:
        """What the provider says of `model`."""
        return next((card for card in self.cards if card.id == model), None)

    def models_for(self, kind: Kind) -> Sequence[str]:
        """The one on chain; for a service of several, those that it lists for that type."""
        if not self.service.info.multi_model:
            return [self.service.model] if kind.service_type == self.service.service_type else []
        listed = [card.id for card in self.cards if card.service_type == kind.service_type]
        if kind.service_type == self.service.service_type:
            listed.sort(key=lambda model: model != self.service.model)
        return listed

    @property
    def price(self) -> int | None:
        """Neuron for a token in and a token out, or for a picture or second."""
        return self.service.input_price + self.service.output_price

    def url(self, kind: Kind) -> str:
        """Where calls of `kind` go."""
        return self.service.url.rstrip("/") + kind.path

    async def authorization(self) -> str:
        """The session's key."""
        return await self.keys.key(self.service.provider)

    def key_was_refused(self, key: str) -> bool:
        """Forget the session."""
        return self.keys.refused(self.service.provider, key)

    async def look(self) -> None:
        """Ask for the models; builds without that list are alive too."""
        reply = await _looked(self.door, self.service.url.rstrip("/") + "/v1/models", {})
        if reply is not None:
            self.cards = reply

    def describe(self) -> dict[str, Any]:
        """What the status page says of it."""
        facts = {
            "model": self.service.model,
            "service_type": self.service.service_type,
            "input_price": str(self.service.input_price),
            "output_price": str(self.service.output_price),
        }
        return super().describe() | facts


@dataclass(eq=False)
class EndpointTarget(Target):
    """Another server of OpenAI's protocol, paid elsewhere, with a model of its own: for chat."""

    base_url: str = field(kw_only=True)
    api_key: str = field(kw_only=True, repr=False)
    model: str = field(kw_only=True)
    is_paid_elsewhere = True

    def models_for(self, kind: Kind) -> Sequence[str]:
        """Its one model."""
        return [self.model] if kind is CHAT_CALL else []

    def replaces(self, model: str) -> bool:
        """A fallback stands in for every model."""
        return True

    def url(self, kind: Kind) -> str:
        """Where chats go."""
        return f"{self.base_url.rstrip('/')}/chat/completions"

    async def authorization(self) -> str:
        """The key it was given with."""
        return self.api_key

    async def look(self) -> None:
        """Ask for the models."""
        headers = {"authorization": f"Bearer {self.api_key}"}
        await _looked(self.door, f"{self.base_url.rstrip('/')}/models", headers)

    def describe(self) -> dict[str, Any]:
        """What the status page says of it."""
        return super().describe() | {"model": self.model, "service_type": "chatbot"}


async def keep_renewed(targets: Sequence[Target], every: float) -> None:
    """Read the providers' services again every so many seconds: prices and signers change."""
    while True:
        await asyncio.sleep(every)
        for target in targets:
            if isinstance(target, ProviderTarget):
                await target.renewed(target.service)


async def _looked(
    door: AsyncDoor, url: str, headers: Mapping[str, str]
) -> tuple[ModelCard, ...] | None:
    reply = await door.send("GET", url, LOOK, headers, b"")
    if reply.status >= 500:
        raise ProviderError(f"It answers with status {reply.status}.")
    if reply.status != 200:
        return None
    try:
        return parse_cards(reply.body)
    except ProviderError:
        return None
