"""The ASGI entry point: one process serves pages and streams."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
_django = get_asgi_application()

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Hand requests to Django; before the server exits, end the answers that still run."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        await _django(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    from chat import engine
    from studio import engine as studio

    while True:
        event = (await receive())["type"]
        if event == "lifespan.shutdown":
            await asyncio.to_thread(engine.close)
            await asyncio.to_thread(studio.close)
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
