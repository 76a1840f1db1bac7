"""The whole SDK behind one object, in an event loop: `Broker`, awaited.

    async with AsyncBroker(network="testnet", signer=LocalSigner.from_environment()) as broker:
        answer = await broker.inference.chat(provider, [{"role": "user", "content": "Hello"}])
        stream = await broker.inference.stream(provider, messages)
        async for piece in stream:
            print(piece, end="")

Providers are asked asynchronously; reads of the chain, signing and sending run in threads, sends
one after the other. Make one broker per event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from zgcompute._clients import AsyncProviderClient
from zgcompute._http import AsyncDoor
from zgcompute.async_inference import AsyncInference
from zgcompute.async_providers import AsyncProvider, async_door
from zgcompute.broker import Broker
from zgcompute.catalog import AsyncServices
from zgcompute.chain import Chain
from zgcompute.ledger import AsyncLedgerAccess
from zgcompute.networks import Network
from zgcompute.types import Address, Receipt, Service, UnsignedCall

if TYPE_CHECKING:
    import openai


class AsyncBroker:
    """One network, and one wallet where a signer is given; for one event loop.

    `blocking` is the Broker that shares its chain, signer and sessions.
    """

    def __init__(
        self,
        network: str | Network = "testnet",
        signer: object | None = None,
        networks_file: str | Path | None = None,
        *,
        chain: Chain | None = None,
        connect: Callable[[Service], AsyncProviderClient] | None = None,
        gas_price: int | None = None,
    ) -> None:
        """Take what `Broker` takes; `connect` gives an asynchronous client."""
        self.blocking = Broker(network, signer, networks_file, chain=chain, gas_price=gas_price)
        self._connect = connect or self._connect_really
        self.services = AsyncServices(self, self.blocking.services)
        self.ledger = AsyncLedgerAccess(self.blocking.ledger)
        self.inference = AsyncInference(self, self.blocking.inference)

    @property
    def network(self) -> Network:
        """The network that all of it is about."""
        return self.blocking.network

    def address(self, user: str | None = None) -> Address:
        """Return `user`, or the signer's address where None."""
        return self.blocking.address(user)

    async def provider(self, provider: str | Service) -> AsyncProviderClient:
        """Return a client for a service, or for the provider's as it is on chain now."""
        if not isinstance(provider, Service):
            provider = await self.services.get(provider)
        return self._connect(provider)

    async def send(self, call: UnsignedCall) -> Receipt:
        """Sign and send `call`, and wait until it is mined; see `Broker.send`."""
        return await asyncio.to_thread(self.blocking.send, call)

    async def openai(self, provider: str | Service, **options: Any) -> openai.AsyncOpenAI:
        """Return an asynchronous client of the `openai` package; see `Broker.openai`."""
        from zgcompute._openai import async_client

        service = provider if isinstance(provider, Service) else await self.services.get(provider)
        return await async_client(self.network, service, self.inference, **options)

    async def aclose(self) -> None:
        """Close kept connections to providers; also at the end of an `async with` block."""
        self.blocking.close()
        if "_door" in vars(self):
            await self._door.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"Async{self.blocking!r}"

    @cached_property
    def _door(self) -> AsyncDoor:
        return async_door(local=self.network.local)

    def _connect_really(self, service: Service) -> AsyncProviderClient:
        return AsyncProvider(service, door=self._door)
