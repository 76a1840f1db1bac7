"""Runs the answers of this process: one event loop in a thread of its own, away from requests.

Started by the first question, ended with the process. Several processes may each have one: an
answer belongs to the engine whose UPDATE claimed it.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from collections.abc import Callable
from functools import cache, partial
from uuid import UUID

from chat import receipts, transitions
from chat.answering import Answering, ChatProvider, Tools
from chat.models import Message
from chat.streams import StreamStore, store
from chat.threads import DatabaseThreads
from chat.transitions import SITE_STOPPED
from zgcompute import types
from zgcompute.providers import AsyncDoor, AsyncProvider, Limits, async_door

log = logging.getLogger(__name__)

_DATABASE_THREADS = 4
_CHECK_THREADS = 8


Connect = Callable[[types.Service, bool], ChatProvider]


def start(message_id: UUID) -> None:
    """Get the answer `message_id` (pending, committed) in the background."""
    _engine().start(message_id)


def stop(message_id: UUID) -> None:
    """Notice at once that the answer was ended; another process notices by itself in seconds."""
    _engine().stop(message_id)


def close() -> None:
    """End this process's engine, where it has one: no answer is left running."""
    if _engine.cache_info().currsize:
        _engine().close()


class Engine:
    """One loop, its threads, and the answers that run in it."""

    def __init__(
        self,
        streams: StreamStore,
        connect: Connect | None = None,
        check: Callable[[int], object] = receipts.check,
        limits: Limits | None = None,
    ) -> None:
        self._database = DatabaseThreads(_DATABASE_THREADS, "chat-database")
        self._checks = DatabaseThreads(_CHECK_THREADS, "chat-check")
        self._doors = _Doors(limits)
        self._tools = Tools(connect or self._doors, check, streams, self._database, self._checks)
        self._running: dict[UUID, Answering] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chat", daemon=True)
        self._thread.start()

    def start(self, message_id: UUID) -> None:
        self._loop.call_soon_threadsafe(self._begin, message_id)

    def stop(self, message_id: UUID) -> None:
        self._loop.call_soon_threadsafe(self._end, message_id)

    def close(self) -> None:
        """Stop the loop and leave every running answer interrupted, with the part that came."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()
        self._database.shutdown()
        self._checks.shutdown(wait=False, cancel_futures=True)
        for answering in self._running.values():
            _leave(answering)

    def _begin(self, message_id: UUID) -> None:
        answering = Answering(message_id, self._tools)
        self._running[message_id] = answering
        task = self._loop.create_task(answering.run())
        self._tasks.add(task)
        task.add_done_callback(partial(self._finished, message_id))

    def _end(self, message_id: UUID) -> None:
        if message_id in self._running:
            self._running[message_id].is_over.set()

    def _finished(self, message_id: UUID, task: asyncio.Task[None]) -> None:
        """Forget an answer that came to its end; what did not is left for `close`."""
        self._tasks.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("answer %s could not be ended", message_id, exc_info=error)
        else:
            del self._running[message_id]

    async def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._doors.aclose()


def _leave(answering: Answering) -> None:
    """End an answer that nobody will work on any more."""
    pk, interrupted = answering.message_id, Message.State.INTERRUPTED
    if transitions.give_up(pk):
        return
    transitions.end(pk, interrupted, answering.shown, SITE_STOPPED)
    for message in Message.objects.answers().ended().filter(pk=pk, closed_at=None):
        receipts.abandon(message)


class _Doors:
    """The ways to providers, whose connections all answers of the loop share."""

    def __init__(self, limits: Limits | None) -> None:
        self._limits = limits
        self._doors: dict[bool, AsyncDoor] = {}

    def __call__(self, service: types.Service, is_local: bool) -> ChatProvider:
        if is_local not in self._doors:
            self._doors[is_local] = async_door(local=is_local)
        return AsyncProvider(service, door=self._doors[is_local], limits=self._limits)

    async def aclose(self) -> None:
        for door in self._doors.values():
            await door.aclose()


@cache
def _engine() -> Engine:
    engine = Engine(store())
    atexit.register(engine.close)
    return engine
