"""How connections are opened: to checked addresses only, and never past a call's deadline."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from zgcompute._destinations import AddressPolicy

if TYPE_CHECKING:
    import aiohttp


class _Closable(Protocol):
    def close(self) -> None: ...


_Client = TypeVar("_Client", bound=_Closable)


class PerProcess(Generic[_Client]):
    """One client per process: a forked child must not use its parent's connections.

    Without a lock on purpose: a lock that is held during a fork stays locked in the child.
    """

    def __init__(self, make: Callable[[], _Client]) -> None:
        self._make = make
        self._by_process: dict[int, _Client] = {}

    def get(self) -> _Client:
        client = self._by_process.get(os.getpid())
        return client or self._by_process.setdefault(os.getpid(), self._make())

    def close(self) -> None:
        client = self._by_process.pop(os.getpid(), None)
        if client is not None:
            client.close()


@lru_cache(maxsize=1)
def trusted_tls() -> ssl.SSLContext:
    """The TLS settings of every connection: certificates checked against the public roots."""
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


_deadline: ContextVar[float] = ContextVar("_deadline")


@contextmanager
def deadline_at(moment: float) -> Iterator[None]:
    """Bound every socket operation of this thread's call by `moment` of `time.monotonic`."""
    token = _deadline.set(moment)
    try:
        yield
    finally:
        _deadline.reset(token)


def call_deadline() -> float:
    """When the call that runs in this thread must end, by `time.monotonic`."""
    return _deadline.get()


def resolving_threads() -> ThreadPoolExecutor:
    """Threads to ask for names: the system's resolver knows no deadline of ours."""
    return ThreadPoolExecutor(max_workers=16, thread_name_prefix="resolve")


def checked_connector(policy: AddressPolicy, tls: ssl.SSLContext) -> aiohttp.TCPConnector:
    """An aiohttp connector whose resolver is the policy; must be made inside the event loop."""
    import asyncio

    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult

    # Of its own: names that are slow to resolve must not hold up the loop's other work.
    threads = resolving_threads()

    class CheckedResolver(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            loop = asyncio.get_running_loop()
            addresses = await loop.run_in_executor(threads, policy.addresses, host, port)
            return [_resolved(host, address, port) for address in addresses]

        async def close(self) -> None:
            """The threads end by themselves when nothing refers to the resolver."""

    def _resolved(host: str, address: str, port: int) -> ResolveResult:
        return ResolveResult(
            hostname=host,
            host=address,
            port=port,
            family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            proto=0,
            flags=socket.AI_NUMERICHOST,
        )

    return aiohttp.TCPConnector(resolver=CheckedResolver(), ssl=tls, limit=0, ttl_dns_cache=30)
