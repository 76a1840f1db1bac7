"""No request may hold more than the site takes: what is larger is refused before it is kept.

Django writes a whole body to disk before any of its own limits counts, so this stands before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

LINGER_SECONDS = 300.0  # for what is still on its way; closing at once would lose our words
LINGER_BYTES = 1 << 30
_OF_THE_BODY = (b"content-length", b"content-type", b"transfer-encoding", b"expect")


class BoundedBodies:
    """Hands requests with at most `limit` bytes (of their path) on, and the others as empty ones.

    Those have `body_limit` in their scope, and the application answers them with a refusal.
    """

    def __init__(self, application: Application, limit: Callable[[str], int]) -> None:
        self._application, self._limit = application, limit

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers, limit = dict(scope["headers"]), self._limit(scope["path"])
        try:
            if int(headers.get(b"content-length", 0)) > limit:
                raise _TooLarge
            await self._application(scope, _counted(receive, limit), send)
        except _TooLarge:
            await self._refuse(scope | {"body_limit": limit}, send)
            if b"expect" not in headers:  # else nothing of it was sent
                await _drain(receive)
            await send({"type": "http.response.body"})

    async def _refuse(self, scope: dict[str, Any], send: Send) -> None:
        """Send the application's whole refusal, but for the end of the response."""
        headers = [pair for pair in scope["headers"] if pair[0] not in _OF_THE_BODY]
        empty = scope | {"method": "GET", "headers": headers}

        async def send_open(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            else:
                message = {**message, "more_body": True}
            await send(message)

        await self._application(empty, _nothing(), send_open)


class _TooLarge(Exception):
    """The body is larger than the limit, by its header or by what came of it."""


def _counted(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def counted() -> dict[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise _TooLarge
        return message

    return counted


def _nothing() -> Receive:
    """An empty body, and no word of the connection's end after it."""
    is_read = False

    async def receive() -> dict[str, Any]:
        nonlocal is_read
        if is_read:
            await asyncio.Event().wait()
        is_read = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive


async def _drain(receive: Receive) -> None:
    """Throw away what still comes: most clients read no answer before they have sent all."""
    left = LINGER_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return
