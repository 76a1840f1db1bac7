"""All test providers together: one HTTP server each, one event loop, one settlement timer each."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvicorn

from devnet import accounts
from devnet.deploy import ServiceOffer
from devnet.node import Node
from devnet.providers.app import ProviderApp
from devnet.providers.limits import LimitSettings
from devnet.providers.profiles import PROFILES, Profile
from devnet.providers.provider import Options, Provider
from devnet.providers.rpc_onchain import RpcOnChain
from devnet.providers.settlement import Settler
from zgcompute._chain import RpcChain
from zgcompute.networks import Network
from zgcompute.types import Address

HOST = "127.0.0.1"
CLOSE_WITHIN = 1  # seconds for answers still on their way when the devnet stops


@dataclass(slots=True)
class Member:
    """One provider with its settler and the socket it listens on."""

    provider: Provider
    settler: Settler
    socket: socket.socket

    @property
    def name(self) -> str:
        return self.provider.profile.name


class Server(uvicorn.Server):
    """A server among several: the process's signals are not its business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True)
class Fleet:
    """The running providers, by name."""

    members: dict[str, Member]
    started: asyncio.Event = field(default_factory=asyncio.Event)
    cut_off: int = 0  # answers that were on their way when `stop` was called
    _servers: list[Server] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        network: Network,
        sockets: dict[str, socket.socket],
        *,
        options: Options,
        limits: LimitSettings,
        state: Path | None,
    ) -> Fleet:
        """Make every provider that has a socket; each gets its own copy of the options."""
        chain, node = RpcChain(network), Node(network.rpc_urls[0])
        members = {}
        for profile in PROFILES:
            if profile.name in sockets:
                address = accounts.provider(profile.name).address
                provider = Provider.open(
                    profile,
                    address=address,
                    url=url_of(sockets[profile.name]),
                    chain=RpcOnChain(chain, node, address),
                    options=replace(options),
                    limits=replace(limits),
                    state=state,
                )
                members[profile.name] = Member(provider, Settler(provider), sockets[profile.name])
        return cls(members)

    async def serve(
        self, others: Sequence[tuple[uvicorn.Config, socket.socket]], every: float
    ) -> None:
        """Serve until `stop`, settling each `every` seconds (0: never).

        The `others` open after the providers: who can reach them can reach all providers.
        """
        tasks = [
            self._listen(config(ProviderApp(member.provider)), member.socket)
            for member in self.members.values()
        ]
        timers = [
            asyncio.create_task(member.settler.run(every))
            for member in self.members.values()
            if every
        ]
        await self._until_started()
        tasks += [self._listen(*other) for other in others]
        await self._until_started()
        self.started.set()
        try:
            await asyncio.gather(*tasks)
        finally:
            for timer in timers:
                timer.cancel()
            await asyncio.gather(*timers, return_exceptions=True)

    def stop(self) -> None:
        """Ask every server to close."""
        self.cut_off = self.running
        for server in self._servers:
            server.should_exit = True

    @property
    def running(self) -> int:
        """Answers that are being worked on."""
        return sum(member.provider.running for member in self.members.values())

    def _listen(self, configuration: uvicorn.Config, listener: socket.socket) -> asyncio.Task[None]:
        server = Server(configuration)
        self._servers.append(server)
        return asyncio.create_task(server.serve([listener]))

    async def _until_started(self) -> None:
        while not all(server.started for server in self._servers):  # noqa: ASYNC110 - uvicorn's flag
            await asyncio.sleep(0.005)


def config(app: object) -> uvicorn.Config:
    """How every server of the devnet is run."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # our ASGI types are plainer than uvicorn's
        lifespan="off",
        log_level="critical",  # cut connections are faults on purpose, not errors
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=CLOSE_WITHIN,
        timeout_keep_alive=30,
    )


def listen(port: int) -> socket.socket:
    """Hold `port` (0: any free one) without answering yet; raises OSError naming it if taken."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind((HOST, port))
    except OSError as error:
        holder.close()
        raise OSError(f"Port {port} is in use. Stop what holds it, or choose others.") from error
    return holder


def url_of(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def offer(profile: Profile, url: str) -> ServiceOffer:
    """What the provider of `profile` registers on chain."""
    return ServiceOffer(
        provider=accounts.provider(profile.name).address,
        service_type=profile.service_type,
        url=url,
        model=profile.model,
        verifiability=profile.verifiability,
        input_price=profile.chain_prices[0],
        output_price=profile.chain_prices[1],
        additional_info=profile.additional_info,
        tee_signer=Address(profile.tee_key.address),
        acknowledged=profile.acknowledged,
    )
