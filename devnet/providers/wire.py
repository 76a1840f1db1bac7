"""The thin layer over ASGI: one request in, one reply (whole or streamed) out."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[str, str]]

MAX_BODY = 32 * 1024 * 1024  # PROTOCOL §2.1


class Refusal(Exception):
    """An error reply: a status and a JSON body (`{"error": text}` where only a text is given)."""

    def __init__(
        self, error: str | dict[str, Any], status: int = 400, headers: Headers = ()
    ) -> None:
        super().__init__(str(error))
        self.status = status
        self.body = error if isinstance(error, dict) else {"error": error}
        self.headers = tuple(headers)


class ConnectionLost(Exception):
    """The client went away before its request was complete."""


class Request:
    """What the client asked for; header names are lower-case."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        self.client: str = (scope.get("client") or ("unknown", 0))[0]
        self._query: bytes = scope.get("query_string", b"")
        self._receive = receive

    def query(self, name: str) -> str:
        """The first value of the query parameter `name`, or ""."""
        return parse_qs(self._query.decode("latin-1")).get(name, [""])[0]

    async def body(self) -> bytes:
        """Read the whole body; raises Refusal when it is larger than MAX_BODY."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionLost
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MAX_BODY:
                raise Refusal("Request body size exceeds the maximum allowed size of 32MB", 413)
            if not message.get("more_body", False):
                return b"".join(parts)


class Outlet:
    """The way back to the client. Writing to a client that has gone is not an error."""

    def __init__(self, send: Send, common_headers: Headers = ()) -> None:
        self._send = send
        self._common = tuple(common_headers)
        self.is_open = False
        self.is_finished = False

    async def reply(self, status: int, body: bytes, headers: Headers = ()) -> None:
        """Send a whole reply."""
        await self.open(status, (*headers, ("content-length", str(len(body)))))
        await self.finish(body)

    async def reply_json(self, value: Any, status: int = 200, headers: Headers = ()) -> None:
        """Send `value` as a JSON reply."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )
        kind = ("content-type", "application/json; charset=utf-8")
        await self.reply(status, body, (kind, *headers))

    async def open(self, status: int, headers: Headers = ()) -> None:
        """Send the status and headers of a reply whose body follows piece by piece."""
        self.is_open = True
        pairs = {name.lower(): value for name, value in (*self._common, *headers)}
        encoded = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs.items()
        ]
        await self._push({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, data: bytes) -> None:
        """Send the next piece of the body."""
        await self._push({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes = b"") -> None:
        """Send the last piece. A reply that is never finished is a connection cut off."""
        self.is_finished = True
        await self._push({"type": "http.response.body", "body": data, "more_body": False})

    async def _push(self, message: MutableMapping[str, Any]) -> None:
        with suppress(OSError):  # the client hung up; the work is finished (and billed) anyhow
            await self._send(message)
