"""Who may ask this server: local names, allowed web pages, and holders of its key."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zgcompute.serving.problems import Problem, bad_key

OPEN_PATHS = ("/healthz",)
_SAFE_METHODS = "GET, POST, OPTIONS"
_EXPOSED = (
    "zg-res-key, zg-provider, zg-verification, zg-verification-reason, zg-fee-neuron, "
    "retry-after, x-request-id"
)


class Guard:
    """Lets a request through to `app`, or answers why not.

    Where the server is only for this machine (`only_local`) its name must be a local one: a web
    page whose name was made to point here brings its own. A page of another origin is refused
    unless `origins` has it; there is no other CORS. Where there is a `key`, every request must
    carry it.
    """

    def __init__(
        self, app: ASGIApp, *, only_local: bool, key: str = "", origins: Collection[str] = ()
    ) -> None:
        self._app = app
        self._only_local = only_local
        self._key = key.encode()
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        may_read = origin in self._origins
        if may_read:
            send = _with_cors(send, origin)
        problem = self._problem(scope, headers, origin)
        if problem is not None:
            reply = Response(problem.body, problem.status, problem.headers)
            await reply(scope, receive, send)
        elif scope["method"] == "OPTIONS" and may_read:
            await Response(status_code=204, headers=_preflight(headers))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _problem(self, scope: Scope, headers: Headers, origin: str) -> Problem | None:
        host = headers.get("host", "")
        if self._only_local and not _is_local(host):
            return _forbidden(
                "This server answers to local names only, such as 127.0.0.1 or localhost.",
                "foreign_host",
            )
        if origin and origin not in self._origins and not _is_same(origin, host):
            return _forbidden(
                "Web pages of other origins may not use this server unless it is started with "
                "--cors-origin and their origin.",
                "foreign_origin",
            )
        if self._key and scope["method"] != "OPTIONS" and scope["path"] not in OPEN_PATHS:
            given = headers.get("authorization", "").removeprefix("Bearer ").strip()
            if not hmac.compare_digest(given.encode(), self._key):
                return bad_key()
        return None


def is_loopback(host: str) -> bool:
    """Tell whether `host`, a name or an address, can only be reached from this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_local(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is not None and is_loopback(name)


def _is_same(origin: str, host: str) -> bool:
    return origin.partition("://")[2] == host


def _forbidden(message: str, code: str) -> Problem:
    return Problem(403, message, "permission_error", code)


def _preflight(headers: Headers) -> dict[str, str]:
    return {
        "access-control-allow-methods": _SAFE_METHODS,
        "access-control-allow-headers": headers.get("access-control-request-headers", "*"),
        "access-control-max-age": "600",
    }


def _with_cors(send: Send, origin: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            headers["access-control-expose-headers"] = _EXPOSED
            headers.add_vary_header("Origin")
        await send(message)

    return sending
