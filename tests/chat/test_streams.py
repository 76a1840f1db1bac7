"""Both stream stores keep one contract."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest

from chat.live import Event
from chat.redis_streams import RedisStreams
from chat.streams import KEPT_EVENTS, Gap, MemoryStreams, Streamed, StreamStore
from tests.services import require_service

REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/5")
Story = Callable[[StreamStore, UUID], Awaitable[Any]]


def _redis_answers() -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", 6379)) == 0


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services)])
def play(request: pytest.FixtureRequest) -> Callable[[Story], Any]:
    """Play a story with a store and the id of a new answer; returns what it returns."""
    if request.param == "redis":
        require_service("Redis", _redis_answers())

    def run(story: Story) -> Any:
        async def scene() -> Any:
            store = MemoryStreams() if request.param == "memory" else RedisStreams(REDIS_URL)
            try:
                return await story(store, uuid4())
            finally:
                if isinstance(store, RedisStreams):
                    await store.aclose()

        return asyncio.run(asyncio.wait_for(scene(), 20))

    return run


def _text(text: str) -> Event:
    return Event("text", {"text": text})


async def _all(events: AsyncIterator[Streamed | None]) -> list[tuple[int, str]]:
    return [(one.id, one.event.data["text"]) async for one in events if one is not None]


def test_events_come_in_order_with_increasing_ids(play: Any) -> None:
    async def story(store: StreamStore, pk: UUID) -> None:
        assert [await store.append(pk, _text(t)) for t in "aß你"] == [1, 2, 3]
        await store.close(pk)
        assert await _all(store.read(pk, 0, patience=1)) == [(1, "a"), (2, "ß"), (3, "你")]

    play(story)


def test_a_reader_goes_on_where_it_was(play: Any) -> None:
    async def story(store: StreamStore, pk: UUID) -> None:
        for text in "abc":
            await store.append(pk, _text(text))
        await store.close(pk)
        assert await _all(store.read(pk, 2, patience=1)) == [(3, "c")]

    play(story)


def test_two_readers_get_everything_as_it_comes(play: Any) -> None:
    async def story(store: StreamStore, pk: UUID) -> None:
        readers = [asyncio.create_task(_all(store.read(pk, 0, patience=5))) for _ in range(2)]
        for text in "abcd":
            await asyncio.sleep(0.01)
            await store.append(pk, _text(text))
        await store.close(pk)
        expected = [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
        assert await asyncio.gather(*readers) == [expected, expected]

    play(story)


def test_silence_is_reported(play: Any) -> None:
    async def story(store: StreamStore, pk: UUID) -> None:
        await store.append(pk, _text("a"))
        async with aclosing(store.read(pk, 1, patience=0.05)) as events:
            assert await anext(events) is None

    play(story)


def test_a_reader_from_the_future_is_told(play: Any) -> None:
    async def story(store: StreamStore, pk: UUID) -> None:
        await store.append(pk, _text("a"))
        with pytest.raises(Gap):
            await _all(store.read(pk, 7, patience=1))

    play(story)


def test_a_reader_that_is_too_far_behind_is_told(play: Any) -> None:
    async def story(store: StreamStore, pk: UUID) -> None:
        for _ in range(KEPT_EVENTS + 200):
            await store.append(pk, _text("x"))
        with pytest.raises(Gap):
            await _all(store.read(pk, 1, patience=1))

    play(story)


def test_streams_are_apart(play: Any) -> None:
    async def story(store: StreamStore, pk: UUID) -> None:
        other = uuid4()
        await store.append(pk, _text("a"))
        await store.append(other, _text("b"))
        await store.close(pk)
        assert await _all(store.read(pk, 0, patience=1)) == [(1, "a")]

    play(story)


def test_a_reader_in_another_loop_is_woken() -> None:
    store, pk = MemoryStreams(), uuid4()
    seen: list[list[tuple[int, str]]] = []
    reader = Thread(target=lambda: seen.append(asyncio.run(_all(store.read(pk, 0, patience=5)))))
    reader.start()

    async def write() -> None:
        for text in "ab":
            await asyncio.sleep(0.05)
            await store.append(pk, _text(text))
        await store.close(pk)

    asyncio.run(write())
    reader.join(5)
    assert seen == [[(1, "a"), (2, "b")]]


def test_a_redis_that_is_away_breaks_no_answer() -> None:
    async def story() -> list[int]:
        store, pk = RedisStreams("redis://127.0.0.1:9/0"), uuid4()
        numbers = [await store.append(pk, _text(t)) for t in "ab"]
        with pytest.raises(Gap):
            await _all(store.read(pk, 0, patience=0.05))
        await store.close(pk)
        await store.aclose()
        return numbers

    assert asyncio.run(asyncio.wait_for(story(), 10)) == [1, 2]


@pytest.mark.services
def test_events_that_redis_missed_are_a_gap() -> None:
    require_service("Redis", _redis_answers())

    async def story() -> None:
        store, pk = RedisStreams(REDIS_URL), uuid4()
        await store.append(pk, _text("a"))
        store._last_ids[pk] += 1  # the second was counted, but never written
        await store.append(pk, _text("c"))
        with pytest.raises(Gap):
            await _all(store.read(pk, 1, patience=1))
        await store.aclose()

    asyncio.run(story())


def test_old_streams_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.streams.KEPT_SECONDS", -1)

    async def story() -> int:
        store = MemoryStreams()
        for _ in range(5):
            await store.append(uuid4(), _text("a"))
        return len(store._streams)

    assert asyncio.run(story()) == 1
