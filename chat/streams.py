"""Where the events of running answers wait for the pages that follow them.

One writer per answer (the engine that claimed it), any number of readers in any tab or process.
A stream is a convenience with an end: what it has dropped, the database knows.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Protocol
from uuid import UUID

from django.conf import settings

from chat.live import Event

KEPT_EVENTS = 4096  # of one stream; a reader that is further behind gets a Gap
KEPT_SECONDS = 300  # after the last event
LONGEST_PATIENCE = 10.0  # seconds


class Gap(Exception):
    """Events after the reader's place are gone or out of reach: ask the database for now."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """An event in its stream; ids of one stream are 1, 2, 3, …"""

    id: int
    event: Event


class StreamStore(Protocol):
    """The events of each running answer, in order, for a while.

    A store that cannot write loses events, never an answer: readers notice by a Gap.
    """

    async def append(self, message_id: UUID, event: Event) -> int:
        """Add `event` and return its id; only the answer's one writer may call this."""
        ...

    def read(
        self, message_id: UUID, after: int, *, patience: float
    ) -> AsyncGenerator[Streamed | None]:
        """Yield the events with an id above `after` as they come, and None after each `patience`
        seconds (LONGEST_PATIENCE at most) without one. Ends after the closing event. Raises Gap."""
        ...

    async def close(self, message_id: UUID) -> None:
        """Say that no event will follow; readers end when they have read the rest."""
        ...


@dataclass(slots=True)
class _Stream:
    events: deque[Streamed] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    last_id: int = 0
    is_closed: bool = False
    touched: float = field(default_factory=time.monotonic)
    readers: set[_Bell] = field(default_factory=set)


class _Bell:
    """Wakes a reader in its own event loop, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def ring(self) -> None:
        with suppress(RuntimeError):  # the reader's loop has gone, and the reader with it
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class MemoryStreams:
    """Streams in this process: writer and readers may live in different loops and threads."""

    def __init__(self) -> None:
        self._streams: dict[UUID, _Stream] = {}
        self._lock = threading.Lock()

    async def append(self, message_id: UUID, event: Event) -> int:
        with self._lock:
            stream = self._open(message_id)
            stream.last_id += 1
            stream.events.append(Streamed(stream.last_id, event))
            self._wake(stream)
            return stream.last_id

    async def read(
        self, message_id: UUID, after: int, *, patience: float
    ) -> AsyncGenerator[Streamed | None]:
        bell = _Bell()
        with self._lock:
            stream = self._open(message_id)
            stream.readers.add(bell)
        try:
            while True:
                events, is_closed = self._since(stream, after)
                for streamed in events:
                    after = streamed.id
                    yield streamed
                if is_closed and not events:
                    return
                if not events and not await bell.wait(patience):
                    yield None
        finally:
            with self._lock:
                stream.readers.discard(bell)

    async def close(self, message_id: UUID) -> None:
        with self._lock:
            stream = self._open(message_id)
            stream.is_closed = True
            self._wake(stream)

    def _open(self, message_id: UUID) -> _Stream:
        if message_id not in self._streams:
            self._drop_old()
            self._streams[message_id] = _Stream()
        return self._streams[message_id]

    def _drop_old(self) -> None:
        limit = time.monotonic() - KEPT_SECONDS
        old = [key for key, one in self._streams.items() if one.touched < limit and not one.readers]
        for key in old:
            del self._streams[key]

    def _since(self, stream: _Stream, after: int) -> tuple[list[Streamed], bool]:
        with self._lock:
            first = stream.last_id - len(stream.events) + 1
            if after > stream.last_id or after + 1 < first:
                raise Gap
            new = list(islice(stream.events, after + 1 - first, None))
            return new, stream.is_closed

    @staticmethod
    def _wake(stream: _Stream) -> None:
        stream.touched = time.monotonic()
        for bell in stream.readers:
            bell.ring()


@cache
def store() -> StreamStore:
    """The streams of this site: in Redis where REDIS_URL is set, else in this process."""
    if settings.REDIS_URL:
        from chat.redis_streams import RedisStreams

        return RedisStreams(settings.REDIS_URL)
    return MemoryStreams()
