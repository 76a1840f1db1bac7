"""Streams in Redis, for a site of several web processes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from chat.live import Event
from chat.streams import KEPT_EVENTS, KEPT_SECONDS, LONGEST_PATIENCE, Gap, Streamed

_PREFIX = "chat:stream:"
_CLOSED = "closed"  # the name of the entry that ends a stream; readers never see it
_BATCH = 200
_CONNECT_SECONDS = 2.0
_REPLY_SECONDS = 5.0  # beside the time that a read is asked to wait

log = logging.getLogger(__name__)


class RedisStreams:
    """Redis Streams, one per answer, whose entry ids are `<our id>-0`.

    The single writer counts the ids itself. A client belongs to one event loop, so each loop
    has its own. While Redis is away nothing breaks: what could not be written is missing, and
    readers are told of a Gap.
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
        key = self._key(message_id)
        if after > await self._newest(key):
            raise Gap
        while True:
            entries = await self._next(key, after, patience)
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
        entry: Any = {"name": name, "data": json.dumps(data)}
        try:
            async with self._client().pipeline(transaction=False) as pipe:
                pipe.xadd(key, entry, id=f"{number}-0", maxlen=KEPT_EVENTS)
                pipe.expire(key, KEPT_SECONDS)
                await pipe.execute()
        except RedisError as error:
            log.warning("event %d of answer %s was not written: %s", number, message_id, error)
        return number

    async def _newest(self, key: str) -> int:
        try:
            newest: Any = await self._client().xrevrange(key, count=1)
        except RedisError as error:
            raise Gap from error
        return _id(newest[0][0]) if newest else 0

    async def _next(
        self, key: str, after: int, patience: float
    ) -> list[tuple[bytes, dict[bytes, bytes]]]:
        block = max(1, int(patience * 1000))
        try:
            reply: Any = await self._client().xread({key: f"{after}-0"}, count=_BATCH, block=block)
        except RedisError as error:
            raise Gap from error
        if not reply:
            return []
        streams = reply.items() if isinstance(reply, dict) else reply
        return [entry for _, entries in streams for entry in entries]

    def _client(self) -> Redis:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = Redis.from_url(
                self._url,
                socket_connect_timeout=_CONNECT_SECONDS,
                socket_timeout=_REPLY_SECONDS + LONGEST_PATIENCE,
                retry=Retry(NoBackoff(), 1),  # for a connection that the server has closed
            )
        return self._clients[loop]

    @staticmethod
    def _key(message_id: UUID) -> str:
        return f"{_PREFIX}{message_id}"


def _id(entry_id: bytes) -> int:
    return int(entry_id.split(b"-")[0])


def _event(fields: dict[bytes, bytes]) -> Event:
    return Event(fields[b"name"].decode(), json.loads(fields[b"data"]))
