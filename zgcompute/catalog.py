"""The services on offer: what `broker.services` is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from zgcompute.model_cards import ModelCard
from zgcompute.types import Service

if TYPE_CHECKING:
    from zgcompute.async_broker import AsyncBroker
    from zgcompute.attestation import ProviderVerdict
    from zgcompute.broker import Broker

Found = tuple[Service, ...]


class Services:
    """The services on offer, as they are on chain now."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def list(self, service_type: str | None = None) -> Found:
        """All registered services, or those of one type such as "chatbot" (getAllServices).

        Also those that cannot be used now: see `Service.tee_signer_acknowledged`.
        """
        found = self._broker.chain.services()
        return tuple(s for s in found if service_type in (None, s.service_type))

    def get(self, provider: str) -> Service:
        """The service of `provider` (getService); raises ServiceMissing."""
        return self._broker.chain.service(provider)

    def models(self, provider: str | Service) -> tuple[ModelCard, ...]:
        """The models that the provider says it serves; older builds refuse, they have no list."""
        return self._broker.provider(provider).models()

    def verify(self, provider: str | Service, **options: Any) -> ProviderVerdict:
        """Fetch the provider's attestation reports and check them.

        `options` are those of `attestation.verify_provider`. What cannot be had becomes a check
        that could not be done.
        """
        from zgcompute.attestation import verify_provider

        return verify_provider(self._broker.provider(provider), **options)


class AsyncServices:
    """`Services` in an event loop."""

    def __init__(self, broker: AsyncBroker, services: Services) -> None:
        self._broker = broker
        self._services = services

    async def list(self, service_type: str | None = None) -> Found:
        """All registered services, or those of one type such as "chatbot" (getAllServices)."""
        return await asyncio.to_thread(self._services.list, service_type)

    async def get(self, provider: str) -> Service:
        """The service of `provider` (getService); raises ServiceMissing."""
        return await asyncio.to_thread(self._services.get, provider)

    async def models(self, provider: str | Service) -> tuple[ModelCard, ...]:
        """The models that the provider says it serves; older builds refuse, they have no list."""
        client = await self._broker.provider(provider)
        return await client.models()

    async def verify(self, provider: str | Service, **options: Any) -> ProviderVerdict:
        """Fetch the provider's attestation reports and check them, in a thread."""
        return await asyncio.to_thread(self._services.verify, provider, **options)
