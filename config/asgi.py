"""The ASGI entry point: one process serves pages and streams."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from django.core.asgi import get_asgi_application

from chat.forms import MAX_IMPORT
from config.bodies import BoundedBodies, Receive, Send
from zgcompute.uploads import MAX_FORM, MAX_UPLOAD

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def largest_body(path: str) -> int:
    """The most bytes that a page takes: conversations come back in larger files than orders go."""
    beside = MAX_FORM - MAX_UPLOAD  # a form's other fields
    return MAX_IMPORT + beside if path.split("/")[2:3] == ["chat"] else MAX_FORM


_django = BoundedBodies(get_asgi_application(), largest_body)


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
