"""The one door to HTTP: where to, for how long, how much. The only importer of httpx.

Providers' URLs come from the chain, so every connection passes the address policy and goes to an
address that was checked. Redirects, cookies, proxies of the environment and compressed replies
are refused; time and size are limited for each kind of call. httpx and aiohttp are imported on
first use, they are slow to import.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from zgcompute._connections import (
    PerProcess,
    checked_connector,
    deadline_at,
    trusted_tls,
)
from zgcompute._destinations import AddressPolicy
from zgcompute._limits import (
    HttpReply,
    Limits,
    all_headers,
    host_of,
    lowered,
    refuse_odd_reply,
)
from zgcompute.errors import (
    ProviderTimeout,
    ProviderUnreachable,
    ReplyTooLarge,
)

if TYPE_CHECKING:
    import httpx


class HttpDoor:
    """Blocking calls to providers over kept connections; safe with threads and after a fork."""

    def __init__(self, policy: AddressPolicy, *, tls: ssl.SSLContext | None = None) -> None:
        self.policy = policy
        self._clients = PerProcess(lambda: sync_client(policy, tls or trusted_tls()))

    def get(self, url: str, limits: Limits, headers: Mapping[str, str] | None = None) -> HttpReply:
        """GET `url`; raises ProviderError subclasses, never for a status other than 3xx."""
        return self.send("GET", url, limits, headers or {}, b"")

    def post(
        self, url: str, limits: Limits, headers: Mapping[str, str], content: bytes
    ) -> HttpReply:
        """POST `content` to `url`; raises like `get`. Never repeated: it may be billed."""
        return self.send("POST", url, limits, headers, content)

    @contextmanager
    def stream(
        self, url: str, limits: Limits, headers: Mapping[str, str], content: bytes
    ) -> Iterator[Reply]:
        """POST `content` and give the reply once its headers are here; raises like `get`."""
        self.policy.check_url(url)
        with _opened(self._clients.get(), "POST", url, limits, headers, content) as reply:
            refuse_odd_reply(reply.status, reply.headers)
            yield reply

    def close(self) -> None:
        self._clients.close()

    def send(
        self, method: str, url: str, limits: Limits, headers: Mapping[str, str], content: bytes
    ) -> HttpReply:
        """Send one request and return the whole reply; raises like `get`."""
        self.policy.check_url(url)
        reply = exchange(self._clients.get(), method, url, limits, headers, content)
        refuse_odd_reply(reply.status, reply.headers)
        return reply


def sync_client(policy: AddressPolicy, tls: ssl.SSLContext) -> httpx.Client:
    """A client whose connections all pass `policy`."""
    import httpcore
    import httpx

    from zgcompute._backend import CheckedBackend

    transport = httpx.HTTPTransport(verify=tls, trust_env=False)
    # httpx has no argument for a network backend; its transport is a thin wrapper of this pool.
    transport._pool = httpcore.ConnectionPool(
        ssl_context=tls,
        max_connections=100,
        max_keepalive_connections=20,
        keepalive_expiry=15,
        network_backend=CheckedBackend(policy),
    )
    return httpx.Client(transport=transport, trust_env=False, cookies=_no_cookies())


def _no_cookies() -> Any:
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def exchange(
    client: httpx.Client,
    method: str,
    url: str,
    limits: Limits,
    headers: Mapping[str, str],
    content: bytes,
) -> HttpReply:
    """Send one request and return the whole reply, whatever its status; raises ProviderError."""
    with _opened(client, method, url, limits, headers, content) as reply:
        return HttpReply(reply.status, reply.headers, b"".join(reply.chunks()))


@contextmanager
def _opened(
    client: httpx.Client,
    method: str,
    url: str,
    limits: Limits,
    headers: Mapping[str, str],
    content: bytes,
) -> Iterator[Reply]:
    import httpx

    host, deadline = host_of(url), time.monotonic() + limits.total
    with _errors(host), deadline_at(deadline):
        request = client.build_request(
            method,
            url,
            headers=all_headers(headers),
            content=content,
            timeout=httpx.Timeout(limits.idle, connect=limits.connect),
        )
        response = client.send(request, stream=True)
    try:
        yield Reply(response, host, limits, deadline)
    finally:
        response.close()


class Reply:
    """A reply whose body is read bit by bit; header names are lower-case."""

    def __init__(
        self, response: httpx.Response, host: str, limits: Limits, deadline: float
    ) -> None:
        self.status = response.status_code
        self.headers = lowered(response.headers)
        self._chunks = response.iter_raw()
        self._host, self._limits, self._deadline = host, limits, deadline

    def chunks(self) -> Iterator[bytes]:
        """The body's bytes exactly as received, as they arrive; raises ProviderError."""
        received = 0
        while chunk := self._next_chunk():
            received += len(chunk)
            if received > self._limits.max_bytes:
                raise ReplyTooLarge(f"{self._host} sent more than {self._limits.max_bytes} bytes.")
            yield chunk

    def _next_chunk(self) -> bytes:
        with _errors(self._host), deadline_at(self._deadline):
            return next(self._chunks, b"")


