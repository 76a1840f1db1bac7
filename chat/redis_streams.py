"""Streams in Redis, for a site of several web processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from redis.asyncio import Redis

from chat.live import Event
from chat.streams import KEPT_EVENTS, KEPT_SECONDS, Gap, Streamed

_PREFIX = "chat:stream:"
_CLOSED = "closed"  # the name of the entry that ends a stream; readers never see it
_BATCH = 200


class RedisStreams:
    """Redis Streams, one per answer, whose entry ids are `<our id>-0`.

    The single writer counts the ids itself. A client belongs to one event loop, so each loop
    has its own.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Redis] = WeakKeyDictionary()
        self._last_ids: dict[UUID, int] = {}

    async def append(self, message_id: UUID, event: Event) -> int:
        return await self._add(message_id, event.name, event.data)

    async def close(self, message_id: UUID) -> None:
        await self._add(message_id, _CLOSED, {})
        self._last_ids.pop(message_id, None)

    async def read(
        self, message_id: UUID, after: int, *, patience: float
    ) -> AsyncGenerator[Streamed | None]:
        key, client = self._key(message_id), self._client()
        await self._refuse_gap(client, key, after)
        while True:
            entries = await self._next(client, key, after, patience)
            if not entries:
                yield None
            for entry_id, fields in entries:
                if _id(entry_id) != after + 1:
                    raise Gap
                after += 1
                if fields[b"name"].decode() == _CLOSED:
                    return
                yield Streamed(after, _event(fields))

    async def aclose(self) -> None:
        """Close this loop's connections."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _add(self, message_id: UUID, name: str, data: dict[str, Any]) -> int:
        key, number = self._key(message_id), self._last_ids.get(message_id, 0) + 1
        self._last_ids[message_id] = number
        async with self._client().pipeline(transaction=False) as pipe:
            pipe.xadd(
                key, {"name": name, "data": json.dumps(data)}, id=f"{number}-0", maxlen=KEPT_EVENTS
            )
            pipe.expire(key, KEPT_SECONDS)
            await pipe.execute()
        return number

    @staticmethod
    async def _refuse_gap(client: Redis, key: str, after: int) -> None:
        newest: Any = await client.xrevrange(key, count=1)
        if after > (_id(newest[0][0]) if newest else 0):
            raise Gap

    @staticmethod
    async def _next(
        client: Redis, key: str, after: int, patience: float
    ) -> list[tuple[bytes, dict[bytes, bytes]]]:
        block = max(1, int(patience * 1000))
        reply: Any = await client.xread({key: f"{after}-0"}, count=_BATCH, block=block)
        if not reply:
            return []
        streams = reply.items() if isinstance(reply, dict) else reply
        return [entry for _, entries in streams for entry in entries]

    def _client(self) -> Redis:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = Redis.from_url(self._url)
        return self._clients[loop]

    @staticmethod
    def _key(message_id: UUID) -> str:
        return f"{_PREFIX}{message_id}"


def _id(entry_id: bytes) -> int:
    return int(entry_id.split(b"-")[0])


def _event(fields: dict[bytes, bytes]) -> Event:
    return Event(fields[b"name"].decode(), json.loads(fields[b"data"]))