@contextmanager
def _errors(host: str) -> Iterator[None]:
    """Let no exception of an HTTP library out."""
    import httpx

    try:
        yield
    except httpx.TimeoutException as error:
        raise ProviderTimeout(f"{host} did not answer in time.") from error
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, UnicodeError) as error:
        raise _unreachable(host, error) from error


def _unreachable(host: str, error: BaseException) -> ProviderUnreachable:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ProviderUnreachable(f"The certificate of {host} is not valid.")
        cause = cause.__cause__ or cause.__context__
    return ProviderUnreachable(f"{host} cannot be reached, or it broke the connection.")


class AsyncDoor:
    """Calls to providers in one event loop; make one per loop and share it.

    One aiohttp session serves all of them, it holds up far better than httpx's own pool.
    """

    def __init__(self, policy: AddressPolicy, *, tls: ssl.SSLContext | None = None) -> None:
        self.policy = policy
        self._tls = tls
        self._client: httpx.AsyncClient | None = None

    async def send(
        self, method: str, url: str, limits: Limits, headers: Mapping[str, str], content: bytes
    ) -> HttpReply:
        """Send one request and return the whole reply, whatever its status but a 3xx.

        Never repeated: it may be billed. Raises ProviderError subclasses.
        """
        async with self._opened(method, url, limits, headers, content) as reply:
            body = b"".join([chunk async for chunk in reply.chunks()])
            return HttpReply(reply.status, reply.headers, body)

    @asynccontextmanager
    async def post(
        self, url: str, limits: Limits, headers: Mapping[str, str], content: bytes
    ) -> AsyncIterator[AsyncReply]:
        """POST `content` and give the reply once its headers are here; raises ProviderError."""
        async with self._opened("POST", url, limits, headers, content) as reply:
            yield reply

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @asynccontextmanager
    async def _opened(
        self, method: str, url: str, limits: Limits, headers: Mapping[str, str], content: bytes
    ) -> AsyncIterator[AsyncReply]:
        import httpx

        self.policy.check_url(url)
        host, deadline = host_of(url), asyncio.get_running_loop().time() + limits.total
        client = self._ready_client()
        async with _async_errors(host, min(limits.idle, limits.total)):
            request = client.build_request(
                method,
                url,
                headers=all_headers(headers),
                content=content,
                timeout=httpx.Timeout(None, connect=limits.connect),
            )
            response = await client.send(request, stream=True)
        try:
            reply = AsyncReply(response, host, limits, deadline)
            refuse_odd_reply(reply.status, reply.headers)
            yield reply
        finally:
            with suppress(httpx.HTTPError):
                await response.aclose()

    def _ready_client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = _async_client(self.policy, self._tls or trusted_tls())
        return self._client


class AsyncReply:
    """A reply whose body arrives bit by bit; header names are lower-case."""

    def __init__(
        self, response: httpx.Response, host: str, limits: Limits, deadline: float
    ) -> None:
        self.status = response.status_code
        self.headers = lowered(response.headers)
        self._chunks = response.aiter_raw()
        self._host, self._limits, self._deadline = host, limits, deadline

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes exactly as received, as they arrive; raises ProviderError."""
        received = 0
        while chunk := await self._next_chunk():
            received += len(chunk)
            if received > self._limits.max_bytes:
                raise ReplyTooLarge(f"{self._host} sent more than {self._limits.max_bytes} bytes.")
            yield chunk

    async def _next_chunk(self) -> bytes:
        left = self._deadline - asyncio.get_running_loop().time()
        async with _async_errors(self._host, min(self._limits.idle, left)):
            return await anext(self._chunks, b"")


@asynccontextmanager
async def _async_errors(host: str, seconds: float) -> AsyncIterator[None]:
    import aiohttp
    import httpx

    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise ProviderTimeout(f"{host} did not answer in time.") from error
    except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, UnicodeError) as error:
        failure: ProviderTimeout | ProviderUnreachable = _unreachable(host, error)
        if isinstance(error.__cause__, TimeoutError):
            failure = ProviderTimeout(f"{host} did not answer in time.")
        never = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
        failure.was_sent = not isinstance(error.__cause__ or error, never)
        raise failure from error


def _async_client(policy: AddressPolicy, tls: ssl.SSLContext) -> httpx.AsyncClient:
    import aiohttp
    import httpx
    from httpx_aiohttp import AiohttpTransport

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=checked_connector(policy, tls), cookie_jar=aiohttp.DummyCookieJar()
        )

    transport = AiohttpTransport(verify=tls, trust_env=False, client=session)
    return httpx.AsyncClient(transport=transport, trust_env=False, cookies=_no_cookies())
